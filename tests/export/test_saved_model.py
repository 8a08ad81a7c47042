import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import TranslateConfig, load
from tfdream.errors import ModelError
from tfdream.export import ExportedClassifier, export, saved_model
from tfdream.runs import Run
from tfdream.synthesis.translate import Translator

FOREIGN = """
import json, sys
import numpy as np
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
waveform = tf.constant(np.load(sys.argv[2]))
outputs = loaded.signatures["serving_default"](waveform=waveform)
print(json.dumps({
    "foreign": sorted({name.split(".")[0] for name in sys.modules} & {"tfdream", "tensorflow_io"}),
    "probabilities": outputs["probabilities"].numpy().tolist(),
}))
"""


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "model"
    return folder, export(run, folder)


def test_result_has_the_documented_keys(run, exported):
    folder, result = exported
    assert (result["path"], result["format"]) == (str(folder), "SavedModel")
    assert result["bytes"] > run.model.count_params() * 4
    assert 0 <= result["max_abs_difference"] < 1e-5  # float32, rounded by another graph
    assert (result["labels"], result["sample_rate"]) == (run.labels, 8000)
    assert result["clip_samples"] == 8000


def call(folder, waveform):
    """Return the outputs and the metadata of a SavedModel as NumPy arrays by name."""
    loaded = tf.saved_model.load(str(folder))
    outputs = loaded.signatures["serving_default"](waveform=tf.constant(waveform))
    metadata = loaded.signatures["describe"]()
    return {name: value.numpy() for name, value in {**outputs, **metadata}.items()}


def levels(run):
    """Clips of noise at several levels, of silence and of a sine."""
    rng = np.random.default_rng(0)
    factors = np.array([[1.0], [0.1], [1e-3], [0.0], [1.0]])
    waveform = (factors * rng.uniform(-1, 1, (5, run.input_samples))).astype(np.float32)
    waveform[4] = np.sin(2 * np.pi * 440 / 8000 * np.arange(run.input_samples))
    return waveform


def test_the_signatures_compute_the_probabilities_of_the_run(run, exported):
    waveform = levels(run)
    output = call(exported[0], waveform)
    assert [label.decode() for label in output["labels"]] == run.labels
    assert (output["sample_rate"], output["clip_samples"]) == (8000, 8000)
    assert output["embedding"].shape == (5, 16)
    probabilities = run.model(run.frontend(tf.constant(waveform)), training=False)
    # float32, rounded by another graph.
    np.testing.assert_allclose(output["probabilities"], probabilities, atol=1e-5)


