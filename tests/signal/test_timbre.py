import numpy as np
import pytest

from tfdream.signal.timbre import (
    MelAnalysis,
    SpectrumModel,
    distort,
    is_silent,
    normalize_power,
    spectral_envelope,
)

RATE = 8000


def note(hertz, tilt_db, seconds=0.5, rate=RATE):
    """A decaying tone whose partials fall by `tilt_db` per octave."""
    time = np.arange(round(seconds * rate)) / rate
    partials = np.arange(1, int(rate / 2 / hertz))
    levels = 10 ** (tilt_db * np.log2(partials) / 20)
    tone = (levels[:, None] * np.sin(2 * np.pi * hertz * partials[:, None] * time)).sum(axis=0)
    return 0.1 * tone * np.exp(-4 * time)


def melody(hertz, tilt_db):
    return np.concatenate([note(each, tilt_db) for each in hertz]).astype(np.float32)


def levels(analysis, blocks):
    return normalize_power(analysis.stream_to_power(blocks))


@pytest.fixture(scope="module")
def analysis():
    return MelAnalysis(RATE)


@pytest.mark.parametrize("rate", [8000, 44100])
def test_partials_above_the_highest_band_have_no_salience(rate):
    analysis = MelAnalysis(rate)
    hertz = 440 * 2 ** ((np.arange(36, 93) - 69) / 12)
    partials = np.arange(1, 7)
    is_inside = hertz[:, None] * partials <= analysis.center_hz[-1]
    expected = (0.85**partials * is_inside).sum(axis=1)
    np.testing.assert_allclose(analysis.salience_matrix.sum(axis=0), expected)
    assert is_inside.all() == (rate == 44100)


def test_levels_do_not_depend_on_the_blocks(analysis, monkeypatch):
    rng = np.random.default_rng(0)
    samples = rng.standard_normal((20_000, 1)).astype(np.float32)
    complete = levels(analysis, [samples])
    monkeypatch.setattr(MelAnalysis, "_piece_samples", 4 * analysis.spec.hop_samples)
    for size in (999, 5000, 8192):
        blocks = np.split(samples, range(size, len(samples), size))
        pieces = levels(analysis, blocks)
        assert pieces.shape == complete.shape == (1 + 20_000 // analysis.spec.hop_samples, 47)
        np.testing.assert_allclose(pieces, complete, atol=1e-3)  # float32 FFTs of other lengths


def test_silence_is_recognized(analysis):
    silence = np.zeros((4000, 1), np.float32)
    assert is_silent(analysis.stream_to_power([silence]))
    assert not is_silent(analysis.stream_to_power([silence + np.eye(4000, 1, -2000, np.float32)]))


def test_distortion_adds_harmonics_at_the_level_of_the_tone():
    time = np.arange(RATE) / RATE
    for level in (0.5, 0.005):
        tone = (level * np.sin(2 * np.pi * 400 * time)).astype(np.float32)
        spectrum = np.abs(np.fft.rfft(distort(tone[None], RATE)[0].numpy()))
        harmonics_db = 20 * np.log10(spectrum[[800, 1200]] / spectrum[400])
        assert (harmonics_db > -20).all(), level
        assert spectrum[500] < 1e-3 * spectrum[400]


def test_bands_are_equally_wide_at_every_rate():
    widths = []
    for rate in (16000, 44100):
        hertz = MelAnalysis(rate).center_hz
        high = hertz[hertz > 1000]  # where the mel scale is logarithmic
        widths.append(np.diff(np.log(high)).mean())
    assert widths[0] == pytest.approx(widths[1], rel=0.03)


def test_register_follows_the_pitch_and_rank_the_loudness(analysis):
    low, high = melody([131] * 3, -6), 0.1 * melody([523] * 3, -6)
    features = analysis.describe(levels(analysis, [np.concatenate([low, high])[:, None]]))
    half = len(features.values) // 2
    rank, register, _ = features.values.T
    assert register[half + 5 :].mean() - register[: half - 5].mean() == pytest.approx(
        2, abs=0.4
    )  # octaves
    assert rank[: half - 5].mean() > rank[half + 5 :].mean() + 0.2


def test_a_model_predicts_the_levels_of_notes_it_has_not_seen(analysis):
    analyzed = levels(analysis, [melody([131, 165, 196, 247], -3)[:, None]])
    other = levels(analysis, [melody([147, 175, 220], -3)[:, None]])
    expected = SpectrumModel(analysis.describe(analyzed), analyzed).predict(
        analysis.describe(other).values
    )
    error = spectral_envelope(expected - other, order=8)
    unrelated = spectral_envelope(analyzed.mean() - other, order=8)
    assert np.sqrt(np.mean(error**2)) < 0.5 * np.sqrt(np.mean(unrelated**2))
