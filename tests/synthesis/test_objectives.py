import inspect

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
from tfdream.errors import ConfigError
from tfdream.signal import frontend as frontends
from tfdream.synthesis import canvas as canvases
from tfdream.synthesis import objectives
from tfdream.synthesis.ascend import Slope, ascend
from tfdream.synthesis.objectives import (
    INPUT,
    Objective,
    content,
    layer_norm,
    parse,
    total_variation,
)

SAMPLES = 4000
RATE = 8000
# What an objective may ask for beside its layer.
ARGUMENTS = {"layer": "conv2"}


@pytest.fixture(scope="module")
def canvas():
    config = SpectrogramFrontendConfig(kind="amplitude", stft=StftSpec(n_fft=256, hop_samples=64))
    return canvases.build(
        WaveformCanvasConfig(kind="waveform"), frontends.build(config, RATE), SAMPLES
    )


@pytest.fixture(scope="module")
def network(canvas):
    """Small, and with random weights."""
    keras.utils.set_random_seed(0)
    config = ModelConfig(name="lil_data", options={"filters": [4, 8], "dense_units": 8})
    return models.build(config, canvas.frontend.shape(SAMPLES), 2)


def build(name):
    function = objectives.functions()[name]
    required = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is parameter.empty
    ]
    return function(**{parameter.name: ARGUMENTS[parameter.name] for parameter in required})


@pytest.fixture
def sounds():
    rng = np.random.default_rng(3)
    return tf.constant(rng.normal(0, [[0.1], [0.01]], (2, SAMPLES)), tf.float32)


@pytest.fixture
def activations():
    rng = np.random.default_rng(1)
    shapes = {"conv1": (3, 4, 5, 2), "conv2": (3, 2, 2, 4), "dense": (3, 7), INPUT: (3, 8, 10, 1)}
    return {
        name: tf.constant(rng.normal(0, 1, shape), tf.float32) for name, shape in shapes.items()
    }


def value_of(objective, activations, original=None):
    """The objective of activations, given those of the original (by default the same)."""
    memory = objective.remember(activations if original is None else original)
    return objective.value(activations, memory).numpy()


# Contracts of every objective


@pytest.mark.parametrize("name", objectives.functions())
def test_ascent_raises_it(name, canvas, network, sounds):
    objective = build(name)
    layers = sorted(objective.layers)
    slope = Slope(canvas, models.tap(network, layers) if layers else None, objective, {})
    context = canvas.analyse(sounds)
    memory = slope.remember(context)
    # Beside the original: a distance from it has no slope there.
    start = sounds + tf.random.stateless_normal(sounds.shape, seed=[0, 0], stddev=1e-3)
    before, _ = slope.gradient(start, context, memory)
    # Well under the softer sound's level, so that no step leaps over the top.
    config = OptimiserConfig(kind="gradient", steps=10, step_size=1e-4)
    values = ascend(slope, start, context, config)
    after, _ = slope.gradient(values, context, memory)
    assert (after.numpy() > before.numpy()).all()


@pytest.mark.parametrize("name", objectives.functions())
def test_it_gives_a_finite_number_for_each_example_even_for_silence(name, canvas, network):
    objective = build(name)
    tapped = models.tap(network, sorted(objective.layers) or ["conv1"])
    image = tf.zeros((2, *canvas.frontend.shape(SAMPLES)))
    with tf.GradientTape() as tape:
        tape.watch(image)
        activations = {**tapped(image), INPUT: image}
        value = objective.value(activations, objective.remember(activations))
    assert value.shape == (2,)
    assert value.dtype == tf.float32
    assert np.isfinite(value).all()
    assert np.isfinite(tape.gradient(value, image)).all()


