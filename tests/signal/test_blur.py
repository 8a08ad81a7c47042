import numpy as np
import pytest
import tensorflow as tf

from tfdream.signal.blur import blur


def test_an_impulse_becomes_a_gaussian_of_the_same_sum():
    image = np.zeros((1, 41, 51, 1), np.float32)
    image[0, 20, 25] = 1
    blurred = blur(tf.constant(image), (2.0, 3.0), 3.0).numpy()[0, :, :, 0]
    assert blurred.sum() == pytest.approx(1, abs=1e-3)
    height, width = np.mgrid[-20:21, -25:26]
    gaussian = np.exp(-((height / 2) ** 2) / 2 - ((width / 3) ** 2) / 2)
    # The kernel ends at three standard deviations of the larger one.
    np.testing.assert_allclose(blurred, gaussian / gaussian.sum(), atol=2e-4)


def test_a_blur_wider_than_the_image_is_finite_and_constant():
    image = tf.constant(np.random.default_rng(0).uniform(0, 1, (1, 20, 30, 2)), tf.float32)
    flat = blur(image, (1e9, 1e9), 1e9).numpy()
    assert np.isfinite(flat).all()
    assert np.ptp(flat, axis=(1, 2)).max() < 1e-6
