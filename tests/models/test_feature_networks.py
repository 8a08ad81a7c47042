import hashlib
from dataclasses import replace

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import FeatureNetworkConfig
from tfdream.errors import ConfigError, ModelError
from tfdream.models import feature_networks, inspect
from tfdream.models.feature_networks import vgg19

SMALL = {
    "random_conv1d": {"filters": 16},
    "random_rnn": {"units": 5, "features": 12},
    "vgg19": {"weights": "random"},
}
SHAPE = (33, 40, 1)
each_network = pytest.mark.parametrize("name", feature_networks.names())


def build(name, shape=SHAPE, **options):
    config = FeatureNetworkConfig(
        kind="features",
        name=name,
        options={**SMALL[name], **options},
        frontend={"kind": "log1p", "stft": {"n_fft": 64, "hop_samples": 16}},
    )
    return feature_networks.build(config, shape)


def image(frames=SHAPE[1], seed=0):
    rng = np.random.default_rng(seed)
    return tf.constant(rng.random((2, SHAPE[0], frames, 1)), tf.float32)


def layer_names(model):
    return [layer.name for layer in model.layers if layer.weights]


@pytest.fixture(scope="module")
def models():
    """Every network by name; tests do not change them."""
    return {name: build(name) for name in feature_networks.names()}


@each_network
def test_tapped_layers_have_a_gradient_at_the_input(models, name):
    model = models[name]
    tapped = inspect.tap(model, layer_names(model))
    inputs = image()
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        activations = tapped(inputs)
        energy = tf.add_n([tf.reduce_sum(values**2) for values in activations.values()])
    gradient = tape.gradient(energy, inputs).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


@each_network
def test_weights_depend_on_the_seed(models, name):
    networks = (models[name], build(name, seed=0), build(name, seed=2))
    weights = [network.get_weights() for network in networks]
    assert all((a == b).all() for a, b in zip(weights[0], weights[1], strict=True))
    assert any((a != b).any() for a, b in zip(weights[0], weights[2], strict=True))


@each_network
def test_an_unknown_option_is_named(name):
    with pytest.raises(ConfigError, match="color"):
        build(name, color="blue")


@pytest.mark.parametrize("name", ["random_conv1d", "vgg19"])
def test_any_number_of_frames_is_accepted(models, name):
    assert models[name](image(frames=64)).shape[0] == 2


def test_a_recurrent_network_over_time_accepts_any_number_of_frames():
    assert build("random_rnn", over="time")(image(frames=7)).shape == (2, 7, 12)


def test_a_recurrent_network_over_frequency_has_one_step_for_each_bin(models):
    assert models["random_rnn"](image()).shape == (2, 33, 12)


@pytest.mark.parametrize(("cell", "width"), [("rnn", 5), ("bilstm", 10)])
def test_the_recurrent_layer_has_the_configured_units(cell, width):
    model = build("random_rnn", cell=cell)
    assert inspect.tap(model, ["recurrent"])(image())["recurrent"].shape[-1] == width


def test_the_directions_of_a_bidirectional_network_have_their_own_weights():
    weights = build("random_rnn", cell="bilstm").get_layer("recurrent").get_weights()
    forward, backward = weights[:3], weights[3:]
    for one, other in zip(forward, backward, strict=True):
        assert one.shape == other.shape
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.5


def test_a_network_whose_features_are_frames_requires_their_number():
    for cell in ("rnn", "bilstm"):
        tapped = inspect.tap(build("random_rnn", cell=cell), ["linear"])
        with pytest.raises(ConfigError, match=r"require an input of shape .* do not set tiles"):
            inspect.check_input(tapped, (33, 7, 1))


def test_octaves_of_a_network_with_a_fixed_height_reduce_time_only():
    image = keras.Input((33, None, 1))
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D(name="mean")(image))
    tapped = inspect.tap(model, ["mean"])
    inspect.check_input(tapped, (33, 20, 1), (33, 10))
    with pytest.raises(ConfigError, match=r"octaves.count=1, or reduce time .* octaves.axes=time$"):
        inspect.check_input(tapped, (33, 20, 1), (16, 10))


