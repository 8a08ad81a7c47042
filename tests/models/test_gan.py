"""Contracts of every GAN, and particular properties of the published ones."""

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
def networks(name, shape):
    keras.utils.set_random_seed(0)
    return build(name, shape, **SMALL)


@pytest.fixture(scope="module")
def again(name, shape, networks):
    """The same networks with the same random seed, built later."""
    keras.utils.set_random_seed(0)
    return build(name, shape, **SMALL)


each_network = pytest.mark.parametrize("role", gan.GanNetworks._fields)


def test_the_published_gans_are_discovered():
    assert {"cyclegan", "small_cyclegan"} <= set(gan.names())
    assert not set(gan.names()) & set(classifiers.names())


def test_a_generator_returns_images_of_the_shape_of_its_input(networks, shape):
    translated = networks.generator(images(networks.generator), training=True)
    assert translated.shape == (2, *shape)
    assert translated.dtype == tf.float32
    assert float(tf.reduce_max(tf.abs(translated))) <= 1
    assert np.ptp(translated) > 0


def test_a_discriminator_processes_images_independently(networks):
    inputs = images(networks.discriminator, batch=3)
    logits = networks.discriminator(inputs, training=True)
    assert logits.shape[0] == 3
    assert logits.dtype == tf.float32
    # Sums are in another order for other batch sizes: parts in 10⁶.
    np.testing.assert_allclose(logits[1:2], networks.discriminator(inputs[1:2]), atol=1e-5)


@each_network
def test_the_gradient_reaches_the_image_and_every_weight(networks, role):
    network = getattr(networks, role)
    inputs = images(network)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        found = network(inputs, training=True)
        total = tf.reduce_sum(found * tf.random.stateless_normal(found.shape, [0, 0]))
    own, *gradients = tape.gradient(total, [inputs, *network.trainable_variables])
    assert np.isfinite(own).all()
    assert all(np.abs(one).max() > 0 for one in own.numpy())
    assert all(gradient is not None for gradient in gradients)


def test_initial_weights_depend_on_the_seed(networks, again):
    for network, other in zip(networks, again, strict=True):
        for first, same in zip(network.trainable_weights, other.trainable_weights, strict=True):
            assert np.array_equal(first, same)


def test_saved_weights_restore_the_networks(networks, again, tmp_path):
    path = tmp_path / "network.weights.h5"
    for network, other in zip(networks, again, strict=True):
        assert [layer.name for layer in other.layers] == [layer.name for layer in network.layers]
        network.save_weights(path)
        other.set_weights([np.full_like(weight, 7) for weight in other.get_weights()])
        other.load_weights(path)
        for weight, loaded in zip(network.get_weights(), other.get_weights(), strict=True):
            assert np.array_equal(weight, loaded)
        assert np.array_equal(network(images(network)), other(images(network)))


def test_initial_weights_differ_between_layers(name):
    """They also differ between networks; a shared initializer would make blocks equal."""
    kernels = [
        weight.numpy().ravel()[:8]
        for _ in range(2)
        for network in build(name, **SMALL | {"blocks": 2})
        for weight in network.trainable_variables
        if weight.name == "kernel" and np.any(weight)  # the last one may be zero
    ]
    assert len(kernels) > 15
    assert not any(np.array_equal(one, other) for one, other in itertools.combinations(kernels, 2))


def test_outputs_are_float32_in_mixed_precision(name):
    with timed_model.precision(True):
        networks = build(name, **SMALL)
    assert {layer.compute_dtype for layer in networks.generator.layers} != {"float32"}
    for network in networks:
        found = network(images(network), training=True)
        assert found.dtype == tf.float32
        assert np.isfinite(found).all()


def test_a_small_image_is_accepted_or_an_error_with_its_shape(name):
    for side in (1, 3, 12, 33):
        try:
            networks = build(name, (side, side, 1), **SMALL)
        except ConfigError as error:
            message = f"{name} does not accept an input of shape ({side}, {side}, 1)"
            assert message in str(error)
        else:
            for network in networks:
                assert np.isfinite(network(images(network))).all()