@pytest.mark.parametrize("name", objectives.functions())
def test_examples_of_a_batch_do_not_touch_each_other(name, activations):
    objective = build(name)
    original = {layer: 0.5 * found for layer, found in activations.items()}
    together = value_of(objective, activations, original)
    for number in range(3):
        one, its_original = (
            {layer: found[number : number + 1] for layer, found in many.items()}
            for many in (activations, original)
        )
        # Sums in another order: parts in 10⁶.
        np.testing.assert_allclose(
            value_of(objective, one, its_original), together[number : number + 1], rtol=1e-5
        )


@pytest.mark.parametrize("name", objectives.functions())
def test_its_name_reads_as_itself(name, activations):
    objective = build(name)
    again = parse(objective.name, default_layer="dense")
    assert (again.name, again.layers) == (objective.name, objective.layers)
    assert np.array_equal(value_of(again, activations), value_of(objective, activations))


def test_only_what_is_meant_for_expressions_can_be_called():
    assert {"layer_norm", "total_variation"} <= set(objectives.functions())
    assert not [name for name in objectives.functions() if name.startswith("_")]
    assert "parse" not in objectives.functions()


# Each one


def test_layer_norm_is_the_euclidean_norm_of_each_example(activations):
    found = value_of(layer_norm("conv1"), activations)
    wanted = np.linalg.norm(activations["conv1"].numpy().reshape(3, -1), axis=1)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)  # float32


def test_layer_norm_is_taken_in_float32(activations):
    half = {"conv1": tf.cast(1000 * activations["conv1"], tf.float16)}  # squares beyond float16
    value = value_of(layer_norm("conv1"), half)
    assert value.dtype == np.float32
    assert np.isfinite(value).all()


def test_content_is_half_the_squared_distance_from_the_original(activations):
    original = {"conv1": activations["conv1"] + 0.5}
    found = value_of(content("conv1"), activations, original)
    np.testing.assert_allclose(found, 3 * [4 * 5 * 2 * 0.25 / 2], rtol=1e-5)
    assert (value_of(content("conv1"), activations) == 0).all()


def test_total_variation_of_a_ramp_is_its_slope():
    rows, columns = np.mgrid[:8, :10]
    image = tf.constant(0.5 * rows + 0.25 * columns, tf.float32)[tf.newaxis, ..., tf.newaxis]
    np.testing.assert_allclose(value_of(total_variation(), {INPUT: image}), [0.75], rtol=1e-6)


def test_total_variation_of_samples_is_that_of_one_axis():
    samples = tf.constant([[0.0, 1.0, 1.0, -1.0]])[..., tf.newaxis]
    np.testing.assert_allclose(value_of(total_variation(), {INPUT: samples}), [1.0], rtol=1e-6)


# Sums


def test_each_part_of_a_sum_remembers_its_own(activations):
    original = {layer: found + 1 for layer, found in activations.items()}
    parts = [content("conv1"), layer_norm("conv2"), content("dense")]
    found = value_of(parts[0] - 2 * (parts[1] + parts[2]), activations, original)
    first, second, third = (value_of(part, activations, original) for part in parts)
    np.testing.assert_allclose(found, first - 2 * (second + third), rtol=1e-5)


def test_objectives_add_subtract_and_scale(activations):
    one, two = layer_norm("conv1"), layer_norm("conv2")
    first, second = value_of(one, activations), value_of(two, activations)
    cases = [
        (one + two, first + second),
        (one - two, first - second),
        (-one, -first),
        (3 * one, 3 * first),
        (one * 0.5, 0.5 * first),
        (2 * (one + two) - 0.1 * (one - two), 2 * (first + second) - 0.1 * (first - second)),
    ]
    for objective, wanted in cases:
        np.testing.assert_allclose(value_of(objective, activations), wanted, rtol=1e-5)
        assert objective.layers <= {"conv1", "conv2"}
    assert (one + two).layers == {"conv1", "conv2"}


def test_the_name_of_a_sum_reads_as_the_sum(activations):
    one, two, rough = layer_norm("conv1"), layer_norm("dense"), total_variation()
    for objective in [
        one + two,
        one - two,
        -(one - 0.5 * two),
        2 * (one + two) - 0.01 * rough,
        -2 * -one,
        1e-5 * (one + 3 * (two - rough)),
    ]:
        again = parse(objective.name, default_layer="nowhere")
        assert again.layers == objective.layers
        np.testing.assert_allclose(
            value_of(again, activations), value_of(objective, activations), rtol=1e-5
        )


