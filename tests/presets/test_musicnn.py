"""The networks of musicnn, from wheels with random weights; the real wheel in a slow test.

The slow test needs the wheel: TFDREAM_MUSICNN_WHEEL=musicnn-0.1.0-py3-none-any.whl.
"""

import os
import zipfile
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfdream import presets
from tfdream.errors import ModelError
from tfdream.evaluation.prediction import predict
from tfdream.io.checksums import file_sha256
from tfdream.models import inspect
from tfdream.presets import ModelCard, musicnn
from tfdream.presets.downloads import musicnn as download
from tfdream.runs import Run
from tfdream.signal import frontends

BENCH = Path(__file__).parents[3] / "tools" / "bench"
WHEEL = os.environ.get("TFDREAM_MUSICNN_WHEEL")
LABELS = {"MTT_LABELS": ["guitar", "no vocal"], "MSD_LABELS": ["rock", "House", "sad"]}
CODE = "raise SystemExit('this code must not run')\nSR = 16000\n"
EPSILON = 1e-3


def random_variables(vgg, tags):
    """Return variables with the names and shapes of a checkpoint."""
    rng = np.random.default_rng(1)
    variables = {"Adam/step": np.zeros((), np.float32)}

    def add(name, *shape):
        fan_in = np.prod(shape[:-1])
        kernel = rng.normal(0, (2 / fan_in) ** 0.5, shape)
        variables[f"{name}/kernel"] = kernel.astype(np.float32)
        variables[f"{name}/bias"] = rng.normal(0, 0.1, shape[-1]).astype(np.float32)

    def add_norms(*sizes):
        for number, size in enumerate(sizes):
            name = "batch_normalization" + (f"_{number}" if number else "")
            for suffix, low in (("gamma", 0.5), ("beta", -0.5), ("moving_mean", -0.5)):
                values = rng.uniform(low, low + 1, size)
                variables[f"{name}/{suffix}"] = values.astype(np.float32)
            variance = rng.uniform(0.5, 2, size).astype(np.float32)
            variables[f"{name}/moving_variance"] = variance

    if vgg:
        add_norms(1, *[128] * 5)
        for number in range(1, 6):
            add(f"{number}CNN", 3, 3, 1 if number == 1 else 128, 128)
        add("dense", 256, tags)
        return variables
    add_norms(1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200)
    sizes = [(7, 38, 204), (7, 67, 204), (128, 1, 51), (64, 1, 51), (32, 1, 51)]
    sizes += [(7, 561, 64), (7, 64, 64), (7, 64, 64)]
    for number, (frames, height, filters) in enumerate(sizes):
        add("conv2d" + (f"_{number}" if number else ""), frames, height, 1, filters)
    add("dense", 1506, 200)
    add("dense_1", 200, tags)
    return variables


def write_checkpoint(prefix, variables):
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(variables),
        shape_and_slices=[""] * len(variables),
        tensors=[tf.constant(value) for value in variables.values()],
    )


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    """The files of a wheel by name."""
    folder = tmp_path_factory.mktemp("checkpoints")
    lists = "".join(f"{name} = {labels!r}\n" for name, labels in LABELS.items())
    files = {"musicnn/configuration.py": (CODE + lists).encode()}
    for network in musicnn.NETWORKS.values():
        tags = len(LABELS[network.collection.labels])
        prefix = folder / network.member
        write_checkpoint(prefix, random_variables(network.vgg, tags))
        for part in ("index", "data-00000-of-00001"):
            path = prefix.with_suffix(f".{part}")
            files[f"musicnn/{network.member}/.{part}"] = path.read_bytes()
    return files


def write_wheel(path, contents):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


@pytest.fixture(scope="module")
def converted(contents, tmp_path_factory):
    folder = tmp_path_factory.mktemp("converted")
    musicnn.convert(write_wheel(folder / "wheel.whl", contents), folder)
    return folder


# An independent description of the original graphs, on images `[batch, time, frequency, 1]`


