"""Contracts of every frozen classifier and feature network, and rules of folding."""

import random
from contextlib import suppress

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tfdream.config import FeatureNetworkConfig, ModelConfig
from tfdream.errors import ConfigError, ModelError
from tfdream.models import classifiers, feature_networks, inspect
from tfdream.models.freeze import freeze

# Inputs of architectures: small or large images, features, or samples.
INPUTS = [(32, 32, 1), (96, 96, 1), (256, 256, 1), (72, 1), (2000, 1)]
SMALL = {
    "random_conv1d": {"filters": 16},
    "random_rnn": {"units": 5, "features": 12},
    "vgg19": {"weights": "random"},
}
PRODUCTS = (layers.Conv1D, layers.Conv2D, layers.Dense)
# A product's inputs and weights are rounded by up to 2⁻⁹ each, at random: some thousandths of the
# norm of its output, which over the depth of ResNet-50 become a hundredth.
BFLOAT16 = 0.03
# Where two values are a rounding apart, ReLU and max pooling may send the gradient elsewhere.
BFLOAT16_COSINE = 0.9
# Its activations differ by less than bfloat16 resolves, because random statistics do not fit them.
# With the weights of musicnn_vgg_msd, gradients for music have cosines of 0.90 to 0.97.
UNTRAINED_COSINE = {"musicnn_vgg": 0.1}


def classifier(name):
    for candidate in INPUTS:
        with suppress(ConfigError):
            return classifiers.build(ModelConfig(name=name), candidate, 3)
    raise AssertionError(f"{name} accepts none of {INPUTS}; add one that it accepts")


def feature_network(name, shape=(33, 40, 1)):
    config = FeatureNetworkConfig(
        kind="features",
        name=name,
        options=SMALL[name],
        frontend={"kind": "log1p", "stft": {"n_fft": 64, "hop_samples": 16}},
    )
    return feature_networks.build(config, shape)


def with_random_statistics(model):
    """Set normalizations and biases to values that make an omitted or double folding visible."""
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            size = layer.moving_mean.shape
            layer.moving_mean.assign(rng.normal(0, 0.3, size))
            layer.moving_variance.assign(rng.uniform(0.5, 2, size))
            if layer.scale:
                layer.gamma.assign(rng.uniform(0.5, 1.5, size) * rng.choice([-1, 1], size))
            if layer.center:
                layer.beta.assign(rng.normal(0, 0.3, size))
        elif isinstance(layer, PRODUCTS) and layer.use_bias:
            layer.bias.assign(rng.normal(0, 0.1, layer.bias.shape))
    return model


def noise(tapped, shape, batch=1):
    free = tapped.input.shape[1:]
    size = [own or other for own, other in zip(free, shape, strict=True)]
    return tf.constant(np.random.default_rng(0).random((batch, *size)), tf.float32)


