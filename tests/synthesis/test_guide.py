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
    """Path and samples of a file of 2500 samples, all of them different."""
    samples = np.linspace(-0.5, 0.5, 2500).astype(np.float32)
    return write(tmp_path / "ramp.wav", samples), samples


def test_a_guide_is_aligned_with_the_file(ramp):
    path, samples = ramp
    guide = read_guide(path, RATE, TILE)
    waveforms = guide(np.array([0, 700, 1500]))
    assert (waveforms.dtype, waveforms.shape) == (np.float32, (3, TILE))
    for start, waveform in zip((0, 700, 1500), waveforms, strict=True):
        np.testing.assert_array_equal(waveform, samples[start : start + TILE])


def test_a_guide_repeats_when_it_ends(ramp):
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


def test_a_guide_is_the_mid_signal_at_the_rate_of_the_network(tmp_path):
    seconds = np.arange(44100) / 44100
    left = 0.4 * np.sin(2 * np.pi * 440 * seconds)
    path = write(tmp_path / "stereo.wav", np.stack([left, 0 * left], axis=1), 44100)
    (waveform,) = read_guide(path, RATE, RATE)(np.array([0]))
    expected = 0.2 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    inside = slice(160, -160)  # without 20 ms at each end: the resampler rings
    np.testing.assert_allclose(waveform[inside], expected[inside], atol=2e-4)


def test_a_missing_guide_is_an_error(tmp_path):
    with pytest.raises(AudioError, match="does not exist"):
        read_guide(tmp_path / "gone.wav", RATE, TILE)


def test_a_guide_shorter_than_a_sample_at_the_rate_of_the_network_is_an_error(tmp_path):
    path = write(tmp_path / "click.wav", np.array([0.5], np.float32), 44100)
    with pytest.raises(AudioError, match=r"click\.wav"):
        read_guide(path, RATE, TILE)
