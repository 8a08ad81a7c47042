import shutil

import pytest

from tfdream.presets import ModelCard, TrainingData
from tfdream.runs import named

CARD = ModelCard(
    title="Noise or tones",
    summary="Distinguishes noise from tones.",
    source="tests",
    license="CC0-1.0",
    training_data=(TrainingData(name="Composed", license="CC0-1.0", source="tests", hours=0.01),),
    accuracy="100 % of 12 tracks",
    dream_layers=("conv2", "conv1"),
)


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    """An empty folder of installed presets."""
    folder = tmp_path / "models"
    monkeypatch.setenv(named.FOLDER_VARIABLE, str(folder))
    return folder


@pytest.fixture
def carded(trained, tmp_path):
    """A run folder with a card."""
    folder = shutil.copytree(trained[0], tmp_path / "carded")
    CARD.write(folder)
    return folder
