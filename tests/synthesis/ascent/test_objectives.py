from inspect import signature

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import (
    ModelConfig,
    OptimizerConfig,
    StftSpec,
)
from tfdream.errors import ConfigError
from tfdream.models import classifiers, inspect
from tfdream.signal import frontends
from tfdream.signal.frontends.spectrogram import SpectrogramFrontendConfig
from tfdream.synthesis import canvases
from tfdream.synthesis.ascent.ascend import AscentOptions, CompiledObjective, ascend
from tfdream.synthesis.ascent.expressions import parse
from tfdream.synthesis.ascent.objectives import (
    INPUT,
    LOGITS,
    Objective,
    Reference,
    functions,
)
from tfdream.synthesis.ascent.objectives.classes import class_logit
from tfdream.synthesis.ascent.objectives.guides import guide_dot, guide_match
from tfdream.synthesis.ascent.objectives.layers import channel, layer_energy, layer_norm, unit
from tfdream.synthesis.ascent.objectives.original import content, distance
from tfdream.synthesis.ascent.objectives.smoothness import total_variation
from tfdream.synthesis.canvases import CanvasSpec
from tfdream.synthesis.canvases.waveform import WaveformCanvasConfig

SAMPLES = 4000
RATE = 8000
LABELS = ["rock", "hip hop"]
# Arguments of the objectives.
ARGUMENTS = {"layer": "conv2", "index": 1, "label": "hip hop", "labels": LABELS}


@pytest.fixture(scope="module")
def canvas():
    config = SpectrogramFrontendConfig(kind="amplitude", stft=StftSpec(n_fft=256, hop_samples=64))
    spec = CanvasSpec(frontends.build(config, RATE), SAMPLES, RATE)
    return canvases.build(WaveformCanvasConfig(kind="waveform"), spec)


@pytest.fixture(scope="module")
def network(canvas):
    """A small network with random weights."""
    keras.utils.set_random_seed(0)
    config = ModelConfig(name="lil_data", options={"filters": [4, 8], "dense_units": 8})
    return classifiers.build(config, canvas.frontend.shape(SAMPLES), 2)


def build(name):
    function = functions()[name]
    required = [
        parameter
        for parameter in signature(function).parameters.values()
        if parameter.default is parameter.empty
    ]
    return function(**{parameter.name: ARGUMENTS[parameter.name] for parameter in required})


@pytest.fixture
def waveforms():
    rng = np.random.default_rng(3)
    return tf.constant(rng.normal(0, [[0.1], [0.01]], (2, SAMPLES)), tf.float32)


@pytest.fixture
def activations():
    rng = np.random.default_rng(1)
    shapes = {
        "conv1": (3, 4, 5, 2),
        "conv2": (3, 2, 2, 4),
        "dense": (3, 7),
        LOGITS: (3, 2),
        INPUT: (3, 8, 10, 1),
    }
    return {
        name: tf.constant(rng.normal(0, 1, shape), tf.float32) for name, shape in shapes.items()
    }


def value_of(objective, activations, original=None, guide=None):
    """The objective of activations, given those of original and guide (by default the same)."""
    original = activations if original is None else original
    targets = objective.precompute(Reference(original, activations if guide is None else guide))
    return objective.value(activations, targets).numpy()


# Contracts of every objective


@pytest.mark.usefixtures("eagerly")
def test_ascent_raises_every_objective(canvas, network, waveforms):
    # Beside the original, where the gradient of a distance from it is zero.
    start = waveforms + tf.random.stateless_normal(waveforms.shape, seed=[0, 0], stddev=1e-3)
    context = canvas.analyze(waveforms)
    # Far below the level of the softer example, so that no step passes the optimum.
    config = OptimizerConfig(kind="gradient", steps=2, step_size=1e-4)
    for name in functions():
        objective = build(name)
        layers = sorted(objective.layers)
        compiled = CompiledObjective(
            canvas, inspect.tap(network, layers) if layers else None, objective, {}
        )
        targets = compiled.precompute(context, waveforms[:, ::-1] if objective.guided else None)
        before, _ = compiled.value_and_gradient(start, context, targets)
        options = AscentOptions(config, SAMPLES / RATE, np.random.default_rng(0))
        values = ascend(compiled, start, context, targets, options)
        after, _ = compiled.value_and_gradient(values, context, targets)
        assert (after.numpy() > before.numpy()).all(), name


