"""Loudness of files: K-weighting at every rate, over all channels."""

import numpy as np
import pytest
import soundfile

from tfdream import audio


def written(path, samples, rate):
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


def tone(hertz, rate, seconds=1.0):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 96000])
def test_the_loudness_does_not_depend_on_the_sample_rate(tmp_path, rate):
    at_48k = audio.measure_level(written(tmp_path / "a.wav", tone(1000, 48000), 48000)).mean_square
    here = audio.measure_level(written(tmp_path / "b.wav", tone(1000, rate), rate)).mean_square
    # The bilinear transform compresses frequencies near half the sample rate: 0.1 dB at 8 kHz.
    assert here == pytest.approx(at_48k, rel=0.03)


def test_low_frequencies_count_less_and_high_ones_more(tmp_path):
    low, middle, high = (
        audio.measure_level(
            written(tmp_path / f"{hertz}.wav", tone(hertz, 48000), 48000)
        ).mean_square
        for hertz in (20, 500, 5000)
    )
    assert low < 0.1 * middle < 0.1 * high / 2


def test_all_channels_count(tmp_path):
    mono = tone(500, 16000)
    both = np.stack([mono, np.zeros_like(mono)], axis=1)
    one = audio.measure_level(written(tmp_path / "mono.wav", mono, 16000))
    two = audio.measure_level(written(tmp_path / "stereo.wav", both, 16000))
    assert two.mean_square == pytest.approx(one.mean_square / 2)
    assert two.peak == one.peak == pytest.approx(0.5, abs=1e-3)


def test_silence_has_no_level_at_any_rate(tmp_path):
    for rate in (1000, 44100):
        silence = written(tmp_path / f"{rate}.wav", np.zeros(rate), rate)
        assert audio.measure_level(silence) == (0.0, 0.0)
