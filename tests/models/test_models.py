"""Contracts of every classifier, and particular properties of some."""

import functools
from contextlib import suppress
from importlib import import_module
from inspect import signature

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import Experiment, ModelConfig, load
from tfdream.errors import ConfigError, ModelError
from tfdream.models import classifiers, inspect
from tfdream.models.parts.outputs import is_multi_label

CLASSES = 3
# Inputs of architectures: images, features, or samples, the smallest first for the default depth.
INPUTS = [(32, 32, 1), (96, 96, 1), (256, 256, 1), (72, 1), (2000, 1)]


@functools.cache
def initial(name):
    """Return an architecture for the first of `INPUTS` that it accepts, and its initial weights."""
    for shape in INPUTS:
        keras.utils.set_random_seed(0)
        with suppress(ConfigError):
            model = classifiers.build(ModelConfig(name=name), shape, CLASSES)
            return model, model.get_weights()
    raise AssertionError(f"{name} accepts none of {INPUTS}; add one that it accepts")


def build(name, shape=None, **options):
    config = ModelConfig(name=name, options=options)
    return classifiers.build(config, shape or initial(name)[0].input.shape[1:], CLASSES)


def accepts_any_size(tapped):
    return all(size is None for size in tapped.input.shape[1:-1])


def noise(model, batch=2):
    rng = np.random.default_rng(0)
    return tf.constant(rng.uniform(0, 1, (batch, *model.input.shape[1:])), tf.float32)


# Deep architectures take seconds for each test; tests of their particular properties are below.
DEEP = {"resnet18", "resnet50"}
NAMES = [
    pytest.param(name, marks=pytest.mark.slow) if name in DEEP else name
    for name in classifiers.names()
]


@pytest.fixture(params=NAMES, scope="module")
def name(request):
    return request.param


@pytest.fixture(scope="module")
def model(name):
    return initial(name)[0]


@pytest.fixture(scope="module")
def again(name, model):
    """The same architecture with the same random seed, built later."""
    keras.utils.set_random_seed(0)
    return build(name)


def test_probabilities_are_float32_and_sum_to_one(model):
    probabilities = model(noise(model, batch=5), training=False)
    assert probabilities.shape == (5, CLASSES)
    assert probabilities.dtype == tf.float32
    assert (probabilities.numpy() >= 0).all()
    np.testing.assert_allclose(tf.reduce_sum(probabilities, axis=1), 1, atol=1e-6)  # float32


def test_the_last_layers_have_the_documented_names(model):
    tapped = inspect.tap(model, ["embedding", "logits", "probabilities"])
    inputs = noise(model)
    result = tapped(inputs, training=False)
    assert result["embedding"].shape.rank == 2
    assert result["logits"].shape == (2, CLASSES)
    assert result["logits"].dtype == tf.float32
    # Softmax is not linear, so that this detects other logits.
    np.testing.assert_allclose(tf.nn.softmax(result["logits"]), result["probabilities"], atol=1e-6)
    np.testing.assert_allclose(result["probabilities"], model(inputs, training=False), atol=1e-6)


def test_layer_names_do_not_depend_on_earlier_models(model, again):
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]


def test_the_summary_of_layers_is_complete(model):
    result = inspect.layers(model)
    assert [layer["name"] for layer in result] == [layer.name for layer in model.layers]
    assert result[-1]["name"] == "probabilities"
    assert result[-1]["output_shape"] == [None, CLASSES]
    assert all(isinstance(layer["type"], str) for layer in result)


def test_images_of_a_batch_are_independent(model):
    inputs = noise(model, batch=3)
    alone = model(inputs[1:2], training=False)
    # Sums are in another order for other batch sizes: parts in 10⁶.
    np.testing.assert_allclose(model(inputs, training=False)[1:2], alone, atol=1e-5)


def test_initial_weights_depend_on_the_seed(name, again):
    for weight, same in zip(initial(name)[1], again.get_weights(), strict=True):
        assert np.array_equal(weight, same)