@pytest.mark.parametrize("name", functions())
def test_an_objective_of_silence_and_its_gradient_are_finite(name, canvas, network):
    objective = build(name)
    tapped = inspect.tap(network, sorted(objective.layers) or ["conv1"])
    image = tf.zeros((2, *canvas.frontend.shape(SAMPLES)))
    with tf.GradientTape() as tape:
        tape.watch(image)
        activations = {**tapped(image), INPUT: image}
        value = objective.value(
            activations, objective.precompute(Reference(activations, activations))
        )
    assert value.shape == (2,)
    assert value.dtype == tf.float32
    assert np.isfinite(value).all()
    assert np.isfinite(tape.gradient(value, image)).all()


@pytest.mark.parametrize("name", functions())
def test_examples_of_a_batch_are_independent(name, activations):
    objective = build(name)
    original = {layer: 0.5 * array for layer, array in activations.items()}
    guide = {layer: tf.reverse(array, [1]) for layer, array in activations.items()}
    together = value_of(objective, activations, original, guide)
    for number in range(3):
        one, one_original, one_guide = (
            {layer: array[number : number + 1] for layer, array in batch.items()}
            for batch in (activations, original, guide)
        )
        # Sums in another order: parts in 10⁶.
        np.testing.assert_allclose(
            value_of(objective, one, one_original, one_guide),
            together[number : number + 1],
            rtol=1e-5,
        )


@pytest.mark.parametrize("name", functions())
def test_the_name_of_an_objective_parses_as_the_objective(name, activations):
    objective = build(name)
    again = parse(objective.name, "dense", LABELS)
    assert (again.name, again.layers) == (objective.name, objective.layers)
    assert again.guided == objective.guided
    assert np.array_equal(value_of(again, activations), value_of(objective, activations))


def test_expressions_can_use_public_objectives_only():
    assert set(functions()) == {
        *("layer_norm", "layer_energy", "channel", "unit", "class_logit", "content"),
        *("guide_dot", "guide_match", "distance", "total_variation"),
    }
    assert not [name for name in functions() if name.startswith("_")]


# Each objective


def test_layer_norm_is_the_euclidean_norm_of_each_example(activations):
    values = value_of(layer_norm("conv1"), activations)
    expected = np.linalg.norm(activations["conv1"].numpy().reshape(3, -1), axis=1)
    np.testing.assert_allclose(values, expected, rtol=1e-6)  # float32


def test_layer_norm_is_taken_in_float32(activations):
    half = {"conv1": tf.cast(1000 * activations["conv1"], tf.float16)}  # squares beyond float16
    value = value_of(layer_norm("conv1"), half)
    assert value.dtype == np.float32
    assert np.isfinite(value).all()


def test_content_is_half_the_squared_distance_from_the_original(activations):
    original = {"conv1": activations["conv1"] + 0.5}
    values = value_of(content("conv1"), activations, original)
    np.testing.assert_allclose(values, 3 * [4 * 5 * 2 * 0.25 / 2], rtol=1e-5)
    assert (value_of(content("conv1"), activations) == 0).all()


def test_total_variation_of_a_ramp_is_its_slope():
    rows, columns = np.mgrid[:8, :10]
    image = tf.constant(0.5 * rows + 0.25 * columns, tf.float32)[tf.newaxis, ..., tf.newaxis]
    np.testing.assert_allclose(value_of(total_variation(), {INPUT: image}), [0.75], rtol=1e-6)


def test_total_variation_of_samples_is_that_of_one_axis():
    samples = tf.constant([[0.0, 1.0, 1.0, -1.0]])[..., tf.newaxis]
    np.testing.assert_allclose(value_of(total_variation(), {INPUT: samples}), [1.0], rtol=1e-6)


def test_total_variation_of_an_axis_with_one_cell_is_zero():
    row = tf.constant([0.0, 1.0, 1.0, -1.0], shape=(1, 1, 4, 1))
    np.testing.assert_allclose(value_of(total_variation(), {INPUT: row}), [1.0], rtol=1e-6)


def test_layer_energy_is_half_the_square_of_the_norm(activations):
    for name in ("conv1", "dense"):
        norm = value_of(layer_norm(name), activations)
        energy = value_of(layer_energy(name), activations)
        np.testing.assert_allclose(energy, norm**2 / 2, rtol=1e-5)


def test_channel_is_its_mean_over_all_places(activations):
    for name in ("conv1", "dense"):
        flat = activations[name].numpy().reshape(3, -1, activations[name].shape[-1])
        for index in (0, 1):
            values = value_of(channel(name, index), activations)
            np.testing.assert_allclose(values, flat[..., index].mean(axis=1), rtol=1e-5)


