import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from keras import layers

from tfdream.models.parts.blocks import BlockConvolution, convolution


def images(height, width, channels):
    rng = np.random.default_rng(0)
    return tf.constant(rng.standard_normal((2, height, width, channels)), tf.float32)


def value_and_gradients(layer, inputs):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs)
        energy = tf.reduce_sum(tf.sin(outputs))
    return [outputs, *tape.gradient(energy, [inputs, *layer.trainable_variables])]


@settings(max_examples=10, deadline=None, derandomize=True)
@given(
    size=st.sampled_from([5, 7, 9]),
    height=st.integers(11, 19),
    width=st.integers(11, 30),
    channels=st.integers(1, 4),
    filters=st.integers(1, 4),
)
@example(size=7, height=16, width=16, channels=1, filters=4)
@example(size=9, height=19, width=30, channels=4, filters=1)
def test_block_convolutions_equal_convolutions(size, height, width, channels, filters):
    inputs = images(height, width, channels)
    plain, blocks = (kind(filters, size) for kind in (layers.Conv2D, BlockConvolution))
    plain(inputs), blocks(inputs)
    blocks.set_weights(plain.get_weights())
    for own, other in zip(
        value_and_gradients(blocks, inputs), value_and_gradients(plain, inputs), strict=True
    ):
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-4)


def test_block_convolutions_apply_their_activation():
    inputs = images(12, 12, 1)
    plain, blocks = (kind(2, 7, activation="relu") for kind in (layers.Conv2D, BlockConvolution))
    plain(inputs), blocks(inputs)
    blocks.set_weights(plain.get_weights())
    np.testing.assert_allclose(blocks(inputs), plain(inputs), rtol=1e-4, atol=1e-4)
    assert (blocks(inputs).numpy() >= 0).all()


def test_block_convolutions_without_bias():
    inputs = images(12, 12, 1)
    layer = BlockConvolution(2, 7, use_bias=False)
    assert layer(inputs).shape == (2, 6, 6, 2)
    assert len(layer.weights) == 1


@pytest.mark.parametrize(
    ("channels", "filters", "size", "by_blocks"),
    [(1, 4, 7, True), (64, 1, 7, True), (64, 64, 7, False), (1, 4, 3, False)],
)
def test_convolutions_of_few_channels_use_blocks(channels, filters, size, by_blocks):
    layer = convolution(channels, filters, size)
    assert isinstance(layer, BlockConvolution) == by_blocks
