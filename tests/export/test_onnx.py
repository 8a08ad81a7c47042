import json
import sys

import numpy as np
import pytest
import tensorflow as tf

from tfdream.errors import ModelError
from tfdream.export import export


@pytest.fixture(scope="module")
def converted(run, tmp_path_factory):
    for package in ("onnx", "onnxruntime", "tf2onnx"):
        pytest.importorskip(package)
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    return path, export(run, path)


def test_the_file_is_compared_with_the_run(run, converted):
    path, result = converted
    assert (result["path"], result["format"]) == (str(path), "ONNX")
    assert result["bytes"] == path.stat().st_size > run.model.count_params() * 4
    assert 0 <= result["max_abs_difference"] < 1e-5


def test_onnx_runtime_computes_the_probabilities_of_the_run(run, converted):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(converted[0]))
    assert [each.name for each in session.get_inputs()] == ["waveform"]
    assert {each.name for each in session.get_outputs()} == {"probabilities", "embedding"}
    waveform = np.random.default_rng(1).uniform(-0.5, 0.5, (3, run.input_samples)).astype("f4")
    expected = run.model(run.frontend(tf.constant(waveform)), training=False)
    (probabilities,) = session.run(["probabilities"], {"waveform": waveform})
    # float32, rounded by another graph.
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    (embedding,) = session.run(["embedding"], {"waveform": waveform * np.nan})
    assert np.isnan(embedding).all()
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["labels"]) == run.labels
    assert json.loads(metadata["sample_rate"]) == run.sample_rate


def test_without_the_extra_the_error_names_it(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModelError, match=r"package onnx; .*pip install 'tfdream\[onnx\]'"):
        export(run, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_other_tasks_are_errors(generation_run, tmp_path):
    with pytest.raises(ModelError, match=r"a sequence model, not a classifier.*ONNX.*SavedModel"):
        export(generation_run, tmp_path / "model.onnx")