def test_saved_weights_restore_the_model(model, again, tmp_path):
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    again.set_weights([np.full_like(weight, 7) for weight in again.get_weights()])
    again.load_weights(path)
    for weight, loaded in zip(model.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(weight, loaded)
    inputs = noise(model)
    assert np.array_equal(model(inputs, training=False), again(inputs, training=False))


def test_every_logit_has_a_gradient_at_the_input(model):
    inputs = noise(model)
    network = inspect.tap(model, ["logits"])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        logits = tf.unstack(network(inputs, training=False)["logits"], axis=1)
    assert len(logits) == CLASSES
    for logit in logits:
        gradient = tape.gradient(logit, inputs).numpy()
        assert np.isfinite(gradient).all()
        assert all(np.abs(one).max() > 0 for one in gradient)


def test_every_weight_has_a_gradient(model):
    inputs = noise(model)
    with tf.GradientTape() as tape:
        probabilities = model(inputs, training=True)
        loss = -tf.reduce_sum(tf.math.log(probabilities[:, 0]))
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(gradient is not None for gradient in gradients)


def test_the_deepest_convolution_can_be_tapped(name, model):
    if name in {"softmax", "texture_mlp"}:
        with pytest.raises(ModelError, match="has no convolution"):
            inspect.deepest_convolution(model)
        return
    layer = inspect.deepest_convolution(model)
    tapped = inspect.tap(model, [layer])
    if "standardize" in [layer.name for layer in model.layers]:  # it has a weight for each row
        assert tapped.input.shape[1] == model.input.shape[1]
        assert all(size is None for size in tapped.input.shape[2:-1])
    else:
        assert accepts_any_size(tapped)
    activations = tapped(noise(model), training=False)[layer]
    assert activations.shape.rank == len(model.input.shape)


@pytest.mark.parametrize("options", [{"wings": 2}, {"classes": 5}, {"input_shape": [1, 1, 1]}])
def test_an_unknown_option_is_named(name, options):
    with pytest.raises(ConfigError, match=rf"{name}: .*{next(iter(options))}"):
        build(name, **options)


def test_an_option_of_the_wrong_type_is_named(name):
    options = signature(import_module(f"tfdream.models.classifiers.{name}").build).parameters
    for option in list(options)[2:]:
        with pytest.raises(ConfigError, match=rf"{name}: .*{option}"):
            build(name, **{option: {"no": "such"}})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("filterbank_cnn", {"widths": [96, 128]}, "widths=.* convolutions=.* differ in length"),
        ("mel_cnn", {"convolutions": [1]}, "widths=.* convolutions=.* differ in length"),
        ("raw_conv1d", {"strides": [2]}, "strides=.* differ in length"),
        ("lil_data", {"dropout": 1.5}, "dropout=1.5"),
        ("mel_cnn", {"kernel_size": 0}, "kernel_size=0"),
        ("feature_cnn", {"dropout": [0.2, 1.0]}, "dropout"),
    ],
)
def test_options_that_do_not_fit_are_named_instead_of_the_input(name, options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        build(name, **options)
    assert "input of shape" not in str(caught.value)


def test_a_small_input_is_accepted_or_an_error_with_its_shape(name, model):
    """With padding some networks accept a single pixel; in others nothing remains."""
    small = (1,) * (len(model.input.shape) - 2) + (model.input.shape[-1],)
    try:
        network = build(name, small)
    except ConfigError as error:
        assert f"{name} does not accept an input of shape {small}" in str(error)
    else:
        assert np.isfinite(network(noise(network), training=False)).all()


def test_an_input_of_the_wrong_rank_is_an_error_with_its_shape(name, model):
    wrong = (64, 1) if len(model.input.shape) == 4 else (64, 64, 1)
    with pytest.raises(ConfigError, match=rf"{name} does not accept an input of shape"):
        build(name, wrong)


def test_an_unknown_architecture_is_an_error_that_lists_the_names():
    with pytest.raises(ConfigError, match=r"model.name=hal is not one of: .*lil_data"):
        classifiers.build(ModelConfig(name="hal"), (8, 8, 1), 2)


# Taps


@pytest.fixture(scope="module")
def small():
    return build("lil_data", (64, 48, 1), filters=(4, 8), dense_units=5)


def test_a_tap_returns_the_activations_of_the_model(small):
    inputs = noise(small)
    names = [layer.name for layer in small.layers[1:]]
    everything = keras.Model(small.input, {name: small.get_layer(name).output for name in names})(
        inputs, training=False
    )
    for name in names:
        result = inspect.tap(small, [name])(inputs, training=False)
        assert set(result) == {name}
        # The same sums, perhaps fused in another order: parts in 10⁶.
        np.testing.assert_allclose(result[name], everything[name], atol=1e-5, err_msg=name)


def test_a_tap_computes_nothing_beyond_its_deepest_layer(small):
    tapped = inspect.tap(small, ["conv1", "pool1"])
    assert {layer.name for layer in tapped.layers[1:]} == {"conv1", "pool1"}


def test_a_tap_shares_the_weights(small):
    tapped = inspect.tap(small, ["conv2"])
    assert tapped.get_layer("conv2").kernel is small.get_layer("conv2").kernel


def test_taps_of_convolutions_accept_images_of_any_size(small):
    tapped = inspect.tap(small, ["conv2"])
    assert accepts_any_size(tapped)
    for height, width in [(64, 48), (17, 130), (8, 8)]:
        result = tapped(tf.zeros((1, height, width, 1)), training=False)["conv2"]
        assert result.shape == (1, height // 4, width // 4, 8)


def test_a_convolution_is_local_in_a_longer_image(small):
    image = noise(small)
    tapped = inspect.tap(small, ["conv1"])
    longer = tf.concat([image, image], axis=2)
    whole = tapped(longer, training=False)["conv1"]
    # All columns except the one at the border.
    np.testing.assert_allclose(
        whole[:, :, :47], tapped(image, training=False)["conv1"][:, :, :47], atol=1e-5
    )


def test_a_tap_after_a_dense_layer_has_a_fixed_size(small):
    tapped = inspect.tap(small, ["conv1", "embedding"])
    assert not accepts_any_size(tapped)
    assert tapped(noise(small), training=False)["embedding"].shape == (2, 5)


def test_a_tap_of_a_layer_with_weights_and_several_inputs_accepts_any_length():
    frames = keras.Input((8, 3))
    attention = keras.layers.AdditiveAttention(use_scale=True, name="attention")
    model = keras.Model(frames, attention([frames, frames]))
    tapped = inspect.tap(model, ["attention"])
    assert tapped(tf.zeros((1, 20, 3)))["attention"].shape == (1, 20, 3)


def test_an_unknown_layer_is_an_error_that_lists_the_layers(small):
    with pytest.raises(ModelError, match=r"'conv9' is not in the model.*conv1, .*probabilities"):
        inspect.tap(small, ["conv1", "conv9"])


def test_a_model_without_a_convolution_is_an_error():
    dense = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="only")])
    with pytest.raises(ModelError, match=r"no convolution; its layers: .*only"):
        inspect.deepest_convolution(dense)


