"""The networks that are part of the package."""

import numpy as np
import pytest
import soundfile

from tfdream import config
from tfdream.models import inspect
from tfdream.presets import ModelCard
from tfdream.runs import Run, named
from tfdream.synthesis.dream import dream

NAMES = sorted(folder.parent.name for folder in named.PACKAGED.glob("*/run.json"))
MAX_BYTES = 2_500_000
SPDX = {"CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-BY-3.0", "CC0-1.0", "GPL-2.0-or-later", "MIT"}

each_network = pytest.mark.parametrize("name", NAMES)


def test_there_is_a_packaged_network():
    assert NAMES


@each_network
def test_it_has_four_files_and_is_small(name):
    files = {path.name: path for path in (named.PACKAGED / name).iterdir()}
    assert set(files) == {"config.yaml", "run.json", "model.weights.h5", "card.yaml"}
    assert sum(path.stat().st_size for path in files.values()) <= MAX_BYTES


@each_network
def test_its_settings_contain_no_absolute_path(name):
    for file in ("config.yaml", "run.json", "card.yaml"):
        words = (named.PACKAGED / name / file).read_text(encoding="utf-8").split()
        assert not [word for word in words if word.strip("\"',").startswith("/")]


@each_network
def test_its_card_names_the_license_of_all_training_data(name):
    card = ModelCard.read(named.PACKAGED / name)
    assert {data.license for data in card.training_data} <= SPDX
    assert all(data.source.startswith("https://") and data.hours for data in card.training_data)
    assert card.license
    assert "%" in card.accuracy
    model = Run.open(name).model
    assert {layer.name for layer in inspect.find_layers(model, card.dream_layers)} == set(
        card.dream_layers
    )


@each_network
def test_its_weights_are_finite_and_its_output_depends_on_the_input(name):
    run = Run.open(name)
    assert all(np.isfinite(weight).all() for weight in run.model.get_weights())
    rng = np.random.default_rng(0)
    seconds = np.arange(run.clip_samples) / run.sample_rate
    waveforms = np.stack(
        [0.3 * np.sin(2 * np.pi * 440 * seconds), rng.uniform(-0.3, 0.3, len(seconds))]
    )
    tone, noise = run.model.predict(run.frontend(waveforms.astype(np.float32)), verbose=0)
    assert tone.shape == (len(run.labels),)
    assert np.abs(tone - noise).max() > 0.01


@each_network
def test_a_dream_raises_its_objective_in_the_file(name, tmp_path):
    rate = 22050
    seconds = np.arange(3 * rate) / rate
    hertz = 220 * 2 ** (np.floor(2 * seconds) / 4)
    notes = sum(np.sin(2 * np.pi * n * hertz * seconds) / n for n in range(1, 9))
    noise = 0.1 * np.random.default_rng(0).standard_normal(len(seconds))
    song = tmp_path / "song.wav"
    soundfile.write(song, 0.2 * (notes + noise) * np.exp(-3 * (seconds % 0.5)), rate)
    recipe = config.load("dream/recommended", config.DreamConfig, ["optimizer.steps=3"])
    result = dream(song, tmp_path / "out.wav", Run.open(name), recipe)
    assert result["objective_rendered"] > 1.05 * result["objective_before"]
