import numpy as np
import pytest
import tensorflow as tf

from tfdream.signal.images import resize, spectra_to_images

SIZES = [((64, 32),), ((10, 10),), ((200, 300),), ((51, 60),), ((40, 30), (25, 21), (12, 40))]


def picture(batch=1, height=50, width=60, channels=1):
    return tf.random.stateless_uniform([batch, height, width, channels], seed=[0, 1])


def by_tensorflow(image, sizes):
    for size in sizes:
        image = tf.image.resize(image, size, antialias=True)
    return image


def test_resizing_preserves_constant_images():
    for size in [(10, 10), (64, 32), (200, 300)]:
        image = resize(tf.fill([2, 50, 60, 3], 0.7), size)
        assert image.shape == (2, *size, 3)
        np.testing.assert_allclose(image, 0.7, rtol=1e-6)  # float32


def test_resizing_to_the_same_size_is_the_identity():
    image = tf.random.stateless_uniform([1, 50, 60, 1], seed=[0, 0])
    np.testing.assert_allclose(resize(image, (50, 60)), image, atol=1e-6)  # float32


def test_downsampling_removes_aliased_frequencies():
    stripes = tf.cast(tf.range(64) % 2, tf.float32)[None, :, None, None] * tf.ones([1, 64, 64, 1])
    shrunk = resize(stripes, (21, 21)).numpy()[:, 2:-2]
    np.testing.assert_allclose(shrunk, 0.5, atol=0.06)  # without a filter, 0 and 1


@pytest.mark.parametrize("sizes", SIZES)
def test_resizing_equals_that_of_tensorflow(sizes):
    for batch, channels in [(1, 1), (3, 2)]:
        image = picture(batch, channels=channels)
        np.testing.assert_allclose(resize(image, *sizes), by_tensorflow(image, sizes), atol=1e-5)


def test_spectra_are_transposed_first():
    spectra = picture(2, 60, 50, 2)  # frames before bins
    image = tf.transpose(spectra, [0, 2, 1, 3])
    for sizes in [*SIZES, ()]:
        resized = spectra_to_images(spectra, *sizes)
        np.testing.assert_allclose(resized, by_tensorflow(image, sizes), atol=1e-5)


@pytest.mark.parametrize("sizes", SIZES)
def test_the_gradient_equals_that_of_tensorflow(sizes):
    image, weights = picture(2, channels=2), picture(2, *sizes[-1], 2)
    gradients = []
    for resized in (lambda: resize(image, *sizes), lambda: by_tensorflow(image, sizes)):
        with tf.GradientTape() as tape:
            tape.watch(image)
            value = tf.reduce_sum(weights * resized())
        gradients.append(tape.gradient(value, image))
    np.testing.assert_allclose(*gradients, atol=1e-4)  # float32 sums of hundreds of terms
