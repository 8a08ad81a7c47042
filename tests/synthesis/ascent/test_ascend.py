import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import (
    DreamConfig,
    ModelConfig,
    OptimizerConfig,
    StftSpec,
    validate,
)
from tfdream.models import classifiers, inspect
from tfdream.signal import frontends
from tfdream.signal.frontends.raw import RawFrontend
from tfdream.signal.frontends.spectrogram import SpectrogramFrontendConfig
from tfdream.synthesis import canvases
from tfdream.synthesis.ascent.ascend import AscentOptions, CompiledObjective, ascend
from tfdream.synthesis.ascent.objectives import INPUT, Objective
from tfdream.synthesis.ascent.objectives.layers import layer_norm
from tfdream.synthesis.ascent.objectives.original import content
from tfdream.synthesis.canvases import CanvasSpec
from tfdream.synthesis.canvases.waveform import WaveformCanvasConfig

KINDS = pytest.mark.parametrize("kind", ["gradient", "adam", "lbfgs"])
SIZE = 50
RATE = 8000


def quadratic(optimum, curvature):
    """−Σ curvature · (x − optimum)², as a function of the samples."""

    def value(activations, targets):
        return -tf.reduce_sum(curvature * (activations[INPUT][..., 0] - optimum) ** 2, axis=1)

    return Objective("quadratic()", frozenset(), value)


def waveform_canvas(frontend, samples):
    """Samples, as a network sees them through a frontend."""
    config = WaveformCanvasConfig(kind="waveform")
    return canvases.build(config, CanvasSpec(frontend, samples, RATE))


@pytest.fixture
def hill():
    """Two examples with an optimum each, along axes of different curvature."""
    rng = np.random.default_rng(0)
    optimum = tf.constant(rng.normal(0, 1, (2, SIZE)), tf.float32)
    curvature = tf.constant(np.geomspace(0.5, 5, SIZE), tf.float32)
    canvas = waveform_canvas(RawFrontend(), SIZE)
    return CompiledObjective(canvas, None, quadratic(optimum, curvature), {}), optimum


def value_at(compiled, values, context):
    value, _ = compiled.value_and_gradient(values, context, compiled.precompute(context))
    return value.numpy()


def climb(compiled, start, on_step=lambda value, values: None, seed=0, **settings):
    context = compiled.canvas.analyze(start)
    how = AscentOptions(
        OptimizerConfig(**settings), start.shape[1] / RATE, np.random.default_rng(seed)
    )
    return ascend(compiled, start, context, compiled.precompute(context), how, on_step)


class Steps(list):
    """Hears of every step: its value, and the values after it. Stops after so many, if told."""

    def __init__(self, last=None):
        super().__init__()
        self.last = last

    def __call__(self, value, values):
        self.append((value, values.numpy()))
        return len(self) == self.last


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
    compiled, optimum = hill
    found = climb(compiled, tf.zeros((2, SIZE)), **settings)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, optimum, atol=tolerance)


def test_a_gradient_step_has_the_asked_size_on_average(hill):
    compiled, _ = hill
    moved = climb(compiled, tf.zeros((2, SIZE)), kind="gradient", steps=1, step_size=0.03)
    np.testing.assert_allclose(tf.reduce_mean(tf.abs(moved), axis=1), [0.03, 0.03], rtol=1e-5)


def test_the_first_step_of_adam_has_the_asked_size_everywhere(hill):
    compiled, _ = hill
    moved = climb(compiled, tf.zeros((2, SIZE)), kind="adam", steps=1, step_size=0.03)
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
    compiled, _ = hill
    steps = Steps()
    found = climb(compiled, tf.zeros((2, SIZE)), kind=kind, steps=7, step_size=0.01, on_step=steps)
    assert len(steps) == 7
    assert steps[-1][0] > steps[0][0]
    np.testing.assert_array_equal(steps[-1][1], found)


