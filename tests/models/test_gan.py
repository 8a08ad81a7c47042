"""Contracts of every pair that the folder holds, and what is particular to the published ones."""

import inspect
import itertools
from importlib import import_module

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import ModelConfig
from tfdream.errors import ConfigError
from tfdream.models import classifiers, gan
from tfdream.models.parts.images import InstanceNormalization
from tfdream.training import timed_model

SMALL = {"filters": 2, "blocks": 1, "discriminator_filters": 2}
SHAPES = [(64, 64, 1), (65, 50, 2)]  # even and odd


def build(name, shape=SHAPES[0], **options):
    return gan.build(ModelConfig(name=name, options=options), shape)


def images(network, batch=2):
    rng = np.random.default_rng(0)
    return tf.constant(rng.uniform(-1, 1, (batch, *network.input.shape[1:])), tf.float32)


@pytest.fixture(params=gan.names(), scope="module")
def name(request):
    return request.param


@pytest.fixture(
    params=[pytest.param(SHAPES[0], marks=pytest.mark.slow), SHAPES[1]], ids=str, scope="module"
)
def shape(request):
    return request.param


@pytest.fixture(scope="module")
def pair(name, shape):
    keras.utils.set_random_seed(0)
    return build(name, shape, **SMALL)


each_network = pytest.mark.parametrize("role", gan.GanNetworks._fields)


def test_the_published_ones_are_found():
    assert {"cyclegan", "small_cyclegan"} <= set(gan.names())
    assert not set(gan.names()) & set(classifiers.names())


def test_a_generator_gives_images_like_those_it_takes(pair, shape):
    translated = pair.generator(images(pair.generator), training=True)
    assert translated.shape == (2, *shape)
    assert translated.dtype == tf.float32
    assert float(tf.reduce_max(tf.abs(translated))) <= 1
    assert np.ptp(translated) > 0


def test_a_discriminator_judges_each_image_by_itself(pair):
    inputs = images(pair.discriminator, batch=3)
    judged = pair.discriminator(inputs, training=True)
    assert judged.shape[0] == 3
    assert judged.dtype == tf.float32
    # Other batch sizes take other ways through the products: parts in 10⁶.
    np.testing.assert_allclose(judged[1:2], pair.discriminator(inputs[1:2]), atol=1e-5)


@each_network
def test_the_gradient_reaches_the_image_and_every_weight(pair, role):
    network = getattr(pair, role)
    inputs = images(network)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        found = network(inputs, training=True)
        total = tf.reduce_sum(found * tf.random.stateless_normal(found.shape, [0, 0]))
    own, *gradients = tape.gradient(total, [inputs, *network.trainable_variables])
    assert np.isfinite(own).all()
    assert all(np.abs(one).max() > 0 for one in own.numpy())
    assert all(gradient is not None for gradient in gradients)


@each_network
def test_saved_weights_make_the_same_network(name, role, tmp_path):
    network, other = (getattr(build(name, SHAPES[1], **SMALL), role) for _ in range(2))
    assert [layer.name for layer in other.layers] == [layer.name for layer in network.layers]
    network.save_weights(tmp_path / "some.weights.h5")
    other.load_weights(tmp_path / "some.weights.h5")
    for weight, loaded in zip(network.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(weight, loaded)
    assert np.array_equal(network(images(network)), other(images(network)))


def test_no_two_layers_begin_with_the_same_numbers(name):
    """Nor do two networks; one initializer for all would let blocks learn the same."""
    kernels = [
        weight.numpy().ravel()[:8]
        for _ in range(2)
        for network in build(name, **SMALL | {"blocks": 2})
        for weight in network.trainable_variables
        if weight.name == "kernel"
    ]
    assert len(kernels) > 20
    assert not any(np.array_equal(one, other) for one, other in itertools.combinations(kernels, 2))


def test_the_seed_decides_the_fresh_weights(name):
    found = []
    for _ in range(2):
        keras.utils.set_random_seed(1)
        found.append([network.get_weights() for network in build(name, **SMALL)])
    for first, again in zip(*found, strict=True):
        assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))


def test_products_in_half_precision_give_images_and_judgements_in_float32(name):
    with timed_model.precision(True):
        pair = build(name, **SMALL)
    assert pair.generator.get_layer("conv1").compute_dtype != "float32"
    for network in pair:
        found = network(images(network), training=True)
        assert found.dtype == tf.float32
        assert np.isfinite(found).all()


@pytest.mark.parametrize("side", [1, 3, 12, 24, 33])
def test_a_small_image_is_translated_and_judged_or_refused_with_its_shape(name, side):
    try:
        pair = build(name, (side, side, 1), **SMALL)
    except ConfigError as error:
        assert f"{name} cannot take an input of shape ({side}, {side}, 1)" in str(error)
    else:
        for network in pair:
            assert np.isfinite(network(images(network))).all()