def test_unit_is_one_channel_at_one_place(activations):
    # Of 4 rows (frequency, the lowest first) and 5 columns (time).
    for place, row, column in [
        ({}, 2, 2),  # the middle, rounded
        ({"time": 0.0, "frequency": 0.0}, 0, 0),
        ({"time": 1.0, "frequency": 1.0}, 3, 4),
        ({"time": 0.26, "frequency": 1.0}, 3, 1),
        ({"time": 1.0, "frequency": 0.3}, 1, 4),
    ]:
        values = value_of(unit("conv1", 1, **place), activations)
        np.testing.assert_array_equal(values, activations["conv1"][:, row, column, 1])


def test_a_unit_of_a_dense_layer_has_no_place(activations):
    values = value_of(unit("dense", 3, time=1.0), activations)
    np.testing.assert_array_equal(values, activations["dense"][:, 3])


def test_a_unit_of_a_layer_of_samples_has_a_time():
    ramp = tf.reshape(tf.range(2 * 9 * 3, dtype=tf.float32), (2, 9, 3))
    values = value_of(unit("conv", 2, time=0.75, frequency=0.1), {"conv": ramp})
    np.testing.assert_array_equal(values, ramp[:, 6, 2])


def test_a_place_outside_of_the_layer_is_an_error():
    for place in ({"time": -0.1}, {"time": 1.1}, {"frequency": 2}):
        with pytest.raises(ConfigError, match=r"unit\(conv1, 0\): time=.* must be from 0 to 1"):
            unit("conv1", 0, **place)


def test_an_invalid_channel_is_an_error_that_lists_the_channels(activations):
    for objective in (channel("conv1", 2), unit("conv1", 2)):
        with pytest.raises(
            ConfigError, match=r"conv1 has no channel index=2: it has 2, from 0 to 1"
        ):
            value_of(objective, activations)


def test_class_logit_is_the_logit_of_the_label(activations):
    for index, label in enumerate(LABELS):
        values = value_of(class_logit(label, LABELS), activations)
        np.testing.assert_array_equal(values, activations[LOGITS][:, index])


def test_a_minus_sign_negates_the_logit(activations):
    objective = parse("-class_logit('hip hop')", "conv1", LABELS)
    assert objective.layers == {LOGITS}
    np.testing.assert_array_equal(value_of(objective, activations), -activations[LOGITS][:, 1])


def test_an_invalid_label_is_an_error_that_lists_the_labels():
    with pytest.raises(ConfigError, match=r"class_logit\(jazz\).* rock, .hip hop"):
        class_logit("jazz", LABELS)


def test_guide_dot_multiplies_place_by_place(activations):
    guide = {"conv1": tf.reverse(activations["conv1"], [2])}
    values = value_of(guide_dot("conv1"), activations, guide=guide)
    first, second = (each["conv1"].numpy().astype(np.float64) for each in (activations, guide))
    np.testing.assert_allclose(values, (first * second).sum(axis=(1, 2, 3)), rtol=1e-4)


def test_guide_match_pairs_each_place_with_the_best_place_of_the_guide():
    activations = {"conv": tf.constant([[[[1.0, 0.0], [0.0, 2.0]]]])}  # two places of two channels
    guide = {"conv": tf.constant([[[[3.0, 0.0], [0.0, 5.0], [1.0, 1.0]]]])}
    # The best of the first is (3, 0), that of the second (0, 5): 1·3 + 2·5.
    np.testing.assert_allclose(value_of(guide_match("conv"), activations, guide=guide), [13.0])


def test_guide_match_ignores_the_places_of_the_guide(activations):
    shuffled = {"conv1": tf.gather(tf.reverse(activations["conv1"], [1]), [2, 0, 1, 4, 3], axis=2)}
    values = value_of(guide_match("conv1"), activations, guide=shuffled)
    np.testing.assert_allclose(values, value_of(guide_match("conv1"), activations), rtol=1e-5)


def test_guide_dot_of_the_same_activations_is_twice_the_energy(activations):
    values = value_of(guide_dot("conv1"), activations)
    np.testing.assert_allclose(values, 2 * value_of(layer_energy("conv1"), activations), rtol=1e-5)


def test_a_guided_objective_without_a_guide_is_an_error(activations):
    for objective in (guide_dot("conv1"), guide_match("conv1")):
        assert objective.guided
        with pytest.raises(ConfigError, match="--guide"):
            objective.precompute(Reference(activations))