# Lil Data, "On the Generation of Music", section 4


def test_lil_data_has_the_published_size():
    model = classifiers.build(ModelConfig(name="lil_data"), (631, 631, 1), classes=4)
    # 80 + 1168 + 4640 + 18 496 in the convolutions, 256·48 + 48 and 48·4 + 4 in the dense layers.
    assert model.count_params() == 36_916
    shapes = {layer["name"]: layer["output_shape"] for layer in inspect.layers(model)}
    assert shapes["conv1"] == [None, 631, 631, 8]
    assert shapes["conv2"] == [None, 157, 157, 16]
    assert shapes["conv3"] == [None, 39, 39, 32]
    assert shapes["conv4"] == [None, 9, 9, 64]
    assert shapes["embedding"] == [None, 48]
    assert inspect.deepest_convolution(model) == "conv4"
    tapped = inspect.tap(model, ["conv1", "conv2", "conv3", "conv4"])
    assert set(tapped(tf.zeros((1, 64, 64, 1)), training=False)) == set(tapped.output)


def test_lil_data_can_be_centered_like_resnet50():
    """The mean of Keras' three channels for a gray image."""
    model = build("lil_data", (64, 48, 1), filters=(4, 8), dense_units=5, imagenet_center=True)
    image = noise(model)
    centered = inspect.tap(model, ["center"])(image)["center"]
    gray = 255 * np.repeat(image, 3, axis=-1)
    expected = keras.applications.resnet50.preprocess_input(gray).mean(axis=-1, keepdims=True)
    np.testing.assert_allclose(centered, expected, atol=1e-4)


def test_the_raw_network_as_published_has_its_sizes():
    model = build("raw_conv1d", (40000, 1))
    shapes = [model.get_layer(f"conv{number}").output.shape[1:] for number in (1, 2, 3)]
    assert shapes == [(19997, 8), (4992, 8), (1217, 8)]
    norm = model.get_layer("norm0")
    assert (norm.epsilon, norm.center, norm.scale) == (1e-4, False, False)