@pytest.mark.parametrize("other", [1, 2.0, "layer_norm(conv1)", None])
def test_only_objectives_can_be_added(other):
    with pytest.raises(TypeError):
        _ = layer_norm("conv1") + other
    with pytest.raises(TypeError):
        _ = layer_norm("conv1") - other


def test_objectives_cannot_be_multiplied():
    with pytest.raises(TypeError):
        _ = layer_norm("conv1") * layer_norm("conv2")


# Text


@pytest.mark.parametrize(
    ("expression", "layers", "factors"),
    [
        ("layer_norm()", {"conv2"}, {"conv2": 1}),
        ("layer_norm(conv1)", {"conv1"}, {"conv1": 1}),
        ("layer_norm('conv1')", {"conv1"}, {"conv1": 1}),
        ("layer_norm(layer=conv1)", {"conv1"}, {"conv1": 1}),
        ("  2*layer_norm(conv1)\n", {"conv1"}, {"conv1": 2}),
        ("-layer_norm(conv1) + layer_norm()", {"conv1", "conv2"}, {"conv1": -1, "conv2": 1}),
        ("layer_norm(conv1)*3 - 0.5*2*layer_norm()", {"conv1", "conv2"}, {"conv1": 3, "conv2": -1}),
        ("2*(layer_norm(conv1) - layer_norm())", {"conv1", "conv2"}, {"conv1": 2, "conv2": -2}),
    ],
)
def test_expressions_are_understood(activations, expression, layers, factors):
    objective = parse(expression, default_layer="conv2")
    assert isinstance(objective, Objective)
    assert objective.layers == layers
    wanted = sum(
        factor * value_of(layer_norm(layer), activations) for layer, factor in factors.items()
    )
    np.testing.assert_allclose(value_of(objective, activations), wanted, rtol=1e-5)


def test_layer_names_may_hold_what_python_does_not_allow():
    assert parse("layer_norm('block-1/conv 2')", "x").layers == {"block-1/conv 2"}
    assert parse("layer_norm(block.conv)", "x").layers == {"block.conv"}


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "cannot be read"),
        ("layer_norm(", "cannot be read"),
        ("layer norm()", "cannot be read"),
        ("layer_norm() = 2", "cannot be read"),
        ("3", "is only a number"),
        ("2*3 - 1", "is only a number"),
        ("layer_norm", "'layer_norm' is not understood"),
        ("layer_norm()/2", r"'layer_norm\(\) / 2' is not understood"),
        ("layer_norm()*layer_norm()", "is not understood"),
        ("layer_norm() + 1", "is not understood"),
        ("layer_norm()**2", "is not understood"),
        ("'layer_norm()'", "is not understood"),
        ("[layer_norm()]", "is not understood"),
        ("__import__('os').getcwd()", "is not understood"),
        ("exec('1')", "'exec' is not one of: .*layer_norm"),
        ("parse('layer_norm()', 'conv1')", "'parse' is not one of"),
        ("layer_norm(conv1, conv2)", r"layer_norm\(layer\): too many positional"),
        ("layer_norm(depth=2)", r"layer_norm\(layer\): .*depth"),
        ("total_variation(conv1)", r"total_variation\(\): too many positional"),
        ("layer_norm(**x)", r"layer_norm\(layer\): "),
    ],
)
def test_what_is_not_understood_is_named(expression, words):
    with pytest.raises(ConfigError, match=words) as caught:
        parse(expression, default_layer="conv2")
    assert "\n" not in str(caught.value)


def test_a_number_for_a_layer_is_a_name_like_any_other():
    assert parse("layer_norm(3) + layer_norm(conv1)", "x").layers == {"3", "conv1"}
