import numpy as np
import pytest
import soundfile

from tfdream.errors import AudioError
from tfdream.synthesis.guide import read_guide

RATE = 8000
TILE = 1000


def write(path, samples, rate=RATE):
    soundfile.write(path, samples, rate, "FLOAT")
    return path


@pytest.fixture
def ramp(tmp_path):
    """Of 2500 samples, each of them another one."""
    samples = np.linspace(-0.5, 0.5, 2500).astype(np.float32)
    return write(tmp_path / "ramp.wav", samples), samples


def test_a_guide_runs_along(ramp):
    path, samples = ramp
    guide = read_guide(path, RATE, TILE)
    found = guide(np.array([0, 700, 1500]))
    assert (found.dtype, found.shape) == (np.float32, (3, TILE))
    for start, waveform in zip((0, 700, 1500), found, strict=True):
        np.testing.assert_array_equal(waveform, samples[start : start + TILE])


def test_a_guide_begins_again_when_it_ends(ramp):
    path, samples = ramp
    guide = read_guide(path, RATE, TILE)
    endless = np.tile(samples, 5)
    starts = np.array([2000, 2499, 2500, 9001])
    for start, waveform in zip(starts, guide(starts), strict=True):
        np.testing.assert_array_equal(waveform, endless[start : start + TILE])


def test_a_guide_shorter_than_a_tile_is_repeated_within_it(tmp_path):
    path = write(tmp_path / "short.wav", np.array([0.1, 0.2, 0.3], np.float32))
    (waveform,) = read_guide(path, RATE, 7)(np.array([0]))
    np.testing.assert_allclose(waveform, [0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1])


def test_a_guide_is_heard_as_the_network_hears_a_recording(tmp_path):
    """As its mid signal, at the network's rate."""
    seconds = np.arange(44100) / 44100
    left = 0.4 * np.sin(2 * np.pi * 440 * seconds)
    path = write(tmp_path / "stereo.wav", np.stack([left, 0 * left], axis=1), 44100)
    (waveform,) = read_guide(path, RATE, RATE)(np.array([0]))
    wanted = 0.2 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    inside = slice(160, -160)  # 20 ms, off the ends, where the resampler rings
    np.testing.assert_allclose(waveform[inside], wanted[inside], atol=2e-4)


def test_a_missing_guide_is_said(tmp_path):
    with pytest.raises(AudioError, match="does not exist"):
        read_guide(tmp_path / "gone.wav", RATE, TILE)


def test_a_guide_of_which_the_network_would_hear_nothing_is_said(tmp_path):
    path = write(tmp_path / "click.wav", np.array([0.5], np.float32), 44100)
    with pytest.raises(AudioError, match=r"click\.wav"):
        read_guide(path, RATE, TILE)
