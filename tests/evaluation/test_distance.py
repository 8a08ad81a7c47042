import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from calling import answer, refusal

from tfdream.errors import AudioError, ModelError
from tfdream.evaluation import distance as distance_module
from tfdream.evaluation.distance import Embedded, Embedder, distance, within
from tfdream.evaluation.measures import frechet
from tfdream.runs import TranslationRun

# Tracing graphs takes longer than embedding a few clips.
pytestmark = pytest.mark.usefixtures("eagerly")

KEYS = {
    *("frechet_distance", "frechet_distance_unbiased", "within_a", "within_b", "clips_a"),
    *("clips_b", "recordings_a", "recordings_b", "dimensions", "seed", "subsets", "skipped"),
    *("kernel_distance", "kernel_within_a", "kernel_within_b", "notes", "assessment"),
}


@pytest.fixture(scope="module")
def result(run, source, step_by_step):
    with step_by_step():
        return distance(source / "tones", source / "noise", run, subsets=5)


def test_different_sets_are_further_apart_than_halves_of_one(result):
    assert set(result) == KEYS
    json.dumps(result, allow_nan=False)
    assert result["frechet_distance"] > max(result["within_a"], result["within_b"])
    assert result["kernel_distance"] > max(result["kernel_within_a"], result["kernel_within_b"])
    # Three whole clips of each recording; one of the noises has four.
    assert (result["clips_a"], result["clips_b"]) == (18, 19)
    assert (result["recordings_a"], result["recordings_b"]) == (6, 6)
    assert (result["dimensions"], result["skipped"], result["notes"]) == (16, [], [])
    assert result["assessment"][0].endswith("they differ")


def test_distance_of_equal_sets_is_zero(run, source):
    same = distance(source / "tones", source / "tones", run, subsets=2)
    assert same["frechet_distance"] == pytest.approx(0, abs=1e-9)
    assert same["notes"] == ["6 files are in both sets, which reduces the distance"]
    assert same["assessment"][0].endswith("no more than halves of the same set")


def test_a_single_file_in_both_sets_is_noted():
    one = Embedded(np.eye(9)[:, :2], np.zeros(9, int), [Path("a.wav")], [])
    *_, note = distance_module._notes(one, one)
    assert note == "1 file is in both sets, which reduces the distance"


def test_seed_determines_the_subsets(result, run, source):
    sets_of = source / "tones", source / "noise", run
    assert distance(*sets_of, subsets=5) == result
    other = distance(*sets_of, seed=1, subsets=5)
    assert other["frechet_distance"] == result["frechet_distance"]
    assert other["frechet_distance_unbiased"] != result["frechet_distance_unbiased"]


def test_halves_do_not_split_files():
    clips = np.repeat(np.eye(4), 3, axis=0)
    of_files = Embedded(clips, np.repeat(np.arange(4), 3), [None] * 4, [])
    for half in distance_module._halves(of_files, np.random.default_rng(0)):
        assert half.sum() == 6
        assert set(half.reshape(4, 3).sum(axis=1)) == {0, 3}
    of_one_file = Embedded(clips, np.zeros(12, int), [None], [])
    assert {
        half.sum() for half in distance_module._halves(of_one_file, np.random.default_rng(0))
    } == {6}
    few = Embedded(clips[[0, 3, 6]], np.arange(3), [None] * 3, [])
    assert within(few, np.random.default_rng(0), frechet.of_parts) is None


def test_progress_covers_every_computation_on_pairs(run, source):
    finished = []
    distance(
        source / "tones",
        source / "noise",
        run,
        subsets=2,
        progress=lambda done, total, *_: finished.append((done, total)),
    )
    ends = [total for done, total in finished if done == total]
    # Files, subsets, halves of both sets, and a block of pairs for each kernel distance.
    assert ends == [6, 6, 2, 10, 10, 1, 1, 1]


def test_few_clips_and_unreadable_files_are_reported(run, source, tmp_path):
    sound, rate = soundfile.read(source / "noise" / "0.wav")
    soundfile.write(tmp_path / "short.wav", sound[: rate // 2], rate)  # padded to one clip
    soundfile.write(tmp_path / "long.wav", np.stack([sound, sound], axis=1), 2 * rate)
    (tmp_path / "broken.wav").write_text("no sound")
    with pytest.raises(AudioError, match=r"of 1 s: 3, .* 4 or more; skipped: '.*broken.wav'"):
        distance(tmp_path, source / "tones", run)
    soundfile.write(tmp_path / "more.wav", sound, rate)
    result = distance(tmp_path, source / "tones", run, subsets=2)
    assert (result["clips_a"], result["recordings_a"]) == (1 + 2 + 4, 3)
    assert [row["path"] for row in result["skipped"]] == [str(tmp_path / "broken.wav")]
    assert "set A has 7 clips, not more than the 16 dimensions" in result["notes"][0]


def test_too_large_layers_are_rejected(run, monkeypatch):
    monkeypatch.setattr(distance_module, "_MAX_DIMENSIONS", 8)
    with pytest.raises(ModelError, match=r"has 16 dimensions, more than 8; use a run of another"):
        Embedder(run)


def test_command(run, source, tmp_path):
    arguments = ["distance", source / "tones", source / "noise"]
    model = ["--model", run.folder]
    assert set(answer(*arguments, *model, "--subsets", 2)) == KEYS
    empty = refusal("distance", tmp_path, source, *model)
    assert empty == f"Error: no audio file in '{tmp_path}'; name another folder"


@pytest.mark.parametrize("command", ["compare", "distance"])
def test_runs_of_translations_are_rejected(command, run, configure_translation, song, tmp_path):
    TranslationRun(tmp_path, configure_translation(), run.info).create()
    message = refusal(command, song, song, "--model", tmp_path)
    assert "is a translation" in message
