"""Agreement with other packages where they measure the same."""

import numpy as np
import pytest
import soundfile
from mir_eval.onset import f_measure
from mir_eval.separation import bss_eval_sources
from pyloudnorm import Meter
from scipy.signal import lfilter

from tfdream.evaluation.compare import compare

RATE = 44100


@pytest.fixture
def measure(tmp_path):
    """A function that writes two signals and returns their paths and measures."""

    def write_and_compare(original, result, rate=RATE):
        paths = tmp_path / "original.wav", tmp_path / "result.wav"
        for path, samples in zip(paths, (original, result), strict=True):
            soundfile.write(path, samples, rate, "FLOAT")
        return paths, compare(*paths)

    return write_and_compare


def noise(seconds, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    return 0.1 * rng.standard_normal((round(seconds * RATE), channels))


@pytest.mark.parametrize("channels", [1, 2])
def test_loudness_is_that_of_pyloudnorm(measure, channels):
    # As music, with little power above 20 kHz: the package designs the filters for 44.1 kHz, while
    # `compare` resamples to the rate of the standard.
    original, result = (lfilter([0.2], [1, -0.95], noise(3, channels, s), axis=0) for s in (0, 1))
    result[RATE : 2 * RATE] *= 0.01  # below the relative gate
    _, measured = measure(original, result)
    for when, samples in (("before", original), ("after", result)):
        expected = Meter(RATE, filter_class="DeMan").integrated_loudness(samples)
        assert measured[f"loudness_{when}_lufs"] == pytest.approx(expected, abs=0.03)


@pytest.mark.filterwarnings("ignore:mir_eval.separation:FutureWarning")
def test_difference_is_the_distortion_of_mir_eval(measure):
    original = noise(2)
    result = original + 0.1 * noise(2, seed=1)
    (ratio,), *_ = bss_eval_sources(original.T, result.T, compute_permutation=False)
    _, measured = measure(original, result)
    # BSS Eval counts what 512 taps predict from the original as signal: 512 of 88 200 dimensions.
    assert -measured["difference_db"] == pytest.approx(ratio, abs=0.05)


@pytest.mark.parametrize("moved", [0, 4, 8, 16])
def test_onset_correlation_is_the_share_of_onsets_that_mir_eval_matches(measure, moved):
    times = 0.25 + 0.25 * np.arange(16)
    late = times + np.where(np.arange(16) * moved % 16 < moved, 0.1, 0)  # beyond its 50 ms
    tracks = [_clicks(onsets) for onsets in (times, late)]
    score, *_ = f_measure(times, late)
    assert score == 1 - moved / 16
    # Without common onsets, the correlation is minus the share of frames with an onset.
    assert measure(*tracks)[1]["onset_correlation"] == pytest.approx(score, abs=0.15)


def _clicks(onsets):
    track = 1e-4 * noise(5)[:, 0]
    decay = 0.3 * np.exp(-np.arange(2000) / 200)
    for onset in onsets:
        start = round(onset * RATE)
        track[start : start + 2000] += decay * np.sin(np.arange(2000))
    return track


@pytest.mark.slow
@pytest.mark.parametrize("semitones", [(0, 4, 7), (0, 3, 7), (2, 5, 9), (1, 6, 10)])
def test_chroma_similarity_of_steady_chords_is_that_of_musecpeval(measure, semitones):
    harmony = pytest.importorskip("musecpeval.metrics.harmony_tonality")
    paths, measured = measure(_chord((0, 4, 7)), _chord(semitones))
    expected = harmony.chroma_similarity(*map(str, paths), method="stft")["mean_chroma_cosine"]
    # That package estimates the tuning of each file.
    assert measured["content_chroma_similarity"] == pytest.approx(expected, abs=0.03)


def _chord(semitones):
    times = np.arange(RATE) / RATE
    return sum(0.1 * np.sin(2 * np.pi * 440 * 2 ** (each / 12) * times) for each in semitones)