def test_initial_weights_of_the_raw_network_have_the_printed_range():
    """U(±1/√n) for n inputs of a unit; Glorot's range depends on the outputs, too."""
    options = load("raw_conv1d", Experiment).model.options
    for initializer, limit in (
        (options["initializer"], lambda inputs, outputs: inputs**-0.5),
        ("glorot_uniform", lambda inputs, outputs: (6 / (inputs + outputs)) ** 0.5),
    ):
        keras.utils.set_random_seed(0)
        model = build("raw_conv1d", (4000, 1), **options | {"initializer": initializer})
        for name, inputs, outputs in (
            ("conv2", 8 * 32, 8 * 32),
            ("conv3", 8 * 128, 8 * 128),
            ("embedding", *model.get_layer("embedding").kernel.shape),
        ):
            largest = np.abs(model.get_layer(name).kernel.numpy()).max()
            assert largest == pytest.approx(limit(inputs, outputs), rel=0.01)
            assert largest <= limit(inputs, outputs)


# Features, "Music generation using style transfer"


def test_the_autocorrelogram_network_has_the_published_layers():
    model = classifiers.build(ModelConfig(name="autocorrelogram_cnn"), (51, 1), classes=10)
    shapes = {layer["name"]: layer["output_shape"] for layer in inspect.layers(model)}
    assert shapes["conv1"] == [None, 48, 32]
    assert shapes["flatten"] == [None, 1536]
    assert shapes["embedding"] == [None, 64]
    # 4·32 + 32 in the convolution, 4·32 in the normalization, then the dense layers.
    dense = 1536 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10
    assert model.count_params() == 160 + 128 + dense == 205_930


@pytest.mark.parametrize("standardize", [True, False])
def test_the_feature_network_has_the_published_layers(standardize):
    options = {"standardize": standardize}
    model = classifiers.build(ModelConfig(name="feature_cnn", options=options), (72, 1), classes=10)
    shapes = {layer["name"]: layer["output_shape"] for layer in inspect.layers(model)}
    assert shapes["conv1"] == [None, 69, 32]
    assert shapes["pool1"] == [None, 34, 32]
    assert shapes["conv2"] == [None, 32, 64]
    assert shapes["flatten"] == [None, 2048]
    assert shapes["dense"] == [None, 256]
    assert shapes["embedding"] == [None, 64]
    convolutions = (4 * 32 + 32) + 4 * 32 + (3 * 32 * 64 + 64) + 4 * 64
    dense = 2048 * 256 + 256 + 256 * 64 + 64 + 64 * 10 + 10
    # Mean and variance of each feature, and how many clips they are of.
    assert model.count_params() == convolutions + dense + standardize * (2 * 72 + 1)
    assert ("standardize" in shapes) == standardize


@pytest.mark.parametrize("name", ["feature_cnn", "autocorrelogram_cnn"])
def test_the_networks_on_features_are_those_of_pytorch(name):
    model, _ = initial(name)
    assert {
        (layer.momentum, layer.epsilon)
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    } == {(0.9, 1e-5)}
    slopes = {
        layer.negative_slope for layer in model.layers if isinstance(layer, keras.layers.LeakyReLU)
    }
    assert slopes == ({0.01} if name == "feature_cnn" else set())


def test_features_are_standardized_after_adapting(tmp_path):
    model = build("feature_cnn")
    layer = model.get_layer("standardize")
    rng = np.random.default_rng(0)
    scales = np.geomspace(1e-2, 1e4, 72)[:, None]
    clips = (scales * (3 + rng.standard_normal((500, 72, 1)))).astype(np.float32)
    np.testing.assert_array_equal(layer(clips), clips)  # identity before adapting
    layer.adapt(clips)
    result = layer(clips).numpy()
    np.testing.assert_allclose(result.mean(axis=0), 0, atol=1e-4)  # float32
    np.testing.assert_allclose(result.std(axis=0), 1, atol=1e-4)
    # The statistics are part of the saved weights.
    model.save_weights(tmp_path / "model.weights.h5")
    other = build("feature_cnn")
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(
        other(clips[:2], training=False), model(clips[:2], training=False)
    )


