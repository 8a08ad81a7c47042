import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.models.parts import images
from tfdream.models.parts.images import InstanceNormalization, ReflectionPadding


@pytest.fixture
def pictures():
    """Two, of five by seven pixels and three channels, at levels far apart."""
    rng = np.random.default_rng(0)
    return rng.normal(3, [1.0, 10.0, 0.1], (2, 5, 7, 3)).astype(np.float32)


def tapped(function, shape, *arguments, layer):
    """What a part computes up to one of its layers."""
    image = keras.Input(shape)
    whole = keras.Model(image, function(image, *arguments))
    return keras.Model(image, whole.get_layer(layer).output)


def test_every_channel_of_every_image_gets_mean_0_and_variance_1(pictures):
    exact = pictures.astype(np.float64)
    mean, variance = (of(exact, axis=(1, 2), keepdims=True) for of in (np.mean, np.var))
    wanted = (exact - mean) / np.sqrt(variance + 1e-5)  # torch.nn.InstanceNorm2d's own epsilon
    # float32, of values that are thirty deviations away from zero.
    np.testing.assert_allclose(InstanceNormalization()(pictures), wanted, atol=1e-4)


def test_normalization_has_no_weights_and_no_memory_of_other_images(pictures):
    layer = InstanceNormalization()
    together = layer(pictures, training=True)
    assert layer.weights == []
    np.testing.assert_allclose(together[1:], layer(pictures[1:]), atol=1e-6)


def test_moments_are_those_of_float32_also_in_bfloat16(pictures):
    coarse = tf.cast(pictures, tf.bfloat16)
    found = InstanceNormalization(dtype="bfloat16")(coarse)
    assert found.dtype == tf.bfloat16
    wanted = InstanceNormalization()(tf.cast(coarse, tf.float32))
    # Rounded once, at the end: eight bits of values below 3.
    np.testing.assert_allclose(tf.cast(found, tf.float32), wanted, atol=2**-7)


def test_an_even_picture_is_gray_and_has_a_gradient():
    even = tf.ones((1, 4, 4, 2))
    with tf.GradientTape() as tape:
        tape.watch(even)
        found = InstanceNormalization()(even)
        total = tf.reduce_sum(found * tf.random.stateless_normal(found.shape, [0, 0]))
    assert not found.numpy().any()
    assert np.isfinite(tape.gradient(total, even)).all()


@pytest.mark.parametrize("size", [1, 3])
def test_a_border_mirrors_what_lies_within(pictures, size):
    border = [(0, 0), (size, size), (size, size), (0, 0)]
    wanted = np.pad(pictures, border, mode="reflect")
    assert np.array_equal(ReflectionPadding(size)(pictures), wanted)
    assert ReflectionPadding(size)(keras.Input((5, 7, 3))).shape == (None, *wanted.shape[1:])


def test_what_is_too_small_to_be_mirrored_is_refused_while_the_model_is_built():
    with pytest.raises(ValueError, match=r"a border of 3 cannot mirror 3x9 pixels"):
        ReflectionPadding(3)(keras.Input((3, 9, 1)))


@pytest.mark.parametrize("layer", [InstanceNormalization(name="a"), ReflectionPadding(2, name="b")])
def test_a_layer_comes_back_from_its_description(layer, pictures):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.name == layer.name
    assert np.array_equal(again(pictures), layer(pictures))


@pytest.mark.parametrize("size", [(8, 6), (7, 5), (8, 5)])
def test_doubling_is_the_transpose_of_halving(size):
    """With the same kernel, ⟨halve(x), y⟩ = ⟨x, double(y)⟩: no pixel is shifted."""
    rng = np.random.default_rng(1)
    halved = tuple(-(-length // 2) for length in size)
    down = tapped(images.halve, (*size, 2), 3, "a", layer="a")
    up = tapped(images.double, (*halved, 3), 2, size, "b", layer="b_crop")
    up.get_layer("b").kernel.assign(down.get_layer("a").kernel)
    x = rng.normal(size=(1, *size, 2)).astype(np.float32)
    y = rng.normal(size=(1, *halved, 3)).astype(np.float32)
    assert up(y).shape == x.shape
    # Sums of 80 products of float32.
    assert np.vdot(down(x), y) == pytest.approx(np.vdot(x, up(y)), rel=1e-4)


def test_a_residual_block_adds_to_what_comes(pictures):
    block = tapped(lambda x: images.residual_block(x, "block"), (5, 7, 3), layer="block")
    changed = keras.Model(block.input, block.get_layer("block_2_norm").output)
    np.testing.assert_allclose(block(pictures) - pictures, changed(pictures), atol=1e-5)
    assert not any("relu" in layer.name for layer in block.layers[-2:])
