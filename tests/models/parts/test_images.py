import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.models.parts import images
from tfdream.models.parts.images import ReflectionPadding, instance_normalization


@pytest.fixture
def batch():
    """Return two images of 5×7 pixels and three channels of different ranges."""
    rng = np.random.default_rng(0)
    return rng.normal(3, [1.0, 10.0, 0.1], (2, 5, 7, 3)).astype(np.float32)


def tapped(function, shape, *arguments, layer):
    """Return a model of a part up to one of its layers."""
    image = keras.Input(shape)
    whole = keras.Model(image, function(image, *arguments))
    return keras.Model(image, whole.get_layer(layer).output)


def test_instance_normalization_gives_mean_0_and_variance_1(batch):
    exact = batch.astype(np.float64)
    mean, variance = (moment(exact, axis=(1, 2), keepdims=True) for moment in (np.mean, np.var))
    expected = (exact - mean) / np.sqrt(variance + 1e-5)  # epsilon of torch.nn.InstanceNorm2d
    # float32, of values that are thirty deviations away from zero.
    np.testing.assert_allclose(instance_normalization("a")(batch), expected, atol=1e-4)


def test_normalization_has_no_weights_and_is_independent_of_other_images(batch):
    layer = instance_normalization("a")
    together = layer(batch, training=True)
    assert layer.weights == []
    np.testing.assert_allclose(together[1:], layer(batch[1:]), atol=1e-6)


def test_moments_are_float32_in_bfloat16(batch):
    coarse = tf.cast(batch, tf.bfloat16)
    config = {**instance_normalization("a").get_config(), "dtype": "bfloat16"}
    normalized = keras.layers.GroupNormalization.from_config(config)(coarse)
    assert normalized.dtype == tf.bfloat16
    expected = instance_normalization("a")(tf.cast(coarse, tf.float32))
    # Rounded once, at the end: eight bits of values below 3.
    np.testing.assert_allclose(tf.cast(normalized, tf.float32), expected, atol=2**-7)


def test_a_constant_image_becomes_0_and_has_a_finite_gradient():
    constant = tf.ones((1, 4, 4, 2))
    with tf.GradientTape() as tape:
        tape.watch(constant)
        normalized = instance_normalization("a")(constant)
        total = tf.reduce_sum(normalized * tf.random.stateless_normal(normalized.shape, [0, 0]))
    assert not normalized.numpy().any()
    assert np.isfinite(tape.gradient(total, constant)).all()


@pytest.mark.parametrize("size", [1, 3])
def test_padding_reflects_the_image(batch, size):
    border = [(0, 0), (size, size), (size, size), (0, 0)]
    expected = np.pad(batch, border, mode="reflect")
    assert np.array_equal(ReflectionPadding(size)(batch), expected)
    assert ReflectionPadding(size)(keras.Input((5, 7, 3))).shape == (None, *expected.shape[1:])


def test_a_border_larger_than_the_image_is_an_error():
    with pytest.raises(
        ValueError, match=r"a border of 3 pixels is too large for images of 3x9 pixels"
    ):
        ReflectionPadding(3)(keras.Input((3, 9, 1)))


@pytest.mark.parametrize("layer", [instance_normalization("a"), ReflectionPadding(2, name="b")])
def test_layers_are_serializable(layer, batch):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.name == layer.name
    assert np.array_equal(again(batch), layer(batch))


@pytest.mark.parametrize("size", [(8, 6), (7, 5), (8, 5)])
def test_upsampling_is_the_transpose_of_downsampling(size):
    """With one kernel, ⟨downsample(x), y⟩ = ⟨x, upsample(y)⟩: no pixel is shifted."""
    rng = np.random.default_rng(1)
    halved = tuple(-(-length // 2) for length in size)
    down = tapped(images.downsample, (*size, 2), 3, "a", {}, layer="a")
    up = tapped(images.upsample, (*halved, 3), 2, size, "b", {}, layer="b_crop")
    up.get_layer("b").kernel.assign(down.get_layer("a").kernel)
    x = rng.normal(size=(1, *size, 2)).astype(np.float32)
    y = rng.normal(size=(1, *halved, 3)).astype(np.float32)
    assert up(y).shape == x.shape
    # Sums of 80 products of float32.
    assert np.vdot(down(x), y) == pytest.approx(np.vdot(x, up(y)), rel=1e-4)


def test_a_residual_block_adds_to_its_input(batch):
    block = tapped(lambda x: images.residual_block(x, "block", {}), (5, 7, 3), layer="block")
    changed = keras.Model(block.input, block.get_layer("block_2_norm").output)
    np.testing.assert_allclose(block(batch) - batch, changed(batch), atol=1e-5)
    assert not any("relu" in layer.name for layer in block.layers[-2:])
