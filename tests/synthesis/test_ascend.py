import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream import models
from tfdream.config import (
    ModelConfig,
    OptimiserConfig,
    SpectrogramFrontendConfig,
    StftSpec,
    WaveformCanvasConfig,
)
from tfdream.signal import frontend as frontends
from tfdream.signal.frontend import RawFrontend
from tfdream.synthesis import canvas as canvases
from tfdream.synthesis.ascend import Slope, ascend
from tfdream.synthesis.objectives import INPUT, Objective, content, layer_norm

KINDS = pytest.mark.parametrize("kind", ["gradient", "adam", "lbfgs"])
WAVEFORM = WaveformCanvasConfig(kind="waveform")
SIZE = 50


def quadratic(optimum, curvature):
    """−Σ curvature · (x − optimum)², as a function of the samples."""

    def value(activations, memory):
        return -tf.reduce_sum(curvature * (activations[INPUT][..., 0] - optimum) ** 2, axis=1)

    return Objective("quadratic()", frozenset(), value)


@pytest.fixture
def hill():
    """Two examples with an optimum each, along axes of different curvature."""
    rng = np.random.default_rng(0)
    optimum = tf.constant(rng.normal(0, 1, (2, SIZE)), tf.float32)
    curvature = tf.constant(np.geomspace(0.5, 5, SIZE), tf.float32)
    canvas = canvases.build(WAVEFORM, RawFrontend(), SIZE)
    return Slope(canvas, None, quadratic(optimum, curvature), {}), optimum


def value_at(slope, values, context, size=None):
    value, _ = slope.gradient(values, context, slope.remember(context, size), size)
    return value.numpy()


def climb(slope, start, on_step=lambda value: None, **settings):
    context = slope.canvas.analyse(start)
    return ascend(slope, start, context, OptimiserConfig(**settings), on_step=on_step)


@pytest.mark.parametrize(
    ("settings", "tolerance"),
    [
        # A step's mean size is step_size, also when a single one of the 50 samples takes it all.
        ({"kind": "gradient", "steps": 600, "step_size": 0.003}, 50 * 0.003),
        # Adam's steps are about step_size along every axis, until its momentum has died away.
        ({"kind": "adam", "steps": 300, "step_size": 0.05}, 0.02),
        # Quadratics are what quasi-Newton is made for; float32 gradients set the limit.
        ({"kind": "lbfgs", "steps": 60, "step_size": 0.1}, 1e-3),
    ],
)
def test_the_top_of_a_quadratic_hill_is_found(hill, settings, tolerance):
    slope, optimum = hill
    found = climb(slope, tf.zeros((2, SIZE)), **settings)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, optimum, atol=tolerance)


def test_a_gradient_step_has_the_asked_size_on_average(hill):
    slope, _ = hill
    moved = climb(slope, tf.zeros((2, SIZE)), kind="gradient", steps=1, step_size=0.03)
    np.testing.assert_allclose(tf.reduce_mean(tf.abs(moved), axis=1), [0.03, 0.03], rtol=1e-5)


def test_the_first_step_of_adam_has_the_asked_size_everywhere(hill):
    slope, _ = hill
    moved = climb(slope, tf.zeros((2, SIZE)), kind="adam", steps=1, step_size=0.03)
    np.testing.assert_allclose(tf.abs(moved), np.full((2, SIZE), 0.03), rtol=1e-4)


@pytest.mark.parametrize("kind", ["gradient", "adam"])
def test_examples_climb_on_their_own(listening, noise, kind):
    settings = {"kind": kind, "steps": 3, "step_size": 1e-3}
    together = climb(listening, noise, **settings)
    for number in range(2):
        alone = climb(listening, noise[number : number + 1], **settings)
        # A batch takes other ways through the convolutions: parts in 10⁶ of the gradient.
        np.testing.assert_allclose(together[number : number + 1], alone, atol=1e-5)


