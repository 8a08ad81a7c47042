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

# Ascents build the graphs; here every shape would build its own.
pytestmark = pytest.mark.usefixtures("eagerly")

# Of samples, of cells, and of cells with parts; odd sizes, and sizes smaller than a blur.
SHAPES = pytest.mark.parametrize(
    "shape",
    [(2, 101), (2, 64), (1, 33, 17), (2, 7, 5), (1, 33, 17, 2), (2, 16, 9, 3), (1, 1, 1), (1, 2)],
    ids=str,
)
CASCADE = GaussianSmoothingConfig(kind="gaussian")
PYRAMID = LaplacianSmoothingConfig(kind="laplacian")
BOTH = pytest.mark.parametrize("config", [CASCADE, PYRAMID], ids=["cascade", "pyramid"])


def gradient(shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(0, 1, shape), tf.float32)


def smooth(config, values, done=0.0):
    return smoothing(config)(tf.constant(values, tf.float32), done).numpy()


# Shifts


@pytest.mark.parametrize("shape", [(2, 5, 20, 3), (2, 20, 3)], ids=["image", "samples"])
@pytest.mark.parametrize(("share", "by"), [(0.0, 0), (0.25, 5), (-0.1, -2), (1.0, 0), (0.13, 3)])
def test_a_shift_rolls_time_and_nothing_else(shape, share, by):
    image = gradient(shape)
    shifted = shift(image, tf.constant(share)).numpy()
    np.testing.assert_array_equal(shifted, np.roll(image, by, axis=len(shape) - 2))


def test_a_shift_there_and_back_is_none():
    image = gradient((2, 5, 31, 1))
    there = shift(image, tf.constant(0.3))
    np.testing.assert_array_equal(shift(there, tf.constant(-0.3)), image)


def test_the_gradient_of_a_shift_is_shifted_back():
    image, weights = gradient((1, 4, 10, 1)), gradient((1, 4, 10, 1), seed=1)
    with tf.GradientTape() as tape:
        tape.watch(image)
        value = tf.reduce_sum(weights * shift(image, tf.constant(0.3)))
    np.testing.assert_array_equal(tape.gradient(value, image), np.roll(weights, -3, axis=2))


# Any smoothing


def test_without_a_smoothing_the_gradient_stays_as_it_is():
    values = gradient((2, 7, 5))
    np.testing.assert_array_equal(smoothing(None)(values, 0.5), values)


@BOTH
@SHAPES
@pytest.mark.parametrize("done", [0.05, 1.0])
def test_a_gradient_keeps_its_shape_and_stays_finite(config, shape, done):
    found = smooth(config, gradient(shape), done)
    assert found.shape == shape
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


@BOTH
@SHAPES
def test_no_gradient_stays_none(config, shape):
    assert not smooth(config, np.zeros(shape)).any()


@BOTH
def test_examples_do_not_touch_each_other(config):
    one, other = gradient((1, 33, 17)), gradient((1, 33, 17), seed=1)
    together = smooth(config, tf.concat([one, 100 * other], 0))
    np.testing.assert_allclose(together[:1], smooth(config, one), atol=1e-5)  # float32 sums


def test_parts_of_a_cascade_do_not_touch_each_other():
    both = gradient((1, 33, 17, 2))
    for part in range(2):
        alone = smooth(CASCADE, both[..., part])
        np.testing.assert_allclose(smooth(CASCADE, both)[..., part], alone, atol=1e-6)


@BOTH
@pytest.mark.parametrize("shape", [(1, 200), (1, 40, 30)], ids=str)
def test_a_smoothed_gradient_is_smoother_and_points_the_same_way(config, shape):
    values = gradient(shape).numpy()
    found = smooth(config, values, 0.5)
    rough = [np.abs(np.diff(each)).mean() / np.abs(each).mean() for each in (values, found)]
    assert rough[1] < 0.8 * rough[0]
    assert (values * found).sum() > 0


# The cascade


@pytest.mark.parametrize("shape", [(1, 80), (1, 60, 70)], ids=str)
@pytest.mark.parametrize("done", [0.0, 1.0])
def test_a_constant_stays_inside_where_no_blur_reaches_the_border(shape, done):
    config = GaussianSmoothingConfig(kind="gaussian", sigma=0.5, growth=2.0)
    found = smooth(config, np.full(shape, 3.0), done)
    radius = 3 * 2 * 2.5  # three standard deviations of the widest blur
    inside = (slice(None), *[slice(int(radius), -int(radius))] * (len(shape) - 1))
    np.testing.assert_allclose(found[inside], 3.0, rtol=1e-5)
    # Outside counts as zero.
    assert found[(0, *[0] * (len(shape) - 1))] < 3.0


def spread(values):
    """The standard deviation of an impulse's answer, in cells, along each axis."""
    found = []
    for axis in range(values.ndim):
        others = tuple(other for other in range(values.ndim) if other != axis)
        weights = values.sum(axis=others)
        places = np.arange(len(weights))
        mean = (weights * places).sum() / weights.sum()
        found.append(np.sqrt((weights * (places - mean) ** 2).sum() / weights.sum()))
    return np.array(found)