# Published sizes


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.fixture(scope="module")
def resnet18():
    """The network for three channels and the classes of ImageNet."""
    return classifiers.build(ModelConfig(name="resnet18"), (512, 512, 3), 1000)


def test_resnet18_has_the_published_number_of_weights(resnet18):
    assert trainable(resnet18) == 11_689_512


def test_resnet18_numbers_convolutions_along_the_main_path(resnet18):
    convolutions = [f"conv{number}" for number in range(1, 18)]
    result = {layer.name for layer in resnet18.layers if isinstance(layer, keras.layers.Conv2D)}
    assert result == {*convolutions, "shortcut6", "shortcut10", "shortcut14"}
    assert resnet18.get_layer("conv13").output.shape[1:] == (32, 32, 256)
    assert resnet18.get_layer("conv17").output.shape[1:] == (16, 16, 512)


@pytest.mark.slow
def test_resnet50_has_the_published_number_of_weights():
    model = classifiers.build(ModelConfig(name="resnet50"), (64, 64, 1), 1000)
    assert model.count_params() == 25_636_712  # as Keras documents


@pytest.mark.slow
def test_resnet50_loads_weights_from_a_file(tmp_path):
    path = tmp_path / "resnet50.weights.h5"
    original = keras.applications.ResNet50(include_top=False, weights=None)
    original.save_weights(path)
    model = build("resnet50", (64, 64, 1), weights=str(path))
    image = np.random.default_rng(0).uniform(0, 1, (1, 64, 64, 1)).astype(np.float32)
    rgb = np.repeat(image, 3, axis=-1)
    expected = original(keras.applications.resnet.preprocess_input(255 * rgb))
    embedding = inspect.tap(model, ["embedding"])(image)["embedding"]
    np.testing.assert_allclose(embedding, np.mean(expected, axis=(1, 2)), atol=1e-5)


@pytest.mark.parametrize("weights", ["nothing.h5", "imagenet21k"])
def test_missing_weights_of_resnet50_are_an_error(weights):
    with pytest.raises(ModelError, match="neither a file nor 'imagenet' nor 'random'"):
        build("resnet50", (64, 64, 1), weights=weights)


def test_batch_normalization_is_synchronized(model):
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            assert layer.synchronized


def test_mel_cnn_pools_time_by_mean_and_maximum():
    model = build("mel_cnn", (64, 100, 1))
    image = noise(model, batch=1)
    result = inspect.tap(model, ["relu5", "embedding"])(image)
    rows = tf.reduce_mean(result["relu5"], axis=1)
    expected = tf.concat([tf.reduce_mean(rows, axis=1), tf.reduce_max(rows, axis=1)], axis=1)
    np.testing.assert_allclose(result["embedding"], expected, atol=1e-5)  # sums in another order


@pytest.mark.parametrize(
    ("name", "options", "parameters"),
    [
        ("musicnn", {}, 792_079),
        ("musicnn_vgg", {"pools": "magnatagatune"}, 607_030),
        ("musicnn_vgg", {"pools": "million_song"}, 607_030),
    ],
)
def test_the_networks_of_musicnn_have_the_published_sizes(name, options, parameters):
    """Parameters of the published checkpoints, of 96 mel bands and 187 frames."""
    config = ModelConfig(name=name, options=options)
    assert classifiers.build(config, (96, 187, 1), 50).count_params() == parameters


@pytest.mark.parametrize("name", ["musicnn", "musicnn_vgg"])
def test_independent_labels_have_a_sigmoid_each(name):
    model = build(name, multi_label=True)
    assert is_multi_label(model)
    assert not is_multi_label(initial(name)[0])
    result = inspect.tap(model, ["logits", "probabilities"])(noise(model), training=False)
    expected = tf.sigmoid(result["logits"])
    np.testing.assert_allclose(result["probabilities"], expected, atol=1e-6)  # float32


def test_musicnn_accepts_other_durations():
    model = build("musicnn", (96, 187, 1))
    tapped = inspect.tap(model, ["embedding", "block3"])
    for frames in (187, 60, 400):
        result = tapped(tf.ones((1, 96, frames, 1)), training=False)
        assert result["block3"].shape == (1, 1, frames, 64)
        assert result["embedding"].shape == (1, 200)


def test_softmax_regression_has_a_weight_for_every_pixel_and_class():
    assert trainable(build("softmax", (631, 631, 1))) == CLASSES * (631 * 631 + 1)
