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
# What an objective may ask for.
ARGUMENTS = {"layer": "conv2", "index": 1, "label": "hip hop", "labels": LABELS}


@pytest.fixture(scope="module")
def canvas():
    config = SpectrogramFrontendConfig(kind="amplitude", stft=StftSpec(n_fft=256, hop_samples=64))
    spec = CanvasSpec(frontends.build(config, RATE), SAMPLES, RATE)
    return canvases.build(WaveformCanvasConfig(kind="waveform"), spec)


@pytest.fixture(scope="module")
def network(canvas):
    """Small, and with random weights."""
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
def sounds():
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
@pytest.mark.parametrize("name", functions())
def test_ascent_raises_it(name, canvas, network, sounds):
    objective = build(name)
    layers = sorted(objective.layers)
    compiled = CompiledObjective(
        canvas, inspect.tap(network, layers) if layers else None, objective, {}
    )
    context = canvas.analyze(sounds)
    targets = compiled.precompute(context, sounds[:, ::-1] if objective.guided else None)
    # Beside the original: a distance from it has no compiled there.
    start = sounds + tf.random.stateless_normal(sounds.shape, seed=[0, 0], stddev=1e-3)
    before, _ = compiled.value_and_gradient(start, context, targets)
    # Well under the softer sound's level, so that no step leaps over the top.
    config = OptimizerConfig(kind="gradient", steps=10, step_size=1e-4)
    climb = AscentOptions(config, SAMPLES / RATE, np.random.default_rng(0))
    values = ascend(compiled, start, context, targets, climb)
    after, _ = compiled.value_and_gradient(values, context, targets)
    assert (after.numpy() > before.numpy()).all()


@pytest.mark.parametrize("name", functions())
def test_it_gives_a_finite_number_for_each_example_even_for_silence(name, canvas, network):
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
def test_examples_of_a_batch_do_not_touch_each_other(name, activations):
    objective = build(name)
    original = {layer: 0.5 * found for layer, found in activations.items()}
    guide = {layer: tf.reverse(found, [1]) for layer, found in activations.items()}
    together = value_of(objective, activations, original, guide)
    for number in range(3):
        one, its_original, its_guide = (
            {layer: found[number : number + 1] for layer, found in many.items()}
            for many in (activations, original, guide)
        )
        # Sums in another order: parts in 10⁶.
        np.testing.assert_allclose(
            value_of(objective, one, its_original, its_guide),
            together[number : number + 1],
            rtol=1e-5,
        )


@pytest.mark.parametrize("name", functions())
def test_its_name_reads_as_itself(name, activations):
    objective = build(name)
    again = parse(objective.name, "dense", LABELS)
    assert (again.name, again.layers) == (objective.name, objective.layers)
    assert again.guided == objective.guided
    assert np.array_equal(value_of(again, activations), value_of(objective, activations))


def test_only_what_is_meant_for_expressions_can_be_called():
    assert set(functions()) == {
        *("layer_norm", "layer_energy", "channel", "unit", "class_logit", "content"),
        *("guide_dot", "guide_match", "distance", "total_variation"),
    }
    assert not [name for name in functions() if name.startswith("_")]


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


@pytest.mark.parametrize("name", ["conv1", "dense"])
def test_layer_energy_is_half_the_square_of_the_norm(activations, name):
    norm = value_of(layer_norm(name), activations)
    np.testing.assert_allclose(value_of(layer_energy(name), activations), norm**2 / 2, rtol=1e-5)


@pytest.mark.parametrize("name", ["conv1", "dense"])
@pytest.mark.parametrize("index", [0, 1])
def test_a_channel_counts_by_its_mean_over_all_places(activations, name, index):
    found = value_of(channel(name, index), activations)
    wanted = activations[name].numpy().reshape(3, -1, activations[name].shape[-1])[..., index]
    np.testing.assert_allclose(found, wanted.mean(axis=1), rtol=1e-5)


