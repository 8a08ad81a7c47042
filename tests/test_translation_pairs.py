"""The tracks and baselines of the benchmark of translations with a target."""

import csv
from collections import defaultdict
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

BENCH = Path(__file__).parents[1] / "tools" / "bench"
TRACKS = 4


@pytest.fixture(scope="module")
def bench():
    """The benchmark, with noise instead of a soundfont: darker for the first domain."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCH))
        module = import_module("translation_pairs")

        def noise(score, program, drums, soundfont):
            rng = np.random.default_rng(
                [len(score), round(1000 * sum(note.velocity for note in score))]
            )
            white = rng.standard_normal(round(module.SAMPLE_RATE * 0.5)).astype(np.float32)
            return white if program else np.convolve(white, np.ones(8) / 8, "same")

        patch.setattr(module, "render", noise)
        patch.setattr(module, "HELD_OUT", 2)
        yield module


@pytest.fixture(scope="module")
def folder(bench, tmp_path_factory):
    """The tracks of two drum kits."""
    folder = tmp_path_factory.mktemp("domains")
    options = ["--tracks", str(TRACKS), "--processes", "1"]
    result = CliRunner().invoke(bench.main, ["compose", "drum-kits", str(folder), *options])
    assert result.exit_code == 0, result.output
    return folder


def test_training_tracks_have_different_scores_and_held_out_ones_the_same(folder):
    with (folder / "tracks" / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    scores = defaultdict(list)
    for row in rows:
        assert (folder / "tracks" / row["path"]).is_file()
        scores[row["fold"] == "0", row["label"]].append(row["group"])
    assert scores[True, "acoustic"] == scores[True, "electronic"]
    assert not set(scores[False, "acoustic"]) & set(scores[False, "electronic"])
    assert len(scores[False, "acoustic"]) == len(scores[False, "electronic"]) == TRACKS
    assert len({row["fold"] for row in rows}) > 2


def test_pairs_have_both_directions(bench, folder):
    pairs = bench.DomainPairs(folder)
    assert len(pairs.names) == 2 * 2
    forward = pairs.read("soundfont-drums-0000 to electronic")
    backward = pairs.read("soundfont-drums-0000 to acoustic")
    assert np.array_equal(forward.content, backward.target)
    assert np.array_equal(forward.target, backward.content)
    assert len(forward.style) == TRACKS * len(forward.content)


def test_the_equalizer_of_the_domains_brightens_the_darker_domain(bench, folder):
    pairs = bench.DomainPairs(folder)
    equalize = bench.domain_equalizer(pairs)

    def share_of_high(wave):
        power = np.abs(np.fft.rfft(wave)) ** 2
        return power[len(power) // 4 :].sum() / power.sum()

    pair = pairs.read("soundfont-drums-0000 to electronic")
    found, target = share_of_high(equalize(pair)), share_of_high(pair.target)
    assert share_of_high(pair.content) < 0.2
    assert found == pytest.approx(target, abs=0.15)