def test_an_image_too_small_for_its_borders_is_refused():
    without = {"blocks": 0, "discriminator_layers": 0}
    with pytest.raises(ConfigError, match=r"cannot take an input of shape \(3, 3, 1\)"):
        build("cyclegan", (3, 3, 1), **without)


@pytest.mark.parametrize("options", [{"wings": 2}, {"input_shape": [1, 1, 1]}])
def test_an_unknown_option_is_named(name, options):
    with pytest.raises(ConfigError, match=rf"{name}: .*{next(iter(options))}"):
        build(name, **options)


def test_an_option_of_the_wrong_type_is_named(name):
    module = import_module(f"tfdream.models.gan.{name}")
    for option in list(inspect.signature(module.build).parameters)[1:]:
        with pytest.raises(ConfigError, match=rf"{name}: .*{option}"):
            build(name, **{option: {"no": "such"}})


@pytest.mark.parametrize("unknown", ["hal", "lil_data"])
def test_an_unknown_pair_is_answered_with_the_known_ones(unknown):
    with pytest.raises(ConfigError, match=rf"model.name={unknown} is not one of: cyclegan, small_"):
        build(unknown)


def test_both_directions_lie_in_one_file(tmp_path):
    first, second = (build("cyclegan", **SMALL).generator for _ in range(2))
    both = gan.BidirectionalModel(first, second)
    assert both.count_params() == first.count_params() + second.count_params()
    both.save_weights(tmp_path / "both.weights.h5")
    others = [build("cyclegan", **SMALL).generator for _ in range(2)]
    gan.BidirectionalModel(*others).load_weights(tmp_path / "both.weights.h5")
    inputs = images(first)
    assert np.array_equal(others[0](inputs), first(inputs))
    assert np.array_equal(others[1](inputs), second(inputs))
    assert not np.array_equal(first(inputs), second(inputs))


# Zhu et al., appendix 7.2; "Dreaming in Music", section III-E


@pytest.mark.slow
def test_the_published_cyclegan_has_its_size():
    pair = build("cyclegan", (256, 256, 3))
    assert pair.generator.count_params() == 11_378_179
    assert pair.discriminator.count_params() == 2_764_737
    assert pair.generator.get_layer("block9").output.shape[1:] == (64, 64, 256)
    assert pair.discriminator.output.shape[1:] == (30, 30, 1)


def test_weights_of_a_cyclegan_begin_with_a_deviation_of_a_fiftieth():
    for network in build("cyclegan", filters=32, blocks=1, discriminator_filters=32):
        for weight in network.trainable_variables:
            if weight.name == "kernel" and np.prod(weight.shape) > 5000:
                assert np.std(weight) == pytest.approx(0.02, rel=0.05)  # of 5000 draws: 1 %
            elif weight.name == "bias":
                assert not np.any(weight)


@pytest.mark.parametrize(
    ("strided", "pixels"),
    [(3, 70), *(pytest.param(*each, marks=pytest.mark.slow) for each in [(2, 34), (1, 16)])],
)
def test_a_patch_has_the_published_size(strided, pixels):
    """The pixels that move one judgement, where no normalization lets it know of the others."""
    side = 128
    discriminator = build(
        "cyclegan", (side, side, 1), discriminator_filters=2, discriminator_layers=strided
    ).discriminator

    def plain(layer):
        if isinstance(layer, InstanceNormalization):
            return keras.layers.Activation("linear", name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    local = keras.models.clone_model(discriminator, clone_function=plain)
    image = images(local, batch=1)
    with tf.GradientTape() as tape:
        tape.watch(image)
        judged = local(image)
        middle = judged.shape[1] // 2
        one = judged[0, middle, middle, 0]
    moved = tape.gradient(one, image)[0, :, :, 0].numpy() != 0
    for axis in (0, 1):
        places = np.flatnonzero(moved.any(axis=axis))
        assert places[0] > 0
        assert places[-1] < side - 1
        assert places[-1] - places[0] + 1 == pixels


# "Music Generation Using Style Transfer", section 3.3


@pytest.mark.slow
def test_the_published_small_cyclegan_has_its_sizes():
    pair = build("small_cyclegan", (1025, 646, 1))
    assert pair.generator.output.shape[1:] == (1025, 646, 1)
    assert pair.generator.get_layer("conv1").output.shape[1:] == (1025, 646, 4)
    assert pair.generator.get_layer("block3").output.shape[1:] == (257, 162, 16)
    assert pair.discriminator.get_layer("pool3").output.shape[1:] == (16, 10, 32)
    assert pair.discriminator.get_layer("flatten").output.shape[1:] == (5120,)
    assert pair.discriminator.get_layer("dense").output.shape[1:] == (512,)
    assert pair.discriminator.output.shape[1:] == (1,)