# Of 4 rows (frequency, the lowest first) and 5 columns (time).
@pytest.mark.parametrize(
    ("place", "row", "column"),
    [
        ({}, 2, 2),  # the middle; of an even number the place that rounding takes
        ({"time": 0.0, "frequency": 0.0}, 0, 0),
        ({"time": 1.0, "frequency": 1.0}, 3, 4),
        ({"time": 0.26, "frequency": 1.0}, 3, 1),
        ({"time": 1.0, "frequency": 0.3}, 1, 4),
    ],
)
def test_a_unit_is_one_channel_at_one_place(activations, place, row, column):
    found = value_of(unit("conv1", 1, **place), activations)
    np.testing.assert_array_equal(found, activations["conv1"][:, row, column, 1])


def test_a_unit_of_a_dense_layer_has_no_place(activations):
    found = value_of(unit("dense", 3, time=1.0), activations)
    np.testing.assert_array_equal(found, activations["dense"][:, 3])


def test_a_unit_of_a_layer_of_samples_has_a_time():
    ramp = tf.reshape(tf.range(2 * 9 * 3, dtype=tf.float32), (2, 9, 3))
    found = value_of(unit("conv", 2, time=0.75, frequency=0.1), {"conv": ramp})
    np.testing.assert_array_equal(found, ramp[:, 6, 2])


@pytest.mark.parametrize("place", [{"time": -0.1}, {"time": 1.1}, {"frequency": 2}])
def test_a_place_outside_is_refused(place):
    with pytest.raises(ConfigError, match=r"unit\(conv1, 0\): time=.* must be from 0 to 1"):
        unit("conv1", 0, **place)


@pytest.mark.parametrize("objective", [channel("conv1", 2), unit("conv1", 2)])
def test_a_channel_that_is_not_there_is_named_with_those_that_are(activations, objective):
    with pytest.raises(ConfigError, match=r"conv1 has no channel index=2: it has 2, from 0 to 1"):
        value_of(objective, activations)


@pytest.mark.parametrize("label", LABELS)
def test_a_class_counts_by_its_logit(activations, label):
    found = value_of(class_logit(label, LABELS), activations)
    np.testing.assert_array_equal(found, activations[LOGITS][:, LABELS.index(label)])


def test_away_from_a_class_is_its_logit_with_a_minus_sign(activations):
    objective = parse("-class_logit('hip hop')", "conv1", LABELS)
    assert objective.layers == {LOGITS}
    np.testing.assert_array_equal(value_of(objective, activations), -activations[LOGITS][:, 1])


def test_a_class_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(ConfigError, match=r"class_logit\(jazz\).* rock, hip hop"):
        class_logit("jazz", LABELS)


def test_the_dot_product_with_a_guide_goes_place_by_place(activations):
    guide = {"conv1": tf.reverse(activations["conv1"], [2])}
    found = value_of(guide_dot("conv1"), activations, guide=guide)
    own, other = (each["conv1"].numpy().astype(np.float64) for each in (activations, guide))
    np.testing.assert_allclose(found, (own * other).sum(axis=(1, 2, 3)), rtol=1e-4)


def test_each_place_matches_the_best_place_of_the_guide():
    own = {"conv": tf.constant([[[[1.0, 0.0], [0.0, 2.0]]]])}  # two places of two channels
    guide = {"conv": tf.constant([[[[3.0, 0.0], [0.0, 5.0], [1.0, 1.0]]]])}
    # The first finds (3, 0), the second (0, 5): 1·3 + 2·5.
    np.testing.assert_allclose(value_of(guide_match("conv"), own, guide=guide), [13.0])


def test_where_the_guide_has_its_features_does_not_matter_to_the_match(activations):
    shuffled = {"conv1": tf.gather(tf.reverse(activations["conv1"], [1]), [2, 0, 1, 4, 3], axis=2)}
    found = value_of(guide_match("conv1"), activations, guide=shuffled)
    np.testing.assert_allclose(found, value_of(guide_match("conv1"), activations), rtol=1e-5)


def test_a_guide_that_matches_has_the_energy_of_its_layer(activations):
    found = value_of(guide_dot("conv1"), activations)
    np.testing.assert_allclose(found, 2 * value_of(layer_energy("conv1"), activations), rtol=1e-5)


@pytest.mark.parametrize("objective", [guide_dot("conv1"), guide_match("conv1")])
def test_a_guide_is_needed(activations, objective):
    assert objective.guided
    with pytest.raises(ConfigError, match="--guide"):
        objective.precompute(Reference(activations))


