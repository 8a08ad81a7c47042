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
from tfdream.synthesis.ascent.objectives.original import content, distance
from tfdream.synthesis.canvases import CanvasSpec
from tfdream.synthesis.canvases.waveform import WaveformCanvasConfig

# Eager execution gives the same results; tracing graphs takes longer than a few steps.
EAGERLY = pytest.mark.usefixtures("eagerly")
KINDS = ["gradient", "adam", "lbfgs"]
FIRST_ORDER = ["gradient", "adam"]
SIZE = 50
RATE = 8000


def quadratic(optimum, curvature):
    """−Σ curvature · (x − optimum)², as a function of the samples."""

    def value(activations, targets):
        return -tf.reduce_sum(curvature * (activations[INPUT][..., 0] - optimum) ** 2, axis=1)

    return Objective("quadratic()", frozenset(), value)


def waveform_canvas(frontend, samples):
    """A canvas of samples, viewed through a frontend."""
    config = WaveformCanvasConfig(kind="waveform")
    return canvases.build(config, CanvasSpec(frontend, samples, RATE))


@pytest.fixture(scope="module")
def quadratic_problem():
    """A compiled objective of two examples with different optima, and the optima."""
    rng = np.random.default_rng(0)
    optimum = tf.constant(rng.normal(0, 1, (2, SIZE)), tf.float32)
    curvature = tf.constant(np.geomspace(0.5, 5, SIZE), tf.float32)
    canvas = waveform_canvas(RawFrontend(), SIZE)
    return CompiledObjective(canvas, None, quadratic(optimum, curvature), {}), optimum


def value_at(compiled, values, context):
    value, _ = compiled.value_and_gradient(values, context, compiled.precompute(context))
    return value.numpy()


def optimize(compiled, start, on_step=lambda value, values: None, seed=0, **settings):
    context = compiled.canvas.analyze(start)
    options = AscentOptions(
        OptimizerConfig(**settings), start.shape[1] / RATE, np.random.default_rng(seed)
    )
    return ascend(compiled, start, context, compiled.precompute(context), options, on_step)


class Steps(list):
    """A callback that collects the objective and the values of every step.

    It stops the optimization after `last` steps.
    """

    def __init__(self, last=None):
        super().__init__()
        self.last = last

    def __call__(self, value, values):
        self.append((value, values.numpy()))
        return len(self) == self.last


def test_the_optimum_of_a_quadratic_objective_is_reached(quadratic_problem):
    compiled, optimum = quadratic_problem
    for settings, tolerance in [
        # A step's mean size is step_size, also if it changes only one of the 50 samples.
        ({"kind": "gradient", "steps": 600, "step_size": 0.003}, 50 * 0.003),
        # Adam's steps are about step_size along every axis, until its momentum has decayed.
        ({"kind": "adam", "steps": 300, "step_size": 0.05}, 0.02),
        # L-BFGS is exact for quadratics; float32 gradients set the limit.
        ({"kind": "lbfgs", "steps": 60, "step_size": 0.1}, 1e-3),
    ]:
        values = optimize(compiled, tf.zeros((2, SIZE)), **settings)
        assert values.dtype == tf.float32
        np.testing.assert_allclose(values, optimum, atol=tolerance)


def test_a_gradient_step_has_the_given_size_on_average(quadratic_problem):
    compiled, _ = quadratic_problem
    moved = optimize(compiled, tf.zeros((2, SIZE)), kind="gradient", steps=1, step_size=0.03)
    np.testing.assert_allclose(tf.reduce_mean(tf.abs(moved), axis=1), [0.03, 0.03], rtol=1e-5)


def test_the_first_step_of_adam_has_the_given_size_everywhere(quadratic_problem):
    compiled, _ = quadratic_problem
    moved = optimize(compiled, tf.zeros((2, SIZE)), kind="adam", steps=1, step_size=0.03)
    np.testing.assert_allclose(tf.abs(moved), np.full((2, SIZE), 0.03), rtol=1e-4)


def test_every_step_calls_the_callback_which_can_stop_the_optimization(quadratic_problem):
    compiled, _ = quadratic_problem
    start = tf.zeros((2, SIZE))
    for kind in KINDS:
        settings = {"kind": kind, "steps": 7, "step_size": 0.01}
        steps, stopped = Steps(), Steps(last=3)
        values = optimize(compiled, start, on_step=steps, **settings)
        assert len(steps) == 7
        assert steps[-1][0] > steps[0][0]
        np.testing.assert_array_equal(steps[-1][1], values)
        values = optimize(compiled, start, on_step=stopped, **settings)
        assert len(stopped) == 3
        np.testing.assert_array_equal(values, steps[2][1])


def test_the_callback_receives_the_objective_before_the_step_and_the_values_after_it(
    quadratic_problem,
):
    compiled, _ = quadratic_problem
    start = tf.zeros((2, SIZE))
    context = compiled.canvas.analyze(start)
    for kind in KINDS:
        steps = Steps()
        optimize(compiled, start, on_step=steps, kind=kind, steps=4, step_size=0.01)
        before = [start, *(values for _, values in steps[:-1])]
        expected = [value_at(compiled, tf.constant(each), context).sum() for each in before]
        np.testing.assert_allclose([value for value, _ in steps], expected, rtol=1e-5)


