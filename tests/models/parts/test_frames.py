import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.models.parts.frames import SpectralConvolution, frame_blocks


def matrix(layer):
    return np.asarray(layer.kernel).reshape(-1, layer.filters)


def test_frame_blocks_accept_any_number_of_frames():
    network = frame_blocks(4, 6, 2, 3, "trunk")
    assert network(tf.ones([2, 7, 4])).shape == (2, 7, 6)
    assert network.get_layer("trunk_block2") is not None


def test_a_spectral_convolution_has_the_norm_one():
    keras.utils.set_random_seed(0)
    layer = SpectralConvolution(5, 3, padding="valid", use_bias=False)
    inputs = tf.constant(np.random.default_rng(0).normal(size=(2, 9, 4)), tf.float32)
    for _ in range(60):  # power iterations
        layer(inputs, training=True)
    norm = np.linalg.svd(matrix(layer), compute_uv=False)[0]
    patches = np.stack([inputs.numpy()[:, start : start + 3] for start in range(7)], axis=1)
    expected = patches.reshape(2, 7, -1) @ matrix(layer) / norm
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-3, atol=1e-5)


def test_a_scaled_kernel_gives_the_same_outputs():
    layer = SpectralConvolution(5, 3, 2, padding="same")
    inputs = tf.constant(np.random.default_rng(0).normal(size=(2, 9, 4)), tf.float32)
    before = layer(inputs)
    layer.kernel.assign(10 * layer.kernel)
    after = layer(inputs)
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-6)
    assert before.shape == after.shape == (2, 5, 5)


def test_the_gradient_of_the_kernel_has_no_part_along_the_kernel():
    """Its scale has no effect, once the power iteration has converged."""
    keras.utils.set_random_seed(0)
    layer = SpectralConvolution(5, 3)
    inputs = tf.constant(np.random.default_rng(0).normal(size=(2, 9, 4)), tf.float32)
    for _ in range(60):
        layer(inputs, training=True)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(inputs) ** 2)
    gradient = np.asarray(tape.gradient(total, layer.kernel))
    along = float((gradient * np.asarray(layer.kernel)).sum())
    assert abs(along) < 1e-3 * np.linalg.norm(gradient) * np.linalg.norm(layer.kernel)


@pytest.mark.parametrize("training", [False, True])
def test_it_can_be_called_on_several_devices(training):
    devices = tf.config.list_logical_devices("CPU")
    strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
    with strategy.scope():
        layer = SpectralConvolution(5, 3)
        layer.build((None, 9, 4))
    outputs = strategy.run(lambda: layer(tf.ones([1, 9, 4]), training=training))
    assert all(each.shape == (1, 7, 5) for each in strategy.experimental_local_results(outputs))
