import numpy as np
import pytest
import soundfile
from calling import EAGERLY

from tfdream import audio
from tfdream.config.recipes import RhythmConfig
from tfdream.errors import AudioError
from tfdream.synthesis.transfer import MappingTransfer

RATE = 22050
PATTERN = (1.0, 0.1, 0.5, 0.1, 0.8, 0.1, 0.1, 0.5)
"""Levels of the eighths of a bar."""


def chord(seconds, hertz=(220.0, 277.2, 329.6)):
    time = np.arange(round(seconds * RATE)) / RATE
    partials = np.outer(hertz, np.arange(1, 12)).ravel()[:, None]
    return (np.sin(2 * np.pi * partials * time) / np.sqrt(partials)).sum(axis=0)


def gate(bpm, seconds, pattern=PATTERN):
    """The level of every sample: a decay from the pattern's level in each eighth."""
    time = np.arange(round(seconds * RATE)) / RATE
    eighths = time * bpm / 30
    return np.array(pattern)[eighths.astype(int) % len(pattern)] * np.exp(-2 * (eighths % 1))


def write(path, wave):
    soundfile.write(path, 0.1 * wave / wave.std(), RATE, "FLOAT")
    return path


def level_correlation(path, expected):
    """Correlation of the level of a file in dB with that of a gate, in steps of 20 ms."""
    samples = audio.read(path)[0][:, 0]
    width = RATE // 50
    count = min(len(samples), len(expected)) // width
    blocks = [each[: count * width].reshape(count, width) for each in (samples, expected)]
    levels = [10 * np.log10((each**2).mean(axis=1) + 1e-8) for each in blocks]
    return np.corrcoef(*levels)[0, 1]


@pytest.fixture(scope="module")
def style(tmp_path_factory):
    """A pattern on other notes."""
    folder = tmp_path_factory.mktemp("rhythm")
    return write(folder / "style.wav", chord(12, (330.0, 415.3)) * gate(120, 12))


def transfer(content, style, output, **settings):
    return MappingTransfer(style, RhythmConfig(method="rhythm", **settings))(content, output)


def test_a_content_without_a_beat_gets_the_pattern_at_the_tempo_of_the_style(style, tmp_path):
    content = write(tmp_path / "content.wav", chord(8))
    result = transfer(content, style, tmp_path / "out.wav")
    shifts = [gate(120, 8, np.roll(PATTERN, shift)) for shift in range(8)]
    assert level_correlation(content, shifts[0]) < 0.2
    assert max(level_correlation(tmp_path / "out.wav", each) for each in shifts) > 0.8
    assert result["style_loss_rendered"] < 0.4 * result["style_loss_before"]


def test_the_pattern_follows_the_beats_of_the_content(style, tmp_path):
    straight = (1.0, 0.3) * 4
    wave = chord(10) * gate(96, 10, straight)
    content = write(tmp_path / "content.wav", wave)
    transfer(content, style, tmp_path / "out.wav")
    shifts = [gate(96, 10, np.roll(PATTERN, shift)) for shift in range(8)]
    before = max(level_correlation(content, each) for each in shifts)
    after = max(level_correlation(tmp_path / "out.wav", each) for each in shifts)
    assert after > before + 0.1


@EAGERLY
def test_strength_moves_from_the_content_to_the_style(style, tmp_path):
    content = write(tmp_path / "content.wav", chord(6))
    losses = []
    for strength in (0.0, 0.5, 1.0):
        output = tmp_path / f"{strength}.wav"
        losses.append(
            transfer(content, style, output, style_strength=strength)["style_loss_rendered"]
        )
    assert losses[0] > losses[1] > losses[2]
    original, unchanged = audio.read(content)[0], audio.read(tmp_path / "0.0.wav")[0]
    np.testing.assert_allclose(unchanged, original, atol=1e-6)


def test_a_style_without_a_beat_is_an_error(tmp_path):
    steady = write(tmp_path / "steady.wav", chord(6))
    with pytest.raises(AudioError, match="has no regular beat"):
        transfer(steady, steady, tmp_path / "out.wav")
    assert not (tmp_path / "out.wav").exists()
