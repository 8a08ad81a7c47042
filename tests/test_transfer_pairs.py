"""The measures, scores and tables of the benchmark of transfers with a target."""

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

BENCH = Path(__file__).parents[1] / "tools" / "bench"
RATE = 44100


@pytest.fixture
def bench(monkeypatch):
    """The modules of the benchmark."""
    monkeypatch.syspath_prepend(str(BENCH))
    names = ("command", "measures", "methods", "pairs", "scores", "soundfont")
    return SimpleNamespace(**{name: import_module(f"transfer_pairs.{name}") for name in names})


def noise(seed, seconds=1.0):
    """White noise with a silent half, so that onsets and soft cells exist."""
    wave = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    wave[: len(wave) // 2] *= 1e-4
    return wave.astype(np.float32)


def pair(bench, content, style, target):
    return bench.pairs.Pair("composer-melodic-00", "melodic", content, style, target)


def threshold(wave):
    """A stand-in for the transcription, of `[frames, 1]`."""
    return (
        np.abs(wave[: len(wave) // 512 * 512].reshape(-1, 512)).mean(axis=1, keepdims=True) > 0.05
    )


def direction(wave):
    """A stand-in for the embedding: a vector of unit length."""
    return wave / np.linalg.norm(wave)


def test_identical_signals_have_no_distance_at_any_gain(bench):
    wave = noise(0)
    reference = bench.measures.Reference(pair(bench, wave, wave, wave), threshold, direction)
    for gain in (1.0, 0.1):
        measures = reference.measure(gain * wave)
        assert measures.loudness_lu == pytest.approx(20 * np.log10(gain), abs=1e-4)
        assert measures.onsets == pytest.approx(1)
        rest = measures._replace(loudness_lu=0.0, onsets=0.0)
        assert rest == pytest.approx([0.0] * len(rest), abs=1e-3)


def test_other_signals_differ(bench):
    content, style = noise(0), noise(1)[::-1]
    reference = bench.measures.Reference(pair(bench, content, style, style), threshold, direction)
    unchanged, copied = reference.measure(content), reference.measure(style)
    assert unchanged.spectrum_db > 20
    assert unchanged.notes == 1
    assert unchanged.embedding == pytest.approx(1, abs=0.1)
    assert unchanged.floor_db == pytest.approx(0, abs=1e-3)
    assert copied.spectrum_db == copied.timbre == copied.timbre_to_style == copied.notes == 0
    assert copied.embedding == pytest.approx(0, abs=1e-6)
    assert copied.floor_db > 40
    assert copied.onsets < 0.5


def test_a_tilt_has_the_distance_of_its_levels(bench):
    """A step of 10 dB over half of the bins has a root mean square of 10 / √2 dB."""
    power = np.ones((3, 8))
    stepped = power.copy()
    stepped[:, :4] *= 10
    distance = bench.measures.spectral_distance_db(stepped, power)
    assert distance == pytest.approx(10 / np.sqrt(2))
    assert bench.measures.spectral_distance_db(0 * power, power) == pytest.approx(80)


def test_a_sine_of_full_scale_has_power_one(bench):
    sine = np.sin(2 * np.pi * 100 * RATE / 2048 * np.arange(RATE) / RATE).astype(np.float32)
    assert bench.measures.power(sine)[20].max() == pytest.approx(1, rel=1e-3)


def test_floor_in_both_excludes_cells_of_the_target(bench):
    content = np.array([[1.0, 1e-8, 1e-8]])
    target = np.array([[1.0, 1.0, 1e-8]])
    output = np.array([[1.0, 1e-2, 1e-7]])
    soft = bench.measures.is_soft(content)
    both = soft & bench.measures.is_soft(target)
    rise_db = bench.measures.rise_db
    assert rise_db(output, content, soft) == pytest.approx(10 * np.log10(1e-2 / 2e-8), abs=0.01)
    assert rise_db(output, content, both) == pytest.approx(10)
    assert rise_db(output, content, both & False) == 0


@pytest.mark.slow
def test_equalizers_undo_a_filter(bench):
    """The style is the content through a smooth filter, so the target is the style."""
    content = noise(0)
    style = sosfilt(butter(1, 3000, fs=RATE, output="sos"), content).astype(np.float32)
    example = pair(bench, content, style, style)
    reference = bench.measures.Reference(example)
    before = reference.measure(content)
    after = reference.measure(bench.methods.BASELINES["equalizer"](example))
    assert before.notes is before.embedding is None
    assert after.spectrum_db < 0.4 * before.spectrum_db
    assert after.timbre < 0.4 * before.timbre


def test_splits_are_disjoint_and_have_two_hundred_pairs(bench):
    pairs = bench.pairs
    assert sum(len(pairs.PairSet(split).names) for split in pairs.SPLITS) >= 200
    for options in (pairs._FAMILIES, pairs.KITS, {s: pairs.programs(s) for s in pairs.SPLITS}):
        assert not set(options["tuning"]) & set(options["held-out"])


@pytest.mark.parametrize("kind", ["melodic", "polyphonic", "drums"])
def test_scores_depend_on_their_seed_only(bench, kind):
    first, same, other = (
        bench.scores.generate(kind, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert first == same != other
    # A quarter at the default tempo of MIDI has 480 ticks.
    midi = bench.soundfont.midi_file(first, 24, kind == "drums")
    assert midi.startswith(b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk")
    assert midi.count(bytes((0x99 if kind == "drums" else 0x90,))) >= len(first)


def test_an_excerpt_starts_with_a_note_and_fits(bench):
    score = [bench.scores.Note(float(i), 1.0, 60) for i in range(64)]
    part = bench.scores.excerpt(score, np.random.default_rng(0))
    assert part[0].onset == 0
    assert part[-1].onset < bench.scores.SECONDS
    assert len({note.pitch for note in part}) == 1


def test_a_pair_is_cached_and_its_recordings_have_one_level(bench, tmp_path, monkeypatch):
    pairs = bench.pairs.PairSet("tuning", tmp_path)
    rendered = pairs.read("composer-drums-00")
    monkeypatch.setattr(bench.pairs, "generate", None)
    cached = pairs.read("composer-drums-00")
    for role in ("content", "style", "target"):
        wave = getattr(rendered, role)
        assert np.array_equal(wave, getattr(cached, role))
        assert np.sqrt(np.mean(wave**2)) == pytest.approx(0.1, rel=1e-3)
    assert not np.array_equal(rendered.content, rendered.target)


def test_the_table_relates_methods_to_the_equalizer_pair_by_pair(bench):
    row, measures = bench.command.Row, bench.measures.Measures
    rows = [
        row(f"pair-{i}", method, measures(i + change, 10 - 5 * change, 1, 0, None, 1, 0, 0, 0), 4.0)
        for i in range(9)
        for method, change in (("equalizer", 0.0), ("other", -1.0))
    ]
    equalizer, other = bench.command.table(rows)
    assert equalizer[:4] == ["equalizer", "4.00", "–", "10.0"]
    assert other[:4] == ["other", "3.00", "-1.00 [-1.00, -1.00]", "15.0"]
    assert other[5] == "1.50"
    assert other[9:11] == ["–", "–"]
    assert other[-1] == "0.50"


def test_intervals_contain_the_mean_and_shrink_with_more_pairs(bench):
    differences = np.random.default_rng(0).normal(-1, 1, 400)
    low, high = bench.command.bootstrap_interval(differences)
    few_low, few_high = bench.command.bootstrap_interval(differences[:25])
    assert low < differences.mean() < high
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(400), rel=0.2)
    assert few_high - few_low > 2 * (high - low)
