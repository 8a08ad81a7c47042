"""The networks that are part of the package."""

import numpy as np
import pytest
import soundfile
from calling import EAGERLY

from tfdream import audio, config
from tfdream.config.recipes import TimbreConfig
from tfdream.models import inspect
from tfdream.presets import ModelCard
from tfdream.runs import Run, TransferRun, named, open_run
from tfdream.synthesis.dream import dream
from tfdream.synthesis.transfer import transfer

NAMES = sorted(folder.parent.name for folder in named.PACKAGED.glob("*/run.json"))
CLASSIFIERS = [name for name in NAMES if isinstance(open_run(name), Run)]
TRANSFER_NETWORKS = [name for name in NAMES if isinstance(open_run(name), TransferRun)]
MAX_BYTES = 2_500_000
SPDX = {"Apache-2.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-BY-3.0", "CC0-1.0", "MIT"}
SPDX |= {"GPL-2.0-only", "GPL-2.0-or-later"}

each_network = pytest.mark.parametrize("name", NAMES)
each_classifier = pytest.mark.parametrize("name", CLASSIFIERS)


def test_there_is_a_packaged_network_of_each_kind():
    assert CLASSIFIERS
    assert TRANSFER_NETWORKS


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
    sources = {data.source for data in card.training_data}
    assert all(source.startswith(("https://", "tools/presets/")) for source in sources)
    assert all(data.hours for data in card.training_data)
    assert card.license


@each_classifier
def test_the_card_of_a_classifier_has_its_accuracy_and_layers_for_dreams(name):
    card = ModelCard.read(named.PACKAGED / name)
    assert "%" in card.accuracy
    model = Run.open(name).model
    assert {layer.name for layer in inspect.find_layers(model, card.dream_layers)} == set(
        card.dream_layers
    )


@each_classifier
def test_its_weights_are_finite_and_its_output_depends_on_the_input(name):
    run = Run.open(name)
    assert all(np.isfinite(weight).all() for weight in run.model.get_weights())
    rng = np.random.default_rng(0)
    seconds = np.arange(run.input_samples) / run.sample_rate
    waveforms = np.stack(
        [0.3 * np.sin(2 * np.pi * 440 * seconds), rng.uniform(-0.3, 0.3, len(seconds))]
    )
    tone, noise = run.model.predict(run.frontend(waveforms.astype(np.float32)), verbose=0)
    assert tone.shape == (len(run.labels),)
    assert np.abs(tone - noise).max() > 0.01


@each_classifier
@EAGERLY
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


@EAGERLY
@pytest.mark.parametrize("name", TRANSFER_NETWORKS)
def test_a_transfer_network_gives_a_content_the_timbre_of_a_style(name, tmp_path):
    """A dull content and the same notes in a bright style."""
    rate = 44100
    seconds = np.arange(4 * rate) / rate
    partials = np.arange(1, 30)[:, None]
    waves = {}
    for role, steps, slope in (
        ("content", (0, 4, 7, 12), 3.0),
        ("style", (2, 9, 5, -3), 1.0),
        ("target", (0, 4, 7, 12), 1.0),
    ):
        hertz = 220 * 2 ** (np.repeat(steps, rate) / 12)
        tones = np.sin(2 * np.pi * partials * hertz * seconds) / partials**slope
        waves[role] = tones.sum(axis=0) * np.exp(-3 * (seconds % 1))
        soundfile.write(tmp_path / f"{role}.wav", 0.1 * waves[role] / waves[role].std(), rate)
    settings = TimbreConfig(method="timbre", model=name)
    files = (tmp_path / f"{role}.wav" for role in ("content", "style", "output"))
    transfer(*files, settings)
    output = audio.read(tmp_path / "output.wav")[0][:, 0]
    before, after = (_distance_db(each, waves["target"]) for each in (waves["content"], output))
    assert after < 0.6 * before


def _distance_db(wave, target):
    """Distance of the levels of octaves, relative to each other."""
    levels = []
    for each in (wave, target):
        power = np.abs(np.fft.rfft(each)) ** 2
        octaves = [power[round(400 * 2**n) : round(800 * 2**n)].sum() for n in range(1, 6)]
        levels.append(10 * np.log10(np.array(octaves) / np.sum(octaves)))
    return np.abs(levels[0] - levels[1]).mean()