def test_a_guide_match_of_too_many_positions_is_an_error():
    many = {"conv1": tf.zeros((1, 200, 100, 1))}
    with pytest.raises(ConfigError, match=r"20000 positions with 20000, .*; use a deeper layer"):
        value_of(guide_match("conv1"), many)


def test_distance_is_the_root_mean_square_difference_of_the_inputs(activations):
    original = {INPUT: activations[INPUT] - 0.25}
    values = value_of(distance(), activations, original)
    np.testing.assert_allclose(values, [0.25] * 3, rtol=1e-5)
    # 10⁻¹² under the root keeps its gradient finite.
    np.testing.assert_allclose(value_of(distance(), activations), [1e-6] * 3, rtol=1e-3)


# Sums


def test_a_sum_is_guided_if_a_part_is_guided(activations):
    plain, guided = layer_norm("conv1"), guide_dot("conv1")
    assert not any(each.guided for each in (plain, 2 * plain, -plain, plain + plain))
    for objective in (2 * guided, -guided, guided * 1, plain + guided, guided - 3 * plain):
        assert objective.guided
        assert parse(objective.name, "conv2").guided
    guide = {"conv1": 2 * activations["conv1"]}
    first, second = (value_of(each, activations, guide=guide) for each in (plain, guided))
    values = value_of(plain - 0.5 * guided, activations, guide=guide)
    np.testing.assert_allclose(values, first - 0.5 * second, rtol=1e-5)


def test_each_part_of_a_sum_has_its_own_targets(activations):
    original = {layer: array + 1 for layer, array in activations.items()}
    guide = {"conv2": activations["conv2"] - 1}
    parts = [content("conv1"), guide_dot("conv2"), content("dense"), distance()]
    first, second, third, fourth = (value_of(part, activations, original, guide) for part in parts)
    whole = parts[0] - 2 * (parts[1] + parts[2]) + parts[3]
    values = value_of(whole, activations, original, guide)
    np.testing.assert_allclose(values, first - 2 * (second + third) + fourth, rtol=1e-5)


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
    for objective, expected in cases:
        np.testing.assert_allclose(value_of(objective, activations), expected, rtol=1e-5)
        assert objective.layers <= {"conv1", "conv2"}
    assert (one + two).layers == {"conv1", "conv2"}


def test_the_name_of_a_sum_parses_as_the_sum(activations):
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


def test_only_objectives_can_be_added():
    for other in (1, 2.0, "layer_norm(conv1)", None):
        with pytest.raises(TypeError):
            _ = layer_norm("conv1") + other
        with pytest.raises(TypeError):
            _ = layer_norm("conv1") - other


def test_objectives_cannot_be_multiplied():
    with pytest.raises(TypeError):
        _ = layer_norm("conv1") * layer_norm("conv2")


# Expressions


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
def test_sums_of_objectives_are_parsed(activations, expression, layers, factors):
    objective = parse(expression, default_layer="conv2")
    assert isinstance(objective, Objective)
    assert objective.layers == layers
    expected = sum(
        factor * value_of(layer_norm(layer), activations) for layer, factor in factors.items()
    )
    np.testing.assert_allclose(value_of(objective, activations), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("channel(index=1)", channel("conv2", 1)),
        ("channel(conv1, 1)", channel("conv1", 1)),
        ("unit(conv1, 1)", unit("conv1", 1)),
        ("unit(conv1, 1, 0, 1)", unit("conv1", 1, 0, 1)),
        ("unit('conv1', 1, frequency=0.25)", unit("conv1", 1, 0.5, 0.25)),
        ("class_logit(rock)", class_logit("rock", LABELS)),
        ('class_logit("hip hop")', class_logit("hip hop", LABELS)),
        ("class_logit(label='hip hop')", class_logit("hip hop", LABELS)),
        ("guide_match() - 0.1*distance()", guide_match("conv2") - 0.1 * distance()),
        ("layer_energy() + guide_dot(conv1)", layer_energy("conv2") + guide_dot("conv1")),
    ],
)
def test_arguments_are_parsed(activations, expression, expected):
    objective = parse(expression, "conv2", LABELS)
    assert (objective.name, objective.layers) == (expected.name, expected.layers)
    assert np.array_equal(value_of(objective, activations), value_of(expected, activations))


def test_layer_names_need_not_be_python_identifiers():
    assert parse("layer_norm('block-1/conv 2')", "x").layers == {"block-1/conv 2"}
    assert parse("layer_norm(block.conv)", "x").layers == {"block.conv"}


