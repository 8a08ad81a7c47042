import json

import numpy as np
import pytest
import soundfile
from calling import answer, invoke, refusal

from tfdream.errors import AudioError, ModelError
from tfdream.evaluation import distance as distance_module
from tfdream.evaluation.distance import Embedded, Embedder, distance, within
from tfdream.runs import TranslationRun

# To build graphs takes longer than to hear a few clips.
pytestmark = pytest.mark.usefixtures("eagerly")

KEYS = {
    *("frechet_distance", "frechet_distance_unbiased", "within_a", "within_b", "clips_a"),
    *("clips_b", "recordings_a", "recordings_b", "dimensions", "seed", "subsets", "skipped"),
    *("notes", "assessment"),
}


@pytest.fixture(scope="module")
def found(run, source, step_by_step):
    with step_by_step():
        return distance(source / "tones", source / "noise", run, subsets=5)


def test_two_kinds_are_further_apart_than_halves_of_one(found):
    assert set(found) == KEYS
    json.dumps(found, allow_nan=False)
    assert found["frechet_distance"] > max(found["within_a"], found["within_b"])
    # Three whole clips of each recording; one of the noises has four.
    assert (found["clips_a"], found["clips_b"]) == (18, 19)
    assert (found["recordings_a"], found["recordings_b"]) == (6, 6)
    assert (found["dimensions"], found["skipped"], found["notes"]) == (16, [], [])
    assert found["assessment"][0].endswith("they differ")


def test_a_set_with_itself_is_zero(run, source):
    same = distance(source / "tones", source / "tones", run, subsets=2)
    assert same["frechet_distance"] == pytest.approx(0, abs=1e-9)
    assert same["notes"] == [
        "6 recordings are in both sets, which brings them nearer to each other"
    ]
    assert same["assessment"][0].endswith("no more than halves of the same set")


def test_the_seed_decides(found, run, source):
    sets_of = source / "tones", source / "noise", run
    assert distance(*sets_of, subsets=5) == found
    other = distance(*sets_of, seed=1, subsets=5)
    assert other["frechet_distance"] == found["frechet_distance"]
    assert other["frechet_distance_unbiased"] != found["frechet_distance_unbiased"]


def test_halves_do_not_split_recordings():
    clips = np.repeat(np.eye(4), 3, axis=0)
    of_recordings = Embedded(clips, np.repeat(np.arange(4), 3), [None] * 4, [])
    for half in distance_module._halves(of_recordings, np.random.default_rng(0)):
        assert half.sum() == 6
        assert set(half.reshape(4, 3).sum(axis=1)) == {0, 3}
    alone = Embedded(clips, np.zeros(12, int), [None], [])
    assert {half.sum() for half in distance_module._halves(alone, np.random.default_rng(0))} == {6}
    few = Embedded(clips[[0, 3, 6]], np.arange(3), [None] * 3, [])
    assert within(few, np.random.default_rng(0)) is None


def test_few_clips_and_what_cannot_be_read_are_told(run, source, tmp_path):
    sound, rate = soundfile.read(source / "noise" / "0.wav")
    soundfile.write(tmp_path / "short.wav", sound[: rate // 2], rate)  # filled up: one clip
    soundfile.write(tmp_path / "long.wav", np.stack([sound, sound], axis=1), 2 * rate)
    (tmp_path / "broken.wav").write_text("no sound")
    with pytest.raises(AudioError, match=r"has 3 clips of 1 s; a set needs 4 or more"):
        distance(tmp_path, source / "tones", run)
    soundfile.write(tmp_path / "more.wav", sound, rate)
    found = distance(tmp_path, source / "tones", run, subsets=2)
    assert (found["clips_a"], found["recordings_a"]) == (1 + 2 + 4, 3)
    assert [row["path"] for row in found["skipped"]] == [str(tmp_path / "broken.wav")]
    assert "set A has 7 clips, not more than the 16 dimensions" in found["notes"][0]


def test_a_layer_that_is_too_large_is_refused(run, monkeypatch):
    monkeypatch.setattr(distance_module, "_MOST_DIMENSIONS", 8)
    with pytest.raises(ModelError, match=r"has 16 dimensions, more than 8; use a run of another"):
        Embedder(run)


def test_the_command(run, source, tmp_path):
    arguments = ["distance", source / "tones", source / "noise"]
    model = ["--model", run.folder]
    assert set(answer(*arguments, *model, "--subsets", 2)) == KEYS
    empty = refusal("distance", tmp_path, source, *model)
    assert empty == f"Error: no audio file in '{tmp_path}'; name another folder"
    assert invoke(*arguments).exit_code == 2


@pytest.mark.parametrize("command", ["compare", "distance"])
def test_a_translation_is_refused(command, run, configure_translation, song, tmp_path):
    TranslationRun(tmp_path, configure_translation(), run.info).create()
    said = refusal(command, song, song, "--model", tmp_path)
    assert "is one of a translation" in said