def difference(found, expected):
    """Return the difference of two arrays relative to the norm of the second."""
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def gradient(network, inputs):
    """Return the gradient of the activations' norms with respect to the input."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        norms = [tf.norm(found) for found in network(inputs, training=False).values()]
        value = tf.add_n(norms)
    return tape.gradient(value, inputs).numpy()


def normalizations(network):
    return {layer.name for layer in network.layers if isinstance(layer, layers.BatchNormalization)}


# Deep networks are slow. Smaller networks have the same types of layers, and the folding of
# ResNet-18 has separate tests below.
DEEP = {"resnet18", "resnet50", "vgg19"}
EVERY = [
    pytest.param(name, marks=pytest.mark.slow) if name in DEEP else name
    for name in (*classifiers.names(), *feature_networks.names())
]


@pytest.fixture(params=EVERY, scope="module")
def model(request):
    keras.utils.set_random_seed(0)
    is_classifier = request.param in classifiers.names()
    return with_random_statistics(
        classifier(request.param) if is_classifier else feature_network(request.param)
    )


@pytest.fixture(scope="module")
def size(model):
    return tuple(size or 40 for size in model.input.shape[1:])


@pytest.fixture(
    params=[
        *(
            pytest.param(tapped, marks=pytest.mark.slow)
            for tapped in ("every layer", "the deepest convolution")
        ),
        "the last layer",  # of all others
    ],
    scope="module",
)
def tapped(model, request):
    if request.param == "every layer":  # then nothing can be folded
        return inspect.tap(model, [layer.name for layer in model.layers[1:] if is_layer(layer)])
    named = [layer.name for layer in model.layers if is_layer(layer)]
    if request.param == "the last layer":
        return inspect.tap(model, ["logits" if "logits" in named else named[-1]])
    try:
        return inspect.tap(model, [inspect.deepest_convolution(model)])
    except ModelError:  # it has none: a layer on the way
        return inspect.tap(model, [named[len(named) // 2]])


@pytest.fixture(scope="module")
def exact(tapped):
    return freeze(tapped)


@pytest.fixture(scope="module")
def rounded(tapped):
    return freeze(tapped, "bfloat16")


def is_layer(operation):
    return isinstance(operation, keras.Layer)


def test_activations_are_those_of_the_tapped_network(tapped, exact, rounded, size):
    inputs = noise(tapped, size)
    expected = tapped(inputs, training=False)
    # Rounding of float32, 10⁻⁷, which fifty layers may amplify.
    for frozen, tolerance in [(exact, 1e-4), (rounded, BFLOAT16)]:
        found = frozen(inputs, training=False)
        assert set(found) == set(expected)
        for name, activations in found.items():
            assert activations.dtype == tf.float32
            assert difference(activations.numpy(), expected[name].numpy()) < tolerance, name


@pytest.mark.slow
def test_gradients_have_the_same_direction(model, tapped, exact, rounded, size):
    inputs = noise(tapped, size)
    expected = gradient(tapped, inputs).ravel()
    in_bfloat16 = UNTRAINED_COSINE.get(model.name, BFLOAT16_COSINE)
    for frozen, least in [(exact, 0.9999), (rounded, in_bfloat16)]:
        found = gradient(frozen, inputs).ravel()
        assert np.isfinite(found).all()
        cosine = found @ expected / (np.linalg.norm(found) * np.linalg.norm(expected))
        assert cosine > least


def test_weights_of_products_have_the_requested_precision(exact, rounded):
    for frozen, precision in [(exact, "float32"), (rounded, "bfloat16")]:
        products = [layer for layer in frozen.layers if isinstance(layer, PRODUCTS)]
        assert {weight.dtype for layer in products for weight in layer.weights} <= {precision}
        assert not any(layer.trainable_weights for layer in products)


def test_frozen_networks_accept_the_same_sizes(tapped, exact, rounded, size):
    larger = [own + 8 for own in size]  # where it is free
    shape = noise(tapped, larger).shape
    for frozen in (exact, rounded):
        assert frozen.input.shape == tapped.input.shape
        found, expected = frozen.compute_output_shape(shape), tapped.compute_output_shape(shape)
        assert found == expected


@pytest.mark.slow
def test_the_original_is_not_modified(model, tapped, size):
    def state():
        return [
            (layer.name, layer.trainable, layer.dtype_policy.name, len(layer.weights))
            for layer in model.layers
            if is_layer(layer)
        ]

    before, weights, drawn = state(), model.get_weights(), random.getstate()
    frozen = freeze(tapped, "bfloat16")
    frozen(noise(tapped, size), training=False)
    assert state() == before
    assert all(map(np.array_equal, model.get_weights(), weights))
    assert random.getstate() == drawn  # seeds, which Keras draws there, come in the same order


# Folding


def folded(model, names):
    """Return the names of the normalizations that freezing folds."""
    tapped = inspect.tap(model, names)
    return normalizations(tapped) - normalizations(freeze(tapped))


@pytest.mark.slow
def test_all_normalizations_of_resnet18_are_folded():
    resnet18 = with_random_statistics(classifier("resnet18"))
    frozen = freeze(inspect.tap(resnet18, ["conv13", "block8"]), "float32")
    assert normalizations(frozen) == {"norm13"}  # behind what is tapped
    assert not normalizations(freeze(inspect.tap(resnet18, ["logits"]), "bfloat16"))


def test_a_tapped_convolution_is_not_folded_with_its_normalization():
    model = with_random_statistics(classifier("mel_cnn"))
    tapped = inspect.tap(model, ["conv1", "norm1", "norm2"])
    inputs = noise(tapped, (64, 64, 1))
    expected, found = tapped(inputs, training=False), freeze(tapped)(inputs, training=False)
    for name in expected:
        assert difference(found[name].numpy(), expected[name].numpy()) < 1e-5, name  # float32
    assert folded(model, ["conv1", "norm1", "norm2"]) == {"norm2"}


def test_normalization_is_folded_into_the_next_convolution_unless_it_pads():
    raw = classifier("raw_conv1d")
    assert folded(raw, ["conv3"]) == {"norm0", "norm1", "norm2"}
    assert folded(raw, ["conv3", "norm1"]) == {"norm0", "norm2"}
    x = inputs = keras.Input((None, 2))
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Conv1D(3, 3, padding="same", name="conv")(x)
    assert folded(keras.Model(inputs, x), ["conv"]) == set()


def test_both_neighbors_of_a_convolution_are_folded():
    x = inputs = keras.Input((None, None, 4))
    x = layers.BatchNormalization(name="before")(x)
    x = layers.Conv2D(3, 3, use_bias=False, name="conv")(x)
    x = layers.BatchNormalization(axis=3, name="after")(x)
    model = with_random_statistics(keras.Model(inputs, layers.Activation("tanh", name="tanh")(x)))
    assert folded(model, ["tanh"]) == {"before", "after"}
    tapped = inspect.tap(model, ["tanh"])
    image = noise(tapped, (8, 9, 4))
    np.testing.assert_allclose(
        freeze(tapped)(image)["tanh"], tapped(image, training=False)["tanh"], atol=1e-5
    )


def test_normalization_after_an_activation_is_not_folded():
    x = inputs = keras.Input((5,))
    x = layers.BatchNormalization(name="norm1")(layers.Dense(4, name="linear")(x))
    x = layers.Dense(4, activation="relu", name="rectified")(layers.ReLU(name="relu")(x))
    x = layers.BatchNormalization(name="norm2")(x)
    assert folded(keras.Model(inputs, x), ["norm2"]) == {"norm1"}


def test_nothing_is_folded_into_a_shared_layer():
    shared = layers.Conv1D(2, 3, padding="same", name="shared")
    inputs = keras.Input((None, 2))
    x = layers.BatchNormalization(name="norm1")(shared(inputs))
    x = layers.BatchNormalization(name="norm2")(shared(x))
    model = with_random_statistics(keras.Model(inputs, layers.Add(name="sum")([inputs, x])))
    assert folded(model, ["sum"]) == set()
    tapped = inspect.tap(model, ["sum"])
    signal = noise(tapped, (20, 2))
    np.testing.assert_allclose(
        freeze(tapped)(signal)["sum"], tapped(signal, training=False)["sum"], atol=1e-5
    )


def test_a_remaining_normalization_is_not_updated():
    x = inputs = keras.Input((None, 2))
    x = layers.BatchNormalization(name="norm")(x)
    model = with_random_statistics(keras.Model(inputs, layers.ReLU(name="relu")(x)))
    frozen = freeze(inspect.tap(model, ["relu"]))
    signal = noise(frozen, (20, 2))
    before = model.get_weights()
    at_rest = frozen(signal, training=False)["relu"]
    np.testing.assert_array_equal(frozen(signal, training=True)["relu"], at_rest)
    assert all(map(np.array_equal, model.get_weights(), before))


def test_layers_for_training_are_removed():
    x = inputs = keras.Input((6,), name="input")
    x = layers.GaussianNoise(0.5, name="noise")(x)
    x = layers.Dense(4, name="dense")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    x = layers.BatchNormalization(name="norm")(x)
    model = with_random_statistics(keras.Model(inputs, x))
    frozen = freeze(inspect.tap(model, ["norm"]))
    assert not {"noise", "dropout", "norm"} & {layer.name for layer in frozen.layers}
    # As outputs these layers are the identity.
    values = noise(frozen, (6,))
    tapped = freeze(inspect.tap(model, ["noise", "dense", "dropout"]))(values, training=True)
    np.testing.assert_array_equal(tapped["noise"], values)
    np.testing.assert_array_equal(tapped["dropout"], tapped["dense"])


def test_layers_of_other_types_are_shared():
    model = feature_network("random_rnn")
    frozen = freeze(inspect.tap(model, ["linear"]), "bfloat16")
    assert frozen.get_layer("recurrent") is model.get_layer("recurrent")
    assert frozen.get_layer("linear") is not model.get_layer("linear")