def test_the_published_convolution_has_its_size():
    model = build("random_conv1d", shape=(1025, 10, 1), filters=4096)
    assert model.count_params() == 1025 * 3 * 4096 + 4096


def test_vgg19_repeats_and_centers_gray_images(models):
    model = models["vgg19"]
    first = model.get_layer("block1_conv1")
    gray = image().numpy()
    three = np.repeat(gray, 3, axis=-1) * 255 - np.array([103.939, 116.779, 123.68])
    expected = keras.ops.convert_to_numpy(first(three.astype(np.float32)))
    activations = inspect.tap(model, ["block1_conv1"])(image())["block1_conv1"]
    np.testing.assert_allclose(
        activations, expected, rtol=1e-4, atol=1e-3
    )  # float32 sums of 27 terms


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A file of random weights in the layout and with the name of Keras', and its network."""
    donor = keras.applications.VGG19(include_top=False, weights=None)
    path = tmp_path_factory.mktemp("keras") / "models" / vgg19.PUBLISHED.name
    path.parent.mkdir()
    layers = list(donor.layers)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.0.0"
        for layer in layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}_{part}_1:0" for part in "Wb"[: len(layer.weights)]]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, array in zip(names, layer.get_weights(), strict=True):
                group[name] = array
    return path, donor


def test_vgg19_loads_a_weights_file_and_rejects_other_paths(published, tmp_path):
    _, donor = published
    path = tmp_path / "vgg.weights.h5"
    donor.save_weights(path)
    model = build("vgg19", weights=str(path))
    loaded, original = model.get_layer("block3_conv1"), donor.get_layer("block3_conv1")
    np.testing.assert_array_equal(loaded.get_weights()[0], original.get_weights()[0])
    with pytest.raises(ModelError, match="neither a file"):
        build("vgg19", weights=str(tmp_path / "missing.h5"))


def test_vgg19_loads_the_file_in_the_cache_of_keras(published, monkeypatch):
    path, donor = published
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setenv("KERAS_HOME", str(path.parents[1]))
    monkeypatch.setattr(vgg19, "PUBLISHED", replace(vgg19.PUBLISHED, md5=md5))
    for weights in ("imagenet", str(path)):
        model = build("vgg19", weights=weights)
        for name in ("block1_conv1", "block5_conv4"):
            for loaded, original in zip(
                model.get_layer(name).get_weights(),
                donor.get_layer(name).get_weights(),
                strict=True,
            ):
                np.testing.assert_array_equal(loaded, original)


def test_a_file_with_the_name_of_keras_must_have_its_hash(published, monkeypatch):
    path, _ = published
    monkeypatch.setenv("KERAS_HOME", str(path.parents[1]))
    for weights in ("imagenet", str(path)):
        with pytest.raises(
            ModelError, match="instead of 253f8cb515780f3b799900260a226db6"
        ) as caught:
            build("vgg19", weights=weights)
        message = str(caught.value)
        assert f"download {vgg19.PUBLISHED.url}" in message
        assert str(path) in message
        assert "\n" not in message


def test_weights_of_another_network_are_refused_by_their_shapes(tmp_path):
    path = tmp_path / "mine.h5"
    with h5py.File(path, "w") as file:
        file["kernel"] = np.zeros((5, 5, 3, 64), np.float32)
    with pytest.raises(ModelError, match=r"cannot be loaded \(.*\(5, 5, 3, 64\)"):
        build("vgg19", weights=str(path))


def test_a_failed_download_explains_how_to_obtain_the_weights(tmp_path, monkeypatch):
    def fail(**arguments):
        raise OSError("no connection")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.applications, "VGG19", fail)
    with pytest.raises(
        ModelError, match=r"no connection.*; download https://.*notop\.h5 \(MD5"
    ) as caught:
        build("vgg19", weights="imagenet")
    assert str(tmp_path / "models") in str(caught.value)
