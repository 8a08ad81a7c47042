from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import Experiment, validate
from tfdream.errors import ModelError
from tfdream.export import ExportedClassifier, export, lite
from tfdream.models import classifiers
from tfdream.signal import frontends

STFT = {"stft": {"n_fft": 256, "hop_samples": 64}}
LIL_DATA = {"name": "lil_data", "options": {"filters": [4, 8], "dense_units": 16}}


def untrained(frontend, model=None):
    """A classifier with initial weights and another frontend than that of the tiny run."""
    settings = {
        "prepare": {"sample_rate": 8000, "clip_seconds": 1.0},
        "frontend": frontend,
        "model": model or LIL_DATA,
    }
    experiment = validate(settings, Experiment, "test")
    keras.utils.set_random_seed(0)
    built = frontends.build(experiment.frontend, 8000)
    network = classifiers.build(experiment.model, built.shape(8000), 3)
    return ExportedClassifier(
        SimpleNamespace(
            model=network,
            frontend=built,
            config=experiment,
            input_samples=8000,
            labels=["a", "b", "c"],
            sample_rate=8000,
        )
    )


@pytest.fixture(scope="module")
def converted(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "model.tflite"
    return path, export(run, path)


def test_the_file_is_compared_with_the_run(run, converted):
    path, result = converted
    assert (result["path"], result["format"]) == (str(path), "TensorFlow Lite")
    assert result["bytes"] == path.stat().st_size > run.model.count_params() * 4
    assert 0 <= result["max_abs_difference"] < 1e-5
    assert [each.name for each in path.parent.iterdir()] == ["model.tflite"]


def test_the_interpreter_computes_the_probabilities_of_the_run(run, converted):
    interpreter = tf.lite.Interpreter(str(converted[0]))
    classify = interpreter.get_signature_runner("serving_default")
    waveform = np.random.default_rng(1).uniform(-0.5, 0.5, (1, run.input_samples)).astype("f4")
    expected = run.model(run.frontend(tf.constant(waveform)), training=False)
    # float32, rounded by another graph.
    np.testing.assert_allclose(classify(waveform=waveform)["probabilities"], expected, atol=1e-5)
    assert np.isnan(classify(waveform=waveform * np.nan)["embedding"]).all()


def test_the_interpreter_describes_the_run(run, converted):
    described = tf.lite.Interpreter(str(converted[0])).get_signature_runner("describe")()
    assert [label.decode() for label in described["labels"]] == run.labels
    assert (described["sample_rate"], described["clip_samples"]) == (8000, run.input_samples)


def test_an_existing_file_is_replaced_with_force_only(run, tmp_path, monkeypatch):
    path = tmp_path / "model.tflite"
    path.write_text("old")
    with pytest.raises(ModelError, match="--force"):
        export(run, path)
    monkeypatch.setattr(lite, "measure", lambda *_: 2e-4)
    with pytest.raises(ModelError, match=r"by 0.0002, more than 1e-04; nothing was written"):
        export(run, path, force=True)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["model.tflite"]


def test_a_folder_is_not_replaced_by_a_file(run, tmp_path):
    (tmp_path / "model.tflite").mkdir()
    with pytest.raises(ModelError, match="is a folder"):
        export(run, tmp_path / "model.tflite", force=True)


def test_missing_operations_are_errors(tmp_path, capfd):
    frontend = {"kind": "constant_q", "min_hz": 200, "octaves": 3, "bands_per_octave": 12}
    with pytest.raises(ModelError, match=r"no built-in operation for .*IRFFT.*SavedModel"):
        lite.write(untrained(frontend), tmp_path / "model.tflite")
    assert capfd.readouterr().err == ""
    assert list(tmp_path.iterdir()) == []


def test_transforms_of_other_lengths_are_errors(tmp_path):
    exported = untrained({"kind": "amplitude", "stft": {"n_fft": 300, "hop_samples": 100}})
    lite.write(exported, tmp_path / "model.tflite")
    with pytest.raises(ModelError, match="powers of two only"):
        lite.measure(exported, tmp_path / "model.tflite")


def test_other_errors_of_the_interpreter_do_not_advise_another_transform(
    run, converted, monkeypatch
):
    def fail(exported, compute):
        raise RuntimeError("node 3 failed to prepare")

    monkeypatch.setattr(lite, "compare", fail)
    with pytest.raises(ModelError) as raised:
        lite.measure(ExportedClassifier(run), converted[0])
    assert "(node 3 failed to prepare); export a SavedModel" in str(raised.value)


def test_other_tasks_are_errors(translation_run, tmp_path):
    with pytest.raises(
        ModelError, match=r"a translation, not a classifier.*TensorFlow Lite.*SavedModel"
    ):
        export(translation_run, tmp_path / "model.tflite")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("frontend", "model", "tolerance"),
    [
        ({"kind": "raw"}, {"name": "raw_conv1d"}, 1e-5),
        ({"kind": "log1p", **STFT}, LIL_DATA, 1e-5),
        ({"kind": "amplitude", **STFT, "size": [64, 64]}, {"name": "resnet18"}, 1e-5),
        ({"kind": "mel", **STFT}, LIL_DATA, 1e-5),
        ({"kind": "log_mel", **STFT, "float16": True}, LIL_DATA, 1e-5),
        # The phase of a real, negative bin is π or −π, by the sign of the zero of the DFT.
        ({"kind": "phase", **STFT}, LIL_DATA, 0.1),
        ({"kind": "amplitude_phase", **STFT}, LIL_DATA, 0.1),
    ],
)
def test_tensorflow_lite_converts_every_frontend(frontend, model, tolerance, tmp_path):
    exported = untrained(frontend, model)
    lite.write(exported, tmp_path / "model.tflite")
    assert lite.measure(exported, tmp_path / "model.tflite") < tolerance
