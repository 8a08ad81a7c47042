"""Translations composed of excerpts of the target genre; `test_musaic` tests the composition."""

import numpy as np
import pytest
import soundfile
from melodies import FEW_ACTIVATIONS, NOTES, OTHER_ORDER, RATE, melody

from tfdream import audio
from tfdream.config import MusaicConfig, TranslateConfig, validate
from tfdream.errors import ModelError
from tfdream.runs import TranslationRun
from tfdream.synthesis.composed_translation import translated_power
from tfdream.synthesis.rendering.options import RenderOptions
from tfdream.synthesis.transfer import transfer
from tfdream.synthesis.translate import Translation, translate

pytestmark = pytest.mark.usefixtures("eagerly")

FLOAT = RenderOptions(bits=32)
COMPOSITION = {"semitones": 0, "activations": FEW_ACTIVATIONS}


def recipe(**changes):
    settings = {"composition": COMPOSITION, "tiles": {"overlap_seconds": 0.1}} | changes
    return validate(settings, TranslateConfig, "test")


class Unchanged:
    """Generators that change nothing."""

    def forward(self, image, training=False):
        return image

    backward = forward


@pytest.fixture
def composing(translation_run, tmp_path):
    """A run whose generators change nothing, with a bright melody as excerpts of tones."""
    run = TranslationRun(tmp_path / "run", translation_run.config, translation_run.info)
    run.generators = Unchanged()
    run.folder.mkdir()
    audio.write(run.excerpt_path("tones"), melody(OTHER_ORDER, -3), RATE)
    return run


@pytest.fixture
def song(tmp_path):
    """A dull melody of the length of a tile."""
    samples = melody(NOTES, -14, 1 / 3)[:RATE]
    soundfile.write(tmp_path / "song.wav", samples, RATE, "FLOAT")
    return tmp_path / "song.wav"


def similarity(first, second):
    """The cosine similarity of two magnitude spectra in bands of 10 Hz."""
    first, second = (
        np.abs(np.fft.rfft(each[:, 0])[: 10 * (len(each) // 20)]).reshape(-1, 10).sum(axis=1)
        for each in (first, second)
    )
    return first @ second / (np.linalg.norm(first) * np.linalg.norm(second))


def brightness(samples):
    """The share of the power above 1 kHz."""
    power = np.abs(np.fft.rfft(samples[:, 0])) ** 2
    return power[len(samples) * 1000 // RATE :].sum() / power.sum()


def test_without_a_change_of_levels_it_is_the_transfer_of_the_excerpts(composing, song, tmp_path):
    config = recipe()
    translate(song, tmp_path / "translated.wav", composing, config, "tones", FLOAT)
    musaic = MusaicConfig(method="musaic", **config.composition.model_dump())
    transfer(
        song, composing.excerpt_path("tones"), tmp_path / "transfer.wav", musaic, options=FLOAT
    )
    translated, transferred = (
        audio.read(tmp_path / f"{name}.wav")[0] for name in ("translated", "transfer")
    )
    # Rounding chooses between frames that are nearly alike, so that samples differ.
    assert brightness(translated) == pytest.approx(brightness(transferred), rel=0.1)
    assert similarity(translated, transferred) > 0.95
    assert brightness(translated) > 2 * brightness(audio.read(song)[0])


def test_tiles_begin_at_common_frames_and_the_length_stays(composing, tmp_path):
    samples = np.stack([melody(NOTES, -14), melody(OTHER_ORDER, -14)], axis=1)
    soundfile.write(tmp_path / "long.wav", samples, RATE, "FLOAT")
    translation = Translation(composing, recipe(), "tones")
    processor = translation.prepare(tmp_path / "long.wav")
    assert processor.grid.hop % processor.musaic.analysis.spec.hop_samples == 0
    assert processor.grid.samples == composing.input_samples
    translation(tmp_path / "long.wav", tmp_path / "out.wav", FLOAT)
    assert audio.read(tmp_path / "out.wav")[0].shape == samples.shape


def test_the_mean_spectrum_is_measured_once_for_all_levels_of_a_curve(
    composing, song, tmp_path, monkeypatch
):
    measured = []

    def counted(*arguments):
        measured.append(translated_power(*arguments))
        return measured[-1]

    monkeypatch.setattr("tfdream.synthesis.translate.translated_power", counted)
    curves = {"strength": {"points": [[0, 0], [2, 1]]}}
    translate(song, tmp_path / "out.wav", composing, recipe(curves=curves), "tones", FLOAT)
    assert len(measured) == 1


def test_the_mean_spectrum_is_that_of_the_excerpt(composing, song, tmp_path):
    samples = np.concatenate([melody(NOTES, -14), melody(OTHER_ORDER, -14)])
    soundfile.write(tmp_path / "long.wav", samples, RATE, "FLOAT")
    soundfile.write(tmp_path / "excerpt.wav", samples[RATE : 2 * RATE], RATE, "FLOAT")
    translation = Translation(composing, recipe(), "tones")
    part = RenderOptions(bits=32, start_seconds=1.0, seconds=1.0)
    of_part = translation.prepare(tmp_path / "long.wav", part).equalizer
    of_excerpt = translation.prepare(tmp_path / "excerpt.wav").equalizer
    assert np.array_equal(of_part, of_excerpt)
    assert not np.array_equal(of_part, translation.prepare(tmp_path / "long.wav").equalizer)


def test_a_strength_of_0_leaves_the_recording_unchanged(composing, song, tmp_path):
    translate(song, tmp_path / "out.wav", composing, recipe(strength=0), "tones", FLOAT)
    np.testing.assert_allclose(audio.read(tmp_path / "out.wav")[0], audio.read(song)[0], atol=1e-5)


def test_a_mask_limits_the_composition(composing, song, tmp_path):
    config = recipe(mask={"time_seconds": [0, 0.5]})
    translate(song, tmp_path / "out.wav", composing, config, "tones", FLOAT)
    change = audio.read(tmp_path / "out.wav")[0] - audio.read(song)[0]
    assert np.abs(change[: RATE * 2 // 5]).max() > 1e-2
    assert np.abs(change[RATE * 3 // 5 :]).max() < 1e-3


def test_a_run_without_excerpts_is_an_error_before_anything_is_written(composing, song, tmp_path):
    with pytest.raises(ModelError, match="has no excerpts of noise"):
        translate(song, tmp_path / "out.wav", composing, recipe(), "noise", FLOAT)
    assert not list(tmp_path.glob("out*"))