@KINDS
def test_every_step_is_told(hill, kind):
    slope, _ = hill
    steps = []
    climb(slope, tf.zeros((2, SIZE)), kind=kind, steps=7, step_size=0.01, on_step=steps.append)
    assert len(steps) == 7
    assert steps[-1] > steps[0]


@KINDS
def test_the_top_is_not_left(hill, kind):
    slope, optimum = hill
    found = climb(slope, optimum, kind=kind, steps=3, step_size=1e-3)
    np.testing.assert_allclose(found, optimum, atol=5e-3)


@KINDS
def test_a_plain_is_crossed_without_a_number_that_is_none(kind):
    canvas = canvases.build(WAVEFORM, RawFrontend(), SIZE)
    flat = Objective(
        "flat()", frozenset(), lambda seen, memory: 0 * tf.reduce_sum(seen[INPUT], [1, 2])
    )
    found = climb(Slope(canvas, None, flat, {}), tf.ones((2, SIZE)), kind=kind, steps=3)
    assert np.array_equal(found, np.ones((2, SIZE)))


# On a network


@pytest.fixture(scope="module")
def listening():
    """A small random network that hears half a second, and what it is to maximise."""
    keras.utils.set_random_seed(0)
    config = SpectrogramFrontendConfig(kind="amplitude", stft=StftSpec(n_fft=256, hop_samples=64))
    canvas = canvases.build(WAVEFORM, frontends.build(config, 8000), 4000)
    options = {"filters": [4, 8], "dense_units": 8}
    model = models.build(
        ModelConfig(name="lil_data", options=options), canvas.frontend.shape(4000), 2
    )
    return Slope(canvas, models.tap(model, ["conv2"]), layer_norm("conv2"), {})


@pytest.fixture
def noise():
    rng = np.random.default_rng(5)
    return tf.constant(rng.normal(0, 0.1, (2, 4000)), tf.float32)


@KINDS
@pytest.mark.parametrize("size", [None, (92, 45)])
def test_the_objective_of_every_example_rises(listening, noise, kind, size):
    context = listening.canvas.analyse(noise)
    config = OptimiserConfig(kind=kind, steps=5, step_size=1e-3)
    values = ascend(listening, noise, context, config, size)
    before = value_at(listening, noise, context, size)
    assert (value_at(listening, values, context, size) > before).all()


@KINDS
def test_the_same_climb_twice_ends_at_the_same_bits(listening, noise, kind):
    ends = [climb(listening, noise, kind=kind, steps=4, step_size=1e-3) for _ in range(2)]
    assert np.array_equal(*ends)


def test_the_gradient_is_the_slope(listening, noise):
    context = listening.canvas.analyse(noise)
    value, slope = listening.gradient(noise, context, listening.remember(context))
    # A step along the gradient, small enough for the hill to be straight.
    step = 1e-5 * slope / tf.reduce_max(tf.abs(slope))
    rise = value_at(listening, noise + step, context) - value
    np.testing.assert_allclose(rise, tf.reduce_sum(slope * step, axis=1), rtol=0.1)


@KINDS
def test_climbing_ends_where_it_no_longer_pays(hill, kind):
    slope, optimum = hill
    steps = []
    settings = {"steps": 500, "step_size": 0.01, "tolerance": 1e-3, "patience": 5}
    climb(slope, optimum + 1, kind=kind, on_step=steps.append, **settings)
    assert 5 < len(steps) < 500


def test_what_is_measured_is_what_was_asked_for(listening, noise):
    measured = {"loud": layer_norm("conv2"), "changed": content("conv2")}
    slope = Slope(listening.canvas, listening.network, listening.objective, measured)
    image = listening.canvas.frontend(noise)
    found = slope.measure(image, image)
    assert set(found) == set(measured)
    context = listening.canvas.analyse(noise)
    np.testing.assert_allclose(found["loud"], value_at(listening, noise, context), rtol=1e-5)
    assert (found["changed"].numpy() == 0).all()
