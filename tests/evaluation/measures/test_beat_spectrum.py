import json

import numpy as np
import pytest
import soundfile

from tfdream.evaluation.measures.beat_spectrum import BeatSimilarity, beat_spectrum

RATE = 22050
SECONDS = 12
LAG_SECONDS = 512 / RATE
FIRST_LAG = round(0.116 / LAG_SECONDS)


def pulses(period_seconds, hz=3000, seed=0):
    """Noise bursts on every beat, low ones on every fourth, over soft noise."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(SECONDS * RATE)
    beats = np.arange(len(noise)) / RATE / period_seconds
    burst = np.exp(-30 * period_seconds * (beats % 1))
    carrier = np.sin(2 * np.pi * hz * np.arange(len(noise)) / RATE)
    low = np.cumsum(noise) * 0.02 * (beats % 4 < 1)
    return 0.1 * burst * (noise + carrier + low) + 1e-3 * noise


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("beats")
    sounds = {
        "style": pulses(0.5),
        "same": 0.1 * pulses(0.5, hz=1000, seed=1)[RATE // 3 :],  # another sound, level and start
        "other": pulses(0.36),
        "short": pulses(0.5)[: 9 * RATE],
        "constant": np.zeros(SECONDS * RATE),
    }
    for name, samples in sounds.items():
        soundfile.write(folder / f"{name}.wav", samples, RATE, "FLOAT")
    return lambda name: folder / f"{name}.wav"


def test_maxima_are_at_multiples_of_the_beat(files):
    spectrum = beat_spectrum(files("style"))
    lags = LAG_SECONDS * (FIRST_LAG + np.arange(len(spectrum)))
    on, off = (np.interp(0.5 * np.arange(1, 9) + offset, lags, spectrum) for offset in (0, 0.25))
    assert on.min() > 0.5 > off.max()


def test_similarity_is_that_of_rhythm_not_of_sound_and_level(files):
    result = BeatSimilarity(files("style"))(files("other"), files("same"))
    assert result["beat_similarity_after"] > 0.8
    assert result["beat_similarity_before"] < 0.4
    assert result["notes"] == []
    json.dumps(result, allow_nan=False)


def test_short_and_constant_files_have_no_beat(files):
    result = BeatSimilarity(files("style"))(files("short"), files("constant"))
    assert result["beat_similarity_before"] is result["beat_similarity_after"] is None
    assert result["notes"] == [
        f"no beat_similarity: the {name} is shorter than 9.5 s or constant"
        for name in ("original", "result")
    ]