def test_values_at_the_optimum_stay_there(quadratic_problem):
    compiled, optimum = quadratic_problem
    for kind in KINDS:
        values = optimize(compiled, optimum, kind=kind, steps=3, step_size=1e-3)
        np.testing.assert_allclose(values, optimum, atol=5e-3)


def test_a_constant_objective_leaves_the_values_unchanged():
    canvas = waveform_canvas(RawFrontend(), SIZE)
    flat = Objective(
        "flat()",
        frozenset(),
        lambda activations, targets: 0 * tf.reduce_sum(activations[INPUT], [1, 2]),
    )
    compiled = CompiledObjective(canvas, None, flat, {})
    for kind in KINDS:
        values = optimize(compiled, tf.ones((2, SIZE)), kind=kind, steps=3)
        assert np.array_equal(values, np.ones((2, SIZE)))


def test_optimization_ends_when_the_objective_no_longer_rises(quadratic_problem):
    compiled, optimum = quadratic_problem
    settings = {"steps": 500, "step_size": 0.01, "tolerance": 1e-3, "patience": 5}
    for kind in KINDS:
        steps = Steps()
        optimize(compiled, optimum + 1, kind=kind, on_step=steps, **settings)
        assert 5 < len(steps) < 500


# On a network


@pytest.fixture(scope="module")
def network_objective():
    """The norm of a layer of a small random network, of half a second through a spectrogram."""
    keras.utils.set_random_seed(0)
    config = SpectrogramFrontendConfig(kind="amplitude", stft=StftSpec(n_fft=256, hop_samples=64))
    canvas = waveform_canvas(frontends.build(config, RATE), 4000)
    options = {"filters": [4, 8], "dense_units": 8}
    model = classifiers.build(
        ModelConfig(name="lil_data", options=options), canvas.frontend.shape(4000), 2
    )
    return CompiledObjective(canvas, inspect.tap(model, ["conv2"]), layer_norm("conv2"), {})


def with_size(compiled, size, measured=None):
    """The same objective for another size of the view."""
    return CompiledObjective(
        compiled.canvas, compiled.network, compiled.objective, measured or {}, size
    )


@pytest.fixture
def noise():
    rng = np.random.default_rng(5)
    return tf.constant(rng.normal(0, 0.1, (2, 4000)), tf.float32)


def check_rise(compiled, noise):
    context = compiled.canvas.analyze(noise)
    before = value_at(compiled, noise, context)
    for kind in KINDS:
        values, again = (
            optimize(compiled, noise, kind=kind, steps=4, step_size=1e-3) for _ in range(2)
        )
        assert (value_at(compiled, values, context) > before).all()
        assert np.array_equal(values, again)


def test_the_objective_of_every_example_rises_reproducibly(network_objective, noise):
    check_rise(network_objective, noise)


@pytest.mark.slow
def test_the_objective_of_an_octave_rises_reproducibly(network_objective, noise):
    check_rise(with_size(network_objective, (92, 45)), noise)


@EAGERLY
def test_examples_of_a_batch_are_optimized_independently(network_objective, noise):
    for kind in FIRST_ORDER:
        settings = {"kind": kind, "steps": 3, "step_size": 1e-3}
        batch = optimize(network_objective, noise, **settings)
        for number in range(2):
            example = slice(number, number + 1)
            alone = optimize(network_objective, noise[example], **settings)
            # Convolutions of a batch sum in another order: parts in 10⁶ of the gradient.
            np.testing.assert_allclose(batch[example], alone, atol=1e-5)


@pytest.mark.parametrize(
    "canvas",
    [
        *("mixture", "log_magnitude_phase"),
        *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("phase", "log_magnitude")),
    ],
)
def test_the_objective_of_a_network_of_level_and_phase_rises(noise, canvas):
    keras.utils.set_random_seed(0)
    stft = StftSpec(n_fft=256, hop_samples=64)
    config = SpectrogramFrontendConfig(kind="amplitude_phase", stft=stft)
    spec = CanvasSpec(frontends.build(config, RATE), 4000, RATE)
    built = canvases.build(validate({"canvas": {"kind": canvas}}, DreamConfig, "test").canvas, spec)
    model = classifiers.build(
        ModelConfig(name="lil_data", options={"filters": [4, 8], "dense_units": 8}),
        built.frontend.shape(4000),
        2,
    )
    compiled = CompiledObjective(built, inspect.tap(model, ["conv2"]), layer_norm("conv2"), {})
    context = built.analyze(noise)
    start = tf.identity(built.start(context))
    # Phases that pass half a turn make the image jump; 40 steps make up for it.
    options = AscentOptions(OptimizerConfig(steps=40, step_size=0.5), 0.5, np.random.default_rng(0))
    targets = compiled.precompute(context)
    before, _ = compiled.value_and_gradient(start, context, targets)
    values = ascend(compiled, start, context, targets, options)
    after, _ = compiled.value_and_gradient(values, context, targets)
    assert (after.numpy() > before.numpy()).all()