def test_an_image_too_small_for_reflection_is_an_error():
    without = {"blocks": 0, "discriminator_layers": 0}
    with pytest.raises(ConfigError, match=r"does not accept an input of shape \(3, 3, 1\)"):
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
def test_an_unknown_name_is_an_error_that_lists_the_names(unknown):
    with pytest.raises(ConfigError, match=rf"model.name={unknown} is not one of: cyclegan, small_"):
        build(unknown)


def test_one_file_holds_the_weights_of_both_directions(tmp_path):
    def build_small():
        return build("cyclegan", (12, 12, 1), **SMALL, discriminator_layers=0).generator

    first, second = build_small(), build_small()
    both = gan.BidirectionalModel(first, second)
    assert both.count_params() == first.count_params() + second.count_params()
    both.save_weights(tmp_path / "both.weights.h5")
    others = [build_small() for _ in range(2)]
    gan.BidirectionalModel(*others).load_weights(tmp_path / "both.weights.h5")
    inputs = images(first)
    assert np.array_equal(others[0](inputs), first(inputs))
    assert np.array_equal(others[1](inputs), second(inputs))
    assert not np.array_equal(first(inputs), second(inputs))


def test_the_untrained_temporal_cnn_changes_nothing_but_the_maximum():
    generator = build("temporal_cnn", (8, 6, 1)).generator
    image = images(generator)
    shift = 1 - tf.reduce_max(image, axis=[1, 2, 3], keepdims=True)
    np.testing.assert_allclose(generator(image), image + shift, atol=1e-6)


def test_changes_of_the_temporal_cnn_are_bounded():
    generator = build("temporal_cnn", (8, 6, 1), bound=0.1).generator
    generator.get_layer("change_of_frames").bias.assign(np.linspace(-1e3, 1e3, 8))
    image = images(generator)
    change = (generator(image) - image).numpy()
    span = change.max(axis=(1, 2, 3)) - change.min(axis=(1, 2, 3))
    np.testing.assert_allclose(span, 4 * 0.1, atol=0.01)  # of a range of 2, in both directions
    silence = -tf.ones_like(image)
    assert np.array_equal(generator(silence), silence)


# Zhu et al., appendix 7.2; "Dreaming in Music", section III-E


@pytest.mark.slow
def test_the_published_cyclegan_has_its_size():
    networks = build("cyclegan", (256, 256, 3))
    assert networks.generator.count_params() == 11_378_179
    assert networks.discriminator.count_params() == 2_764_737
    assert networks.generator.get_layer("block9").output.shape[1:] == (64, 64, 256)
    assert networks.discriminator.output.shape[1:] == (30, 30, 1)


def test_initial_weights_of_a_cyclegan_have_the_published_deviation():
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
    """Only the pixels of the patch affect its logit, without normalization over the image."""
    side = 128
    discriminator = build(
        "cyclegan", (side, side, 1), discriminator_filters=2, discriminator_layers=strided
    ).discriminator

    def plain(layer):
        if isinstance(layer, keras.layers.GroupNormalization):
            return keras.layers.Activation("linear", name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    local = keras.models.clone_model(discriminator, clone_function=plain)
    image = images(local, batch=1)
    with tf.GradientTape() as tape:
        tape.watch(image)
        logits = local(image)
        middle = logits.shape[1] // 2
        one = logits[0, middle, middle, 0]
    affected = tape.gradient(one, image)[0, :, :, 0].numpy() != 0
    for axis in (0, 1):
        places = np.flatnonzero(affected.any(axis=axis))
        assert places[0] > 0
        assert places[-1] < side - 1
        assert places[-1] - places[0] + 1 == pixels


# "Music Generation Using Style Transfer", section 3.3


@pytest.mark.slow
def test_the_published_small_cyclegan_has_its_sizes():
    networks = build("small_cyclegan", (1025, 646, 1))
    assert networks.generator.output.shape[1:] == (1025, 646, 1)
    assert networks.generator.get_layer("conv1").output.shape[1:] == (1025, 646, 4)
    assert networks.generator.get_layer("block3").output.shape[1:] == (257, 162, 16)
    assert networks.discriminator.get_layer("pool3").output.shape[1:] == (16, 10, 32)
    assert networks.discriminator.get_layer("flatten").output.shape[1:] == (5120,)
    assert networks.discriminator.get_layer("dense").output.shape[1:] == (512,)
    assert networks.discriminator.output.shape[1:] == (1,)
