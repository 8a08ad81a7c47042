import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import (
    DreamConfig,
    GaussianSmoothingConfig,
    LaplacianSmoothingConfig,
    OptimizerConfig,
    validate,
)
from tfdream.errors import ConfigError
from tfdream.synthesis.ascent.transforms import shift, smoothing

# In graphs every shape would be traced on its own.
pytestmark = pytest.mark.usefixtures("eagerly")

# Shapes of samples, of cells, and of cells with parts; odd sizes, and sizes smaller than a blur.
SHAPES = [
    *[(2, 101), (2, 64), (1, 33, 17), (2, 7, 5)],
    *[(1, 33, 17, 2), (2, 16, 9, 3), (1, 1, 1), (1, 2)],
]
CASCADE = GaussianSmoothingConfig(kind="gaussian")
PYRAMID = LaplacianSmoothingConfig(kind="laplacian")
BOTH = pytest.mark.parametrize("config", [CASCADE, PYRAMID], ids=["cascade", "pyramid"])


def gradient(shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(0, 1, shape), tf.float32)


def smooth(config, values, done=0.0):
    return smoothing(config)(tf.constant(values, tf.float32), done).numpy()


# Shifts


def test_a_shift_rolls_the_time_axis():
    for shape in [(2, 5, 20, 3), (2, 20, 3)]:
        image = gradient(shape)
        for share, by in [(0.0, 0), (0.25, 5), (-0.1, -2), (1.0, 0), (0.13, 3)]:
            shifted = shift(image, tf.constant(share)).numpy()
            np.testing.assert_array_equal(shifted, np.roll(image, by, axis=len(shape) - 2))


def test_opposite_shifts_cancel():
    image = gradient((2, 5, 31, 1))
    shifted = shift(image, tf.constant(0.3))
    np.testing.assert_array_equal(shift(shifted, tf.constant(-0.3)), image)


def test_the_gradient_of_a_shift_is_shifted_back():
    image, weights = gradient((1, 4, 10, 1)), gradient((1, 4, 10, 1), seed=1)
    with tf.GradientTape() as tape:
        tape.watch(image)
        value = tf.reduce_sum(weights * shift(image, tf.constant(0.3)))
    np.testing.assert_array_equal(tape.gradient(value, image), np.roll(weights, -3, axis=2))


# Any smoothing


def test_without_smoothing_the_gradient_is_unchanged():
    values = gradient((2, 7, 5))
    np.testing.assert_array_equal(smoothing(None)(values, 0.5), values)


@BOTH
def test_a_smoothed_gradient_has_the_same_shape_and_is_finite(config):
    for shape in SHAPES:
        for done in (0.05, 1.0):
            smoothed = smooth(config, gradient(shape), done)
            assert smoothed.shape == shape
            assert smoothed.dtype == np.float32
            assert np.isfinite(smoothed).all()


@BOTH
def test_a_zero_gradient_remains_zero(config):
    for shape in SHAPES:
        assert not smooth(config, np.zeros(shape)).any()


@BOTH
def test_examples_are_smoothed_independently(config):
    one, other = gradient((1, 33, 17)), gradient((1, 33, 17), seed=1)
    together = smooth(config, tf.concat([one, 100 * other], 0))
    np.testing.assert_allclose(together[:1], smooth(config, one), atol=1e-5)  # float32 sums


def test_the_cascade_smooths_parts_independently():
    both = gradient((1, 33, 17, 2))
    together = smooth(CASCADE, both)
    for part in range(2):
        alone = smooth(CASCADE, both[..., part])
        np.testing.assert_allclose(together[..., part], alone, atol=1e-6)


@BOTH
def test_a_smoothed_gradient_is_smoother_and_has_a_similar_direction(config):
    for shape in [(1, 200), (1, 40, 30)]:
        values = gradient(shape).numpy()
        smoothed = smooth(config, values, 0.5)
        rough = [np.abs(np.diff(each)).mean() / np.abs(each).mean() for each in (values, smoothed)]
        assert rough[1] < 0.8 * rough[0]
        assert (values * smoothed).sum() > 0


# The cascade


def test_the_cascade_preserves_a_constant_away_from_the_border():
    config = GaussianSmoothingConfig(kind="gaussian", sigma=0.5, growth=2.0)
    radius = 3 * 2 * 2.5  # three standard deviations of the widest blur
    for shape in [(1, 80), (1, 60, 70)]:
        inside = (slice(None), *[slice(int(radius), -int(radius))] * (len(shape) - 1))
        for done in (0.0, 1.0):
            smoothed = smooth(config, np.full(shape, 3.0), done)
            np.testing.assert_allclose(smoothed[inside], 3.0, rtol=1e-5)
            # Values outside count as zero.
            assert smoothed[(0, *[0] * (len(shape) - 1))] < 3.0


def spread(values):
    """The standard deviation of an impulse response in cells, along each axis."""
    deviations = []
    for axis in range(values.ndim):
        others = tuple(other for other in range(values.ndim) if other != axis)
        weights = values.sum(axis=others)
        cells = np.arange(len(weights))
        mean = (weights * cells).sum() / weights.sum()
        deviations.append(np.sqrt((weights * (cells - mean) ** 2).sum() / weights.sum()))
    return np.array(deviations)