def test_the_view_of_an_octave_has_its_size(network_objective, noise):
    compiled = with_size(network_objective, (92, 45))
    context = compiled.canvas.analyze(noise)
    assert compiled.view(noise, context).shape == (2, 92, 45, 1)
    assert network_objective.view(noise, context).shape == (2, 129, 63, 1)


def test_a_step_along_the_gradient_raises_the_objective_by_its_slope(network_objective, noise):
    context = network_objective.canvas.analyze(noise)
    targets = network_objective.precompute(context)
    value, gradient = network_objective.value_and_gradient(noise, context, targets)
    # Small enough for the objective to be linear.
    step = 1e-5 * gradient / tf.reduce_max(tf.abs(gradient))
    rise = value_at(network_objective, noise + step, context) - value
    np.testing.assert_allclose(rise, tf.reduce_sum(gradient * step, axis=1), rtol=0.1)


def test_the_measured_objectives_are_evaluated(network_objective, noise):
    measured = {"norm": layer_norm("conv2"), "changed": content("conv2")}
    compiled = with_size(network_objective, None, measured)
    image = compiled.canvas.frontend(noise)
    measures = compiled.measure(image, image)
    assert set(measures) == set(measured)
    context = compiled.canvas.analyze(noise)
    np.testing.assert_allclose(
        measures["norm"], value_at(network_objective, noise, context), rtol=1e-5
    )
    assert (measures["changed"].numpy() == 0).all()


# Jitter and smoothing


def test_jitter_depends_on_the_seed(network_objective, noise):
    for kind in FIRST_ORDER:
        settings = {"kind": kind, "steps": 4, "step_size": 1e-3, "jitter_seconds": 0.1}
        first, again, other = (
            optimize(network_objective, noise, seed=seed, **settings) for seed in (3, 3, 4)
        )
        still = optimize(network_objective, noise, **(settings | {"jitter_seconds": 0.0}))
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)
        assert not np.array_equal(first, still)
        context = network_objective.canvas.analyze(noise)
        assert (value_at(network_objective, first, context) > 0).all()


def test_objectives_of_the_input_are_not_shifted(network_objective, noise):
    canvas, context = network_objective.canvas, network_objective.canvas.analyze(noise)
    compiled = CompiledObjective(canvas, None, -1 * distance(), {})
    targets = compiled.precompute(context)
    still = compiled.value_and_gradient(noise, context, targets)[0]
    shifted = compiled.value_and_gradient(noise, context, targets, jitter=tf.constant(0.25))[0]
    np.testing.assert_array_equal(shifted, still)


def test_jitter_is_at_most_its_share_of_the_tile():
    config = OptimizerConfig(jitter_seconds=0.05)
    options = AscentOptions(config, tile_seconds=0.5, rng=np.random.default_rng(0))
    shares = [float(options.jitter()["jitter"]) for _ in range(200)]
    assert max(np.abs(shares)) <= 0.1
    # Some of 200 uniform draws are near either limit.
    assert min(shares) < -0.08
    assert max(shares) > 0.08


@EAGERLY
def test_a_smoothed_gradient_gives_smoother_steps_that_raise_the_objective(
    network_objective, noise
):
    context = network_objective.canvas.analyze(noise)
    before = value_at(network_objective, noise, context)
    for kind in FIRST_ORDER:
        settings = {"kind": kind, "steps": 1, "step_size": 1e-4}
        plain = optimize(network_objective, noise, **settings) - noise
        for smoothing in ({"kind": "gaussian"}, {"kind": "laplacian"}):
            values = optimize(network_objective, noise, smoothing=smoothing, **settings)
            assert (value_at(network_objective, values, context) > before).all()
            rough, smooth = (
                np.std(np.diff(step)) / np.std(step) for step in (plain, values - noise)
            )
            # Adam's first step has the gradient's sign, and not its size.
            assert smooth < rough or kind == "adam"


def test_an_objective_without_a_limit_ends_with_finite_values():
    """The sum of the squares of ever larger samples exceeds the range of float32."""
    squares = Objective(
        "squares()",
        frozenset(),
        lambda activations, targets: tf.reduce_sum(activations[INPUT][..., 0] ** 2, axis=1),
    )
    compiled = CompiledObjective(waveform_canvas(RawFrontend(), SIZE), None, squares, {})
    start = tf.constant(np.linspace(-0.1, 0.2, SIZE)[np.newaxis], tf.float32)
    steps = Steps()
    values = optimize(compiled, start, on_step=steps, kind="lbfgs", steps=100, step_size=0.01)
    assert np.isfinite(values).all()
    assert np.isfinite([value for value, _ in steps]).all()
    assert np.abs(values).max() > 1e6
    np.testing.assert_array_equal(steps[-1][1], values)
    # It grows along itself.
    assert np.corrcoef(values[0], start[0])[0, 1] > 0.999