@pytest.mark.slow
def test_tensorflow_alone_computes_the_probabilities_of_the_run(run, exported, tmp_path):
    waveform = levels(run)
    np.save(tmp_path / "waveform.npy", waveform)
    done = subprocess.run(
        [sys.executable, "-c", FOREIGN, exported[0], tmp_path / "waveform.npy"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    output = json.loads(done.stdout.splitlines()[-1])
    assert output["foreign"] == []
    probabilities = run.model(run.frontend(tf.constant(waveform)), training=False)
    # float32, rounded by another graph in another process.
    np.testing.assert_allclose(output["probabilities"], probabilities, atol=1e-5)


def assert_weights_are_constants(folder, weights):
    """Check that a SavedModel has no variables, and each large weight exactly once."""
    saved = tf.train.load_checkpoint(str(folder / "variables/variables"))
    assert list(saved.get_variable_to_shape_map()) == ["_CHECKPOINTABLE_OBJECT_GRAPH"]
    content = (folder / "saved_model.pb").read_bytes()
    large = [weight.tobytes() for weight in weights if len(np.unique(weight)) > 16]
    assert large
    assert {content.count(weight) for weight in large} == {1}


def test_weights_are_saved_once_without_the_optimizer(run, exported):
    assert_weights_are_constants(exported[0], run.model.get_weights())


def test_clips_with_nan_have_no_probabilities(run, exported):
    """A maximum in the network would hide NaN and give confident numbers."""
    waveform = np.full((5, run.input_samples), 0.1, np.float32)
    waveform[1, 17] = np.nan
    waveform[2, 17] = -np.inf
    waveform[3] = 0.0
    waveform[4] = 1e30  # its power is infinite
    outputs = call(exported[0], waveform)
    for name in ("probabilities", "embedding"):
        output = outputs[name]
        assert np.isfinite(output[[0, 3]]).all()
        assert np.isnan(output[[1, 2, 4]]).all()


def test_no_temporary_files_are_left(exported):
    assert [path.name for path in exported[0].parent.iterdir()] == ["model"]


def test_existing_savedmodel_is_replaced_with_force_only(run, tmp_path):
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_text("old")
    with pytest.raises(ModelError, match="--force"):
        export(run, folder)
    assert (folder / "saved_model.pb").read_text() == "old"
    export(run, folder, force=True)
    assert saved_model.measure(ExportedClassifier(run), folder) < 1e-5


def test_current_folder_is_not_replaced(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"'\.' exists and is not a SavedModel"):
        export(run, Path(), force=True)


@pytest.mark.parametrize("name", ["model.h5", "model.keras", "a.onnx.gz"])
def test_other_extensions_are_errors(run, tmp_path, name):
    with pytest.raises(ModelError, match=r"ends in none of \.onnx, \.safetensors, \.tflite"):
        export(run, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "mine", "saved_model.pb mine", "mine/saved_model.pb"])
def test_other_content_is_not_replaced_even_with_force(run, tmp_path, content):
    names = content.split() or ["model"]
    for name in names:
        path = tmp_path / ("model" if content else "") / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("precious")
    with pytest.raises(ModelError, match="model' exists and is not a SavedModel"):
        export(run, tmp_path / "model", force=True)
    assert path.read_text() == "precious"


def test_export_of_another_network_differs(run, exported, trained, tmp_path):
    shutil.copytree(trained[0], tmp_path / "run")
    other = Run.open(tmp_path / "run")
    weights = [weight + 0.1 for weight in other.model.get_weights()]
    other.model.set_weights(weights)
    assert saved_model.measure(ExportedClassifier(other), exported[0]) > 1e-3


def test_failed_export_leaves_no_files(run, tmp_path, monkeypatch):
    monkeypatch.setattr(saved_model, "measure", lambda *_: float("nan"))
    with pytest.raises(ModelError, match=r"differs from the run by nan, .*; nothing was written"):
        export(run, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


# Translations


FOREIGN_TRANSLATION = """
import json, sys
import numpy as np
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
waveform = tf.constant(np.load(sys.argv[2]))
directions = {"forward": "serving_default", "backward": "backward"}
np.savez(sys.argv[3], **{
    direction: loaded.signatures[name](waveform=waveform)["waveform"]
    for direction, name in directions.items()
})
metadata = loaded.signatures["describe"]()
print(json.dumps({
    "foreign": sorted({name.split(".")[0] for name in sys.modules} & {"tfdream", "tensorflow_io"}),
    "labels": [label.decode() for label in metadata["labels"].numpy()],
    "sample_rate": int(metadata["sample_rate"]),
    "clip_samples": int(metadata["clip_samples"]),
}))
"""


@pytest.fixture(scope="module")
def exported_translation(translation_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "translation"
    return folder, export(translation_run, folder)


def test_translation_is_exported_in_both_directions(exported_translation, translation_run):
    folder, result = exported_translation
    assert result["path"] == str(folder)
    assert 0 <= result["max_abs_difference"] < 1e-4  # float32, sixteen times as loud at most
    assert (result["labels"], result["sample_rate"]) == (["noise", "tones"], 8000)
    assert result["clip_samples"] == translation_run.input_samples


@pytest.mark.slow
def test_tensorflow_alone_computes_the_translation_of_the_run(
    exported_translation, translation_run, tmp_path
):
    rng = np.random.default_rng(0)
    samples = translation_run.input_samples
    waveform = (np.array([[0.3], [0.01], [0.0]]) * rng.uniform(-1, 1, (3, samples))).astype("f4")
    np.save(tmp_path / "waveform.npy", waveform)
    done = subprocess.run(
        [
            *(sys.executable, "-c", FOREIGN_TRANSLATION, exported_translation[0]),
            *(tmp_path / "waveform.npy", tmp_path / "translated.npz"),
        ],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    metadata = json.loads(done.stdout.splitlines()[-1])
    assert metadata == {
        "foreign": [],
        "labels": ["noise", "tones"],
        "sample_rate": 8000,
        "clip_samples": samples,
    }
    config = load("translate/recommended", TranslateConfig)
    with np.load(tmp_path / "translated.npz") as translated:
        for direction in ("forward", "backward"):
            translator = Translator(
                getattr(translation_run.generators, direction), translation_run, config
            )
            expected = translator.translate(tf.constant(waveform[..., np.newaxis]))[..., 0]
            np.testing.assert_allclose(translated[direction], expected, atol=1e-4)
            assert np.abs(expected - waveform).max() > 0.01
        assert np.abs(translated["forward"] - translated["backward"]).max() > 0.01


def test_generators_are_saved_once_without_discriminators(exported_translation, translation_run):
    assert_weights_are_constants(exported_translation[0], translation_run.generators.get_weights())