class Graph:
    def __init__(self, variables):
        self.variables = variables
        self.norms = 0

    def norm(self, x):
        name = "batch_normalization" + (f"_{self.norms}" if self.norms else "")
        self.norms += 1
        gamma, beta, mean, variance = (
            self.variables[f"{name}/{suffix}"]
            for suffix in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return tf.nn.batch_normalization(x, mean, variance, beta, gamma, EPSILON)

    def convolve(self, name, x, padding):
        kernel, bias = self.variables[f"{name}/kernel"], self.variables[f"{name}/bias"]
        return self.norm(tf.nn.relu(tf.nn.conv2d(x, kernel, 1, padding) + bias))

    def dense(self, name, x):
        return x @ self.variables[f"{name}/kernel"] + self.variables[f"{name}/bias"]

    def musicnn(self, images):
        x = self.norm(images)
        padded = tf.pad(x, [[0, 0], [3, 3], [0, 0], [0, 0]])
        front = [self.convolve(name, padded, "VALID") for name in ("conv2d", "conv2d_1")]
        front += [self.convolve(f"conv2d_{number}", x, "SAME") for number in (2, 3, 4)]
        features = [tf.concat([tf.reduce_max(each, axis=2) for each in front], axis=2)]
        for number in (5, 6, 7):
            padded = tf.pad(features[-1], [[0, 0], [3, 3], [0, 0]])[..., tf.newaxis]
            x = self.convolve(f"conv2d_{number}", padded, "VALID")[:, :, 0]
            features.append(x if number == 5 else x + features[-1])
        x = tf.concat(features, axis=2)
        pooled = tf.stack([tf.reduce_max(x, axis=1), tf.reduce_mean(x, axis=1)], axis=2)
        x = self.norm(tf.reshape(pooled, [len(images), -1]))
        x = self.norm(tf.nn.relu(self.dense("dense", x)))
        return self.dense("dense_1", x)

    def vgg(self, images, pools):
        x = self.norm(images)
        for number, (size, strides) in enumerate(pools, start=1):
            x = self.convolve(f"{number}CNN", x, "SAME")
            x = tf.nn.max_pool2d(x, size, strides, "VALID")
        return self.dense("dense", tf.reshape(x, [len(images), -1]))


LAST = [((2, 2), (2, 2)), ((2, 2), (2, 2)), ((4, 4), (4, 4))]
POOLS = {
    "musicnn_vgg_mtt": [((4, 1), (2, 2)), ((2, 2), (2, 2)), *LAST],
    "musicnn_vgg_msd": [((4, 1), (4, 1)), ((1, 4), (1, 4)), *LAST],
}


@pytest.mark.parametrize("name", download.PRESETS)
def test_the_networks_compute_the_original_graphs(name, converted):
    run, network = Run.open(converted / name), musicnn.NETWORKS[name]
    graph = Graph(random_variables(network.vgg, len(run.labels)))
    images = tf.constant(np.random.default_rng(0).uniform(0, 5, (2, 187, 96, 1)), tf.float32)
    expected = graph.vgg(images, POOLS[name]) if network.vgg else graph.musicnn(images)
    tapped = inspect.tap(run.model, ["logits", "probabilities"])
    found = tapped(tf.transpose(images, [0, 2, 1, 3]), training=False)
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(found["logits"], expected, atol=1e-4)  # float32 of values up to 20
    np.testing.assert_allclose(found["probabilities"], tf.sigmoid(expected), atol=1e-5)


@pytest.mark.parametrize("name", download.PRESETS)
def test_a_preset_is_a_run_with_a_card(name, converted):
    run = Run.open(converted / name)
    collection = musicnn.NETWORKS[name].collection
    assert run.labels == LABELS[collection.labels]
    assert run.info.dataset == collection.name
    assert (run.sample_rate, run.input_samples) == (16000, 186 * 256)
    assert run.frontend.shape(run.input_samples) == (96, 187, 1)
    card = ModelCard.read(run.folder)
    assert card is not None
    assert card.license == "ISC"
    layers = {layer.name for layer in run.model.layers}
    assert set(card.dream_layers) <= layers


def test_probabilities_of_a_file_are_means_of_independent_ones(converted, song):
    run = Run.open(converted / "musicnn_vgg_msd")
    with_song = predict(run, [song])["files"][0]["probabilities"]
    assert list(with_song) == run.labels
    assert abs(sum(with_song.values()) - 1) > 0.01


# Installation


@pytest.fixture
def models(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    monkeypatch.setenv("TFDREAM_MODELS", str(folder))
    return folder


def test_the_wheel_is_installed_as_presets(contents, models, tmp_path, monkeypatch):
    wheel = write_wheel(tmp_path / "wheel.whl", contents)
    monkeypatch.setattr(download, "SHA256", file_sha256(wheel))
    installed = presets.install("musicnn", presets.Source(wheel))
    assert [preset.name for preset in installed] == list(download.PRESETS)
    assert Run.open("musicnn_msd").labels == LABELS["MSD_LABELS"]


def test_a_file_with_another_hash_is_refused(contents, models, tmp_path):
    wheel = write_wheel(tmp_path / "wheel.whl", contents)
    with pytest.raises(ModelError, match=rf"has the SHA-256 .*, not {download.SHA256}"):
        presets.install("musicnn", presets.Source(wheel))
    assert not any(path.is_dir() for path in models.glob("musicnn*"))


MEMBER = "musicnn/MTT_musicnn/."


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({f"{MEMBER}index": None}, r"it has no file 'musicnn/MTT_musicnn/\.index'"),
        ({f"{MEMBER}index": b"nothing"}, "the checkpoint cannot be read"),
        ({f"{MEMBER}data-00000-of-00001": b""}, "the checkpoint cannot be read"),
        ({"musicnn/configuration.py": b"MTT_LABELS = [1]"}, "no list of texts MTT_LABELS"),
        ({"musicnn/configuration.py": b"MTT_LABELS = list('ab')"}, "malformed node"),
        ({"musicnn/configuration.py": b"MTT_LABELS = ["}, r"'\[' was never closed"),
        ({"musicnn/configuration.py": b"MTT_LABELS = ['one']"}, "does not fit"),
    ],
)
def test_a_damaged_wheel_is_an_error_in_one_line(changes, reason, contents, tmp_path):
    files = {name: changes.get(name, content) for name, content in contents.items()}
    left = {name: content for name, content in files.items() if content is not None}
    wheel = write_wheel(tmp_path / "wheel.whl", left)
    with pytest.raises(ModelError, match=rf"not the wheel of musicnn.*{reason}") as caught:
        musicnn.convert(wheel, tmp_path / "runs")
    assert "\n" not in str(caught.value)