@pytest.mark.parametrize("shape", [(101,), (101, 81)], ids=str)
@pytest.mark.parametrize(("done", "sigma"), [(0.0, 1.0), (0.5, 2.0), (1.0, 3.0)])
def test_an_impulse_becomes_the_mean_of_three_bells_that_widen(shape, done, sigma):
    config = GaussianSmoothingConfig(kind="gaussian", sigma=1.0, growth=2.0)
    impulse = np.zeros((1, *shape))
    impulse[(0, *(size // 2 for size in shape))] = 1
    found = smooth(config, impulse, done)[0]
    assert found.sum() == pytest.approx(1, rel=1e-5)
    # The variance of a mixture is the mean of the variances: of half, once and twice the width.
    # A bell sampled at half a cell's width differs from its curve by some per cent.
    wide = sigma * np.sqrt(np.mean([0.25, 1, 4]))
    np.testing.assert_allclose(spread(found), wide, rtol=0.03)


def test_a_cascade_without_growth_is_the_same_at_every_step():
    config = GaussianSmoothingConfig(kind="gaussian", sigma=1.0, growth=0.0)
    values = gradient((1, 40, 30))
    np.testing.assert_array_equal(smooth(config, values, 0.0), smooth(config, values, 1.0))


def test_a_cascade_is_linear():
    one, other = gradient((1, 40, 30)).numpy(), gradient((1, 40, 30), seed=1).numpy()
    together = smooth(CASCADE, 2 * one - other, 0.5)
    distance_to = 2 * smooth(CASCADE, one, 0.5) - smooth(CASCADE, other, 0.5)
    np.testing.assert_allclose(together, distance_to, atol=1e-6)


# The pyramid


def test_a_pyramid_of_one_level_divides_by_the_root_mean_square():
    config = LaplacianSmoothingConfig(kind="laplacian", levels=1)
    values = gradient((2, 33, 17)).numpy() * np.array([1.0, 1e-4], np.float32)[:, None, None]
    size = np.sqrt((values**2).mean(axis=(1, 2), keepdims=True))
    np.testing.assert_allclose(smooth(config, values), values / size, rtol=1e-4)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_pyramid_does_not_depend_on_the_size_of_the_gradient(scale):
    values = gradient((1, 33, 17)).numpy()
    np.testing.assert_allclose(smooth(PYRAMID, scale * values), smooth(PYRAMID, values), atol=1e-4)


def tone(shape, period, size):
    """A wave of a period in cells, along time."""
    wave = size * np.sin(2 * np.pi * np.arange(shape[1]) / period)
    return wave.reshape(1, -1, *[1] * (len(shape) - 2)) * np.ones(shape)


@pytest.mark.parametrize("shape", [(1, 240), (1, 240, 31)], ids=str)
@pytest.mark.parametrize("share", [0.03, 30])
def test_every_scale_gets_the_same_strength(shape, share):
    """Fine ripples and coarse waves, one of them thirty times the other."""
    config = LaplacianSmoothingConfig(kind="laplacian", levels=4)
    values = tone(shape, 2.5, 1.0) + tone(shape, 60, share)
    found = smooth(config, values)[0].reshape(shape[1], -1)[:, 0]
    spectrum = np.abs(np.fft.rfft(found))
    fine, coarse = spectrum[round(240 / 2.5)], spectrum[round(240 / 60)]
    # Levels overlap: of what is far stronger there are traces in the neighbors, at the borders of
    # an image most of all, and they are leveled with what belongs there.
    assert 0.04 < fine / coarse < 25


@pytest.mark.parametrize("samples", [240, 241])
@pytest.mark.parametrize("period", [24, 60, 120])
@pytest.mark.parametrize("config", [CASCADE, PYRAMID], ids=["cascade", "pyramid"])
def test_what_is_smoothed_stays_where_it_is(config, samples, period):
    wave = np.sin(2 * np.pi * np.arange(samples) / period) * np.hanning(samples)
    found = smooth(config, wave[np.newaxis])[0]
    turn = np.exp(-2j * np.pi * np.arange(samples) / period)
    delay = -np.angle((found @ turn) / (wave @ turn)) * period / (2 * np.pi)
    # A level that lies off by half a cell moves all that it holds, and what it lacks still more.
    assert abs(delay) < 0.1


@pytest.mark.parametrize("levels", [2, 4, 6])
def test_more_levels_than_an_image_has_scales_are_no_harm(levels):
    config = LaplacianSmoothingConfig(kind="laplacian", levels=levels)
    for shape in [(1, 3), (1, 3, 5), (2, 1, 9)]:
        found = smooth(config, gradient(shape))
        assert found.shape == shape
        assert np.isfinite(found).all()


# Settings


@pytest.mark.parametrize(
    "unsteady",
    [
        {"jitter_seconds": 0.1},
        {"smoothing": {"kind": "gaussian"}},
        {"smoothing": {"kind": "laplacian"}},
    ],
    ids=str,
)
def test_lbfgs_rejects_jitter_and_smoothing(unsteady):
    with pytest.raises(ConfigError, match=r"kind=lbfgs .*use kind=adam or kind=gradient"):
        validate({"optimizer": {"kind": "lbfgs", **unsteady}}, DreamConfig, "test")
    for kind in ("adam", "gradient"):
        config = validate({"optimizer": {"kind": kind, **unsteady}}, DreamConfig, "test").optimizer
        assert config != OptimizerConfig(kind=kind)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "median"},
        {"kind": "gaussian", "sigma": 0},
        {"kind": "gaussian", "growth": -1},
        {"kind": "gaussian", "levels": 3},
        {"kind": "laplacian", "levels": 0},
    ],
    ids=str,
)
def test_a_smoothing_that_is_none_is_refused(wrong):
    with pytest.raises(ConfigError, match=r"optimizer.smoothing"):
        validate({"optimizer": {"smoothing": wrong}}, DreamConfig, "test")