def test_a_match_that_would_not_fit_into_memory_is_refused():
    many = {"conv1": tf.zeros((1, 200, 100, 1))}
    with pytest.raises(ConfigError, match=r"20000 positions with 20000, .*; use a deeper layer"):
        value_of(guide_match("conv1"), many)


def test_distance_is_the_root_mean_square_difference_of_the_pictures(activations):
    original = {INPUT: activations[INPUT] - 0.25}
    found = value_of(distance(), activations, original)
    np.testing.assert_allclose(found, [0.25] * 3, rtol=1e-5)
    # The root needs something under it: 10⁻¹².
    np.testing.assert_allclose(value_of(distance(), activations), [1e-6] * 3, rtol=1e-3)


# Sums


def test_a_guide_is_needed_as_soon_as_one_part_needs_it(activations):
    plain, guided = layer_norm("conv1"), guide_dot("conv1")
    assert not any(each.guided for each in (plain, 2 * plain, -plain, plain + plain))
    for objective in (2 * guided, -guided, guided * 1, plain + guided, guided - 3 * plain):
        assert objective.guided
        assert parse(objective.name, "conv2").guided
    guide = {"conv1": 2 * activations["conv1"]}
    first, second = (value_of(each, activations, guide=guide) for each in (plain, guided))
    found = value_of(plain - 0.5 * guided, activations, guide=guide)
    np.testing.assert_allclose(found, first - 0.5 * second, rtol=1e-5)


def test_each_part_of_a_sum_remembers_its_own(activations):
    original = {layer: found + 1 for layer, found in activations.items()}
    guide = {"conv2": activations["conv2"] - 1}
    parts = [content("conv1"), guide_dot("conv2"), content("dense"), distance()]
    first, second, third, fourth = (value_of(part, activations, original, guide) for part in parts)
    whole = parts[0] - 2 * (parts[1] + parts[2]) + parts[3]
    found = value_of(whole, activations, original, guide)
    np.testing.assert_allclose(found, first - 2 * (second + third) + fourth, rtol=1e-5)


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


@pytest.mark.parametrize(
    ("expression", "wanted"),
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
def test_arguments_are_understood(activations, expression, wanted):
    objective = parse(expression, "conv2", LABELS)
    assert (objective.name, objective.layers) == (wanted.name, wanted.layers)
    assert np.array_equal(value_of(objective, activations), value_of(wanted, activations))


def test_layer_names_may_hold_what_python_does_not_allow():
    assert parse("layer_norm('block-1/conv 2')", "x").layers == {"block-1/conv 2"}
    assert parse("layer_norm(block.conv)", "x").layers == {"block.conv"}


@pytest.mark.parametrize("layer", ["block-1/conv 2", "block.conv", "3", "it's"])
def test_a_layer_with_any_name_reads_as_itself(layer):
    objective = 2 * layer_norm(layer) - content(layer)
    assert parse(objective.name, "x").layers == {layer}


@pytest.mark.parametrize("label", ["hip hop", "Hip-Hop", "R&B", "80s", "1980", "rock'n'roll"])
def test_a_label_with_any_name_can_be_asked_for_and_reads_as_itself(activations, label):
    labels = ["rock", label]
    objective = parse(f"class_logit({label!r})", "x", labels)
    assert np.array_equal(value_of(objective, activations), activations[LOGITS][:, 1])
    assert parse(objective.name, "x", labels).name == objective.name


@pytest.mark.parametrize(
    ("expression", "words"),
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
        ("class_logit(jazz)", r"class_logit\(jazz\): .*rock, hip hop"),
        ("class_logit()", r"class_logit\(label\): missing.*'label'"),
        ("class_logit(rock, pop)", r"class_logit\(label\): "),
        ("distance(conv1)", r"distance\(\): too many positional"),
    ],
)
def test_what_is_not_understood_is_named(expression, words):
    with pytest.raises(ConfigError, match=words) as caught:
        parse(expression, "conv2", LABELS)
    assert "\n" not in str(caught.value)


def test_a_number_for_a_layer_is_a_name_like_any_other():
    assert parse("layer_norm(3) + layer_norm(conv1)", "x").layers == {"3", "conv1"}