@KINDS
def test_who_hears_the_steps_may_end_them_and_keeps_what_is_done(hill, kind):
    compiled, _ = hill
    start = tf.zeros((2, SIZE))
    settings = {"kind": kind, "steps": 7, "step_size": 0.01}
    whole, stopped = Steps(), Steps(last=3)
    climb(compiled, start, on_step=whole, **settings)
    found = climb(compiled, start, on_step=stopped, **settings)
    assert len(stopped) == 3
    np.testing.assert_array_equal(found, whole[2][1])


@KINDS
def test_the_top_is_not_left(hill, kind):
    compiled, optimum = hill
    found = climb(compiled, optimum, kind=kind, steps=3, step_size=1e-3)
    np.testing.assert_allclose(found, optimum, atol=5e-3)


@KINDS
def test_a_plain_is_crossed_without_a_number_that_is_none(kind):
    canvas = waveform_canvas(RawFrontend(), SIZE)
    flat = Objective(
        "flat()", frozenset(), lambda seen, targets: 0 * tf.reduce_sum(seen[INPUT], [1, 2])
    )
    found = climb(CompiledObjective(canvas, None, flat, {}), tf.ones((2, SIZE)), kind=kind, steps=3)
    assert np.array_equal(found, np.ones((2, SIZE)))


# On a network


@pytest.fixture(scope="module")
def listening():
    """A small random network that hears half a second, and what it is to maximize."""
    keras.utils.set_random_seed(0)
    config = SpectrogramFrontendConfig(kind="amplitude", stft=StftSpec(n_fft=256, hop_samples=64))
    canvas = waveform_canvas(frontends.build(config, RATE), 4000)
    options = {"filters": [4, 8], "dense_units": 8}
    model = classifiers.build(
        ModelConfig(name="lil_data", options=options), canvas.frontend.shape(4000), 2
    )
    return CompiledObjective(canvas, inspect.tap(model, ["conv2"]), layer_norm("conv2"), {})


@pytest.fixture
def noise():
    rng = np.random.default_rng(5)
    return tf.constant(rng.normal(0, 0.1, (2, 4000)), tf.float32)


@KINDS
@pytest.mark.parametrize("size", [None, pytest.param((92, 45), marks=pytest.mark.slow)])
def test_the_objective_of_every_example_rises(listening, noise, kind, size):
    compiled = CompiledObjective(listening.canvas, listening.network, listening.objective, {}, size)
    context = compiled.canvas.analyze(noise)
    values = climb(compiled, noise, kind=kind, steps=5, step_size=1e-3)
    assert (value_at(compiled, values, context) > value_at(compiled, noise, context)).all()


@pytest.mark.parametrize(
    "canvas",
    [
        *("mixture", "log_magnitude_phase"),
        *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("phase", "log_magnitude")),
    ],
)
def test_a_network_of_level_and_phase_is_climbed_on_what_it_sees(noise, canvas):
    keras.utils.set_random_seed(0)
    stft = StftSpec(n_fft=256, hop_samples=64)
    config = SpectrogramFrontendConfig(kind="amplitude_phase", stft=stft)
    spec = CanvasSpec(frontends.build(config, RATE), 4000, RATE)
    chosen = validate({"canvas": {"kind": canvas}}, DreamConfig, "test").canvas
    built = canvases.build(chosen, spec)
    model = classifiers.build(
        ModelConfig(name="lil_data", options={"filters": [4, 8], "dense_units": 8}),
        built.frontend.shape(4000),
        2,
    )
    compiled = CompiledObjective(built, inspect.tap(model, ["conv2"]), layer_norm("conv2"), {})
    context = built.analyze(noise)
    start = tf.identity(built.start(context))
    # Far enough to make up for phases that go beyond a half turn, where the picture jumps.
    how = AscentOptions(OptimizerConfig(steps=40, step_size=0.5), 0.5, np.random.default_rng(0))
    values = ascend(compiled, start, context, compiled.precompute(context), how)
    assert (value_at(compiled, values, context) > value_at(compiled, start, context)).all()