def test_a_missing_variable_is_named(contents, tmp_path):
    variables = random_variables(vgg=False, tags=2)
    del variables["conv2d_5/kernel"]
    prefix = tmp_path / "checkpoint"
    write_checkpoint(prefix, variables)
    changed = {
        f"{MEMBER}{part}": prefix.with_suffix(f".{part}").read_bytes()
        for part in ("index", "data-00000-of-00001")
    }
    wheel = write_wheel(tmp_path / "wheel.whl", contents | changed)
    with pytest.raises(ModelError, match="the checkpoint has no variable conv2d_5/kernel"):
        musicnn.convert(wheel, tmp_path / "runs")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 truncated"])
def test_another_file_is_an_error(content, tmp_path):
    (tmp_path / "wheel.whl").write_bytes(content)
    with pytest.raises(ModelError, match="not the wheel of musicnn"):
        musicnn.convert(tmp_path / "wheel.whl", tmp_path / "runs")


# The real wheel


@pytest.mark.slow
@pytest.mark.skipif(not WHEEL, reason="needs TFDREAM_MUSICNN_WHEEL")
def test_the_real_networks_equal_their_stored_graphs(tmp_path, monkeypatch):
    assert file_sha256(WHEEL) == download.SHA256
    monkeypatch.syspath_prepend(str(BENCH))
    original = import_module("musicnn").Original
    musicnn.convert(Path(WHEEL), tmp_path)
    rng = np.random.default_rng(0)
    noise = rng.uniform(-1, 1, (4, 186 * 256)) * [[1.0], [0.1], [0.01], [0.0]]
    for name, network in musicnn.NETWORKS.items():
        run = Run.open(tmp_path / name)
        assert len(run.labels) == 50
        frontend = frontends.build(run.config.frontend, run.sample_rate)
        images = frontend(tf.constant(noise, tf.float32))
        expected = original(Path(WHEEL), network.member)(images[..., 0].numpy().swapaxes(1, 2))
        np.testing.assert_allclose(run.model(images, training=False), expected, atol=1e-5)
