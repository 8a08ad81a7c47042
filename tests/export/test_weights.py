import shutil

import numpy as np
import pytest
from calling import answer
from safetensors import safe_open

from tfdream.errors import ModelError
from tfdream.export import export
from tfdream.presets import ModelCard, Source, TrainingData, install
from tfdream.runs import Run, open_run


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDREAM_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def copied(trained, tmp_path):
    """A copy of the tiny run, which a test may change."""
    return Run.open(shutil.copytree(trained[0], tmp_path / "run"))


@pytest.mark.parametrize("fixture", ["trained", "translation", "generation", "transfer"])
def test_an_imported_run_has_equal_weights(fixture, request, tmp_path):
    folder = request.getfixturevalue(fixture)[0]
    path = tmp_path / "mine.safetensors"
    result = answer("export", folder, path)
    assert (result["path"], result["format"]) == (str(path), "safetensors")
    assert result["max_abs_difference"] == 0
    (preset,) = install("mine", Source(path))
    original, imported = open_run(folder), open_run(preset.folder)
    assert (imported.config, imported.info) == (original.config, original.info)
    weights = original.load_networks().get_weights()
    assert weights
    for weight, other in zip(weights, imported.load_networks().get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)


def test_the_metadata_contains_the_texts(trained, run, tmp_path):
    export(run, tmp_path / "a.safetensors")
    with safe_open(str(tmp_path / "a.safetensors"), framework="numpy") as file:
        metadata = file.metadata()
        assert "layers/conv2d/vars/0" in file.keys()  # noqa: SIM118, safe_open has no `in`
    assert metadata["format"] == "tfdream"
    assert metadata["config.yaml"] == (trained[0] / "config.yaml").read_text()
    assert "card.yaml" not in metadata


def test_the_card_is_shared(copied, tmp_path):
    card = ModelCard(
        title="Mine",
        summary="",
        source="",
        license="CC0-1.0",
        training_data=(TrainingData(name="none", license="CC0-1.0", source=""),),
        accuracy="none was measured",
    )
    card.write(copied.folder)
    export(copied, tmp_path / "a.safetensors")
    (preset,) = install("mine", Source(tmp_path / "a.safetensors"))
    assert ModelCard.read(preset.folder) == card


@pytest.mark.parametrize("name", ["model", "model.tflite", "model.onnx"])
def test_transfer_networks_are_exported_as_weights_only(transfer_run, tmp_path, name):
    with pytest.raises(ModelError, match=r"a transfer network; only its weights.*safetensors"):
        export(transfer_run, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_damaged_runs_are_not_exported(copied, tmp_path):
    copied.weights_path.write_bytes(b"damaged")
    with pytest.raises(ModelError, match="cannot be loaded"):
        export(copied, tmp_path / "a.safetensors")
    assert not (tmp_path / "a.safetensors").exists()