def test_an_octave_is_seen_in_its_size(listening, noise):
    compiled = CompiledObjective(
        listening.canvas, listening.network, listening.objective, {}, (92, 45)
    )
    context = compiled.canvas.analyze(noise)
    assert compiled.view(noise, context).shape == (2, 92, 45, 1)
    assert listening.view(noise, context).shape == (2, 129, 63, 1)


@KINDS
def test_the_same_climb_twice_ends_at_the_same_bits(listening, noise, kind):
    ends = [climb(listening, noise, kind=kind, steps=4, step_size=1e-3) for _ in range(2)]
    assert np.array_equal(*ends)


def test_the_gradient_is_the_slope(listening, noise):
    context = listening.canvas.analyze(noise)
    value, compiled = listening.value_and_gradient(noise, context, listening.precompute(context))
    # A step along the gradient, small enough for the hill to be straight.
    step = 1e-5 * compiled / tf.reduce_max(tf.abs(compiled))
    rise = value_at(listening, noise + step, context) - value
    np.testing.assert_allclose(rise, tf.reduce_sum(compiled * step, axis=1), rtol=0.1)


@KINDS
def test_climbing_ends_where_it_no_longer_pays(hill, kind):
    compiled, optimum = hill
    steps = Steps()
    settings = {"steps": 500, "step_size": 0.01, "tolerance": 1e-3, "patience": 5}
    climb(compiled, optimum + 1, kind=kind, on_step=steps, **settings)
    assert 5 < len(steps) < 500


def test_what_is_measured_is_what_was_asked_for(listening, noise):
    measured = {"loud": layer_norm("conv2"), "changed": content("conv2")}
    compiled = CompiledObjective(listening.canvas, listening.network, listening.objective, measured)
    image = listening.canvas.frontend(noise)
    found = compiled.measure(image, image)
    assert set(found) == set(measured)
    context = listening.canvas.analyze(noise)
    np.testing.assert_allclose(found["loud"], value_at(listening, noise, context), rtol=1e-5)
    assert (found["changed"].numpy() == 0).all()


# Jitter and smoothing

STEADY = pytest.mark.parametrize("kind", ["gradient", "adam"])


@STEADY
def test_jitter_follows_its_seed(listening, noise, kind):
    settings = {"kind": kind, "steps": 4, "step_size": 1e-3, "jitter_seconds": 0.1}
    first, again = (climb(listening, noise, seed=3, **settings) for _ in range(2))
    other = climb(listening, noise, seed=4, **settings)
    still = climb(listening, noise, **(settings | {"jitter_seconds": 0.0}))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, still)
    assert (value_at(listening, first, listening.canvas.analyze(noise)) > 0).all()


def test_jitter_shifts_by_up_to_its_share_of_the_tile():
    config = OptimizerConfig(jitter_seconds=0.05)
    how = AscentOptions(config, tile_seconds=0.5, rng=np.random.default_rng(0))
    shares = [float(how.jitter()["jitter"]) for _ in range(200)]
    assert max(np.abs(shares)) <= 0.1
    # Of 200 even draws some come near either end.
    assert min(shares) < -0.08
    assert max(shares) > 0.08


@STEADY
@pytest.mark.parametrize("smoothing", [{"kind": "gaussian"}, {"kind": "laplacian"}], ids=str)
def test_a_smoothed_climb_climbs_too_by_smoother_steps(listening, noise, kind, smoothing):
    settings = {"kind": kind, "steps": 1, "step_size": 1e-4}
    context = listening.canvas.analyze(noise)
    plain = climb(listening, noise, **settings) - noise
    values = climb(listening, noise, smoothing=smoothing, **settings)
    assert (value_at(listening, values, context) > value_at(listening, noise, context)).all()
    rough, smooth = (np.std(np.diff(step)) / np.std(step) for step in (plain, values - noise))
    if kind == "gradient":  # Adam's first step has the gradient's sign and nothing of its size
        assert smooth < rough