def test_the_impulse_response_of_the_cascade_is_the_mean_of_three_gaussians_that_widen():
    config = GaussianSmoothingConfig(kind="gaussian", sigma=1.0, growth=2.0)
    for shape in [(101,), (101, 81)]:
        impulse = np.zeros((1, *shape))
        impulse[(0, *(size // 2 for size in shape))] = 1
        for done, sigma in [(0.0, 1.0), (0.5, 2.0), (1.0, 3.0)]:
            response = smooth(config, impulse, done)[0]
            assert response.sum() == pytest.approx(1, rel=1e-5)
            # The variance of a mixture is the mean of the variances: of half, once and twice the
            # width. A Gaussian sampled at half a cell's width differs from it by a few per cent.
            width = sigma * np.sqrt(np.mean([0.25, 1, 4]))
            np.testing.assert_allclose(spread(response), width, rtol=0.03)


def test_a_cascade_without_growth_is_the_same_at_every_step():
    config = GaussianSmoothingConfig(kind="gaussian", sigma=1.0, growth=0.0)
    values = gradient((1, 40, 30))
    np.testing.assert_array_equal(smooth(config, values, 0.0), smooth(config, values, 1.0))


def test_a_cascade_is_linear():
    one, other = gradient((1, 40, 30)).numpy(), gradient((1, 40, 30), seed=1).numpy()
    together = smooth(CASCADE, 2 * one - other, 0.5)
    expected = 2 * smooth(CASCADE, one, 0.5) - smooth(CASCADE, other, 0.5)
    np.testing.assert_allclose(together, expected, atol=1e-6)


# The pyramid


def test_a_pyramid_of_one_level_divides_by_the_root_mean_square():
    config = LaplacianSmoothingConfig(kind="laplacian", levels=1)
    values = gradient((2, 33, 17)).numpy() * np.array([1.0, 1e-4], np.float32)[:, None, None]
    size = np.sqrt((values**2).mean(axis=(1, 2), keepdims=True))
    np.testing.assert_allclose(smooth(config, values), values / size, rtol=1e-4)


def test_a_pyramid_does_not_depend_on_the_size_of_the_gradient():
    values = gradient((1, 33, 17)).numpy()
    expected = smooth(PYRAMID, values)
    for scale in (1e-6, 1e6):
        np.testing.assert_allclose(smooth(PYRAMID, scale * values), expected, atol=1e-4)


def sine(shape, period, size):
    """A sine along time, whose period is in cells."""
    wave = size * np.sin(2 * np.pi * np.arange(shape[1]) / period)
    return wave.reshape(1, -1, *[1] * (len(shape) - 2)) * np.ones(shape)


def test_the_pyramid_equalizes_the_strength_of_every_scale():
    """A fine and a coarse sine, of which one is thirty times the other."""
    config = LaplacianSmoothingConfig(kind="laplacian", levels=4)
    for shape in [(1, 240), (1, 240, 31)]:
        for share in (0.03, 30):
            values = sine(shape, 2.5, 1.0) + sine(shape, 60, share)
            smoothed = smooth(config, values)[0].reshape(shape[1], -1)[:, 0]
            spectrum = np.abs(np.fft.rfft(smoothed))
            fine, coarse = spectrum[round(240 / 2.5)], spectrum[round(240 / 60)]
            # Levels overlap: a part of the far stronger sine is in the neighboring levels, mostly
            # at the borders of an image, and is normalized with them.
            assert 0.04 < fine / coarse < 25


@BOTH
def test_smoothing_causes_no_delay(config):
    for samples in (240, 241):
        for period in (24, 60, 120):
            wave = np.sin(2 * np.pi * np.arange(samples) / period) * np.hanning(samples)
            smoothed = smooth(config, wave[np.newaxis])[0]
            turn = np.exp(-2j * np.pi * np.arange(samples) / period)
            delay = -np.angle((smoothed @ turn) / (wave @ turn)) * period / (2 * np.pi)
            # A level that is off by half a cell would delay its part, and the rest even more.
            assert abs(delay) < 0.1


def test_a_pyramid_may_have_more_levels_than_an_image_has_scales():
    for levels in (2, 4, 6):
        config = LaplacianSmoothingConfig(kind="laplacian", levels=levels)
        for shape in [(1, 3), (1, 3, 5), (2, 1, 9)]:
            smoothed = smooth(config, gradient(shape))
            assert smoothed.shape == shape
            assert np.isfinite(smoothed).all()


# Settings


def test_lbfgs_rejects_jitter_and_smoothing():
    for setting in (
        {"jitter_seconds": 0.1},
        {"smoothing": {"kind": "gaussian"}},
        {"smoothing": {"kind": "laplacian"}},
    ):
        with pytest.raises(ConfigError, match=r"kind=lbfgs .*use kind=adam or kind=gradient"):
            validate({"optimizer": {"kind": "lbfgs", **setting}}, DreamConfig, "test")
        for kind in ("adam", "gradient"):
            config = validate({"optimizer": {"kind": kind, **setting}}, DreamConfig, "test")
            assert config.optimizer != OptimizerConfig(kind=kind)


def test_an_invalid_smoothing_is_an_error():
    for invalid in (
        {"kind": "median"},
        {"kind": "gaussian", "sigma": 0},
        {"kind": "gaussian", "growth": -1},
        {"kind": "gaussian", "levels": 3},
        {"kind": "laplacian", "levels": 0},
    ):
        with pytest.raises(ConfigError, match=r"optimizer.smoothing"):
            validate({"optimizer": {"smoothing": invalid}}, DreamConfig, "test")