def test_the_name_of_any_layer_is_parsed():
    for layer in ("block-1/conv 2", "block.conv", "3", "it's"):
        objective = 2 * layer_norm(layer) - content(layer)
        assert parse(objective.name, "x").layers == {layer}


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("a(x) - 0.1*b(x)", "a(x) - 0.1*b(x)"),
        ("-a(x) - (b(x) - a(x))", "-a(x) - (b(x) - a(x))"),
        ("-2*(a(x) + b(x))", "-2*(a(x) + b(x))"),
        ("3 * -(a(x) - b(x))", "3*(-(a(x) - b(x)))"),
    ],
)
def test_names_have_the_signs_of_the_expression(activations, expression, name):
    def expand(text):
        return text.replace("a(x)", "layer_norm(conv2)").replace("b(x)", "content(conv2)")

    objective = parse(expand(expression), "conv2")
    assert objective.name == expand(name)
    again = value_of(parse(objective.name, "conv2"), activations)
    np.testing.assert_allclose(again, value_of(objective, activations), rtol=1e-6)


def test_the_name_of_any_label_is_parsed(activations):
    for label in ("hip hop", "Hip-Hop", "R&B", "80s", "1980", "rock'n'roll"):
        labels = ["rock", label]
        objective = parse(f"class_logit({label!r})", "x", labels)
        assert np.array_equal(value_of(objective, activations), activations[LOGITS][:, 1])
        assert parse(objective.name, "x", labels).name == objective.name


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "cannot be parsed"),
        ("layer_norm(", "cannot be parsed"),
        ("layer norm()", "cannot be parsed"),
        ("layer_norm() = 2", "cannot be parsed"),
        ("3", "is only a number"),
        ("2*3 - 1", "is only a number"),
        ("layer_norm", "'layer_norm' is not valid"),
        ("layer_norm()/2", r"'layer_norm\(\) / 2' is not valid"),
        ("layer_norm()*layer_norm()", "is not valid"),
        ("layer_norm() + 1", "is not valid"),
        ("layer_norm()**2", "is not valid"),
        ("'layer_norm()'", "is not valid"),
        ("[layer_norm()]", "is not valid"),
        ("__import__('os').getcwd()", "is not valid"),
        ("exec('1')", "'exec' is not one of: .*layer_norm"),
        ("parse('layer_norm()', 'conv1')", "'parse' is not one of"),
        ("layer_norm(conv1, conv2)", r"layer_norm\(layer\): too many positional"),
        ("layer_norm(depth=2)", r"layer_norm\(layer\): .*depth"),
        ("total_variation(conv1)", r"total_variation\(\): too many positional"),
        ("layer_norm(**x)", r"layer_norm\(layer\): "),
        ("channel(conv1)", r"channel\(layer, index\): missing.*'index'"),
        ("channel(conv1, loud)", r"channel\(layer, index\): index=loud is not an integer"),
        ("channel(conv1, 1.5)", "index=1.5 is not an integer"),
        ("channel(conv1, -1)", "index=-1"),
        ("unit(conv1, 1, early)", r"unit\(.*\): time=early is not a number"),
        ("unit(conv1, 1, 2)", "time=2 and frequency=0.5 must be from 0 to 1"),
        ("class_logit(jazz)", r"class_logit\(jazz\): .*rock, 'hip hop'"),
        ("class_logit(Hip Hop)", r"in quotes: class_logit\('Hip Hop'\)$"),
        ("2*class_logit(a b) - layer_norm()", r"quotes: 2\*class_logit\('a b'\) - layer_norm\(\)"),
        ("channel(block 2, 3)", r"in quotes: channel\('block 2', 3\)$"),
        ("class_logit('Hip-Hop')", r"did you mean 'hip hop'\?"),
        ("layr_norm(conv1)", r"did you mean 'layer_norm'\?"),
        ("class_logit()", r"class_logit\(label\): missing.*'label'"),
        ("class_logit(rock, pop)", r"class_logit\(label\): "),
        ("distance(conv1)", r"distance\(\): too many positional"),
    ],
)
def test_an_invalid_expression_is_an_error_of_one_line(expression, message):
    with pytest.raises(ConfigError, match=message) as error:
        parse(expression, "conv2", LABELS)
    assert "\n" not in str(error.value)


def test_a_label_with_signs_is_read_as_it_is_written():
    objective = parse("class_logit(drum-n-bass)", "x", ["rock", "drum-n-bass"])
    assert objective.name == "class_logit('drum-n-bass')"


def test_a_number_can_be_the_name_of_a_layer():
    assert parse("layer_norm(3) + layer_norm(conv1)", "x").layers == {"3", "conv1"}
