import json
from pathlib import Path

import pytest

from tfdream.errors import AudioError, ConfigError
from tfdream.synthesis.rendering.batch import change_each, destinations, recordings


def making(source):
    """How a recording is changed."""
    return {"source": str(source), "seed": 3, "settings": (1, 2)}


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


# Which recordings


def test_folders_are_searched_at_any_depth_in_order(tmp_path):
    touch(tmp_path, "b.wav", "a/z.MP3", "a/deep/x.flac", "a/notes.txt", "a/b.wav.json", "c.ogg")
    found = [path.relative_to(tmp_path) for path in recordings([tmp_path])]
    assert found == [Path(name) for name in ("a/deep/x.flac", "a/z.MP3", "b.wav", "c.ogg")]


def test_files_are_taken_as_they_are_named(tmp_path):
    touch(tmp_path, "folder/b.wav")
    named = [tmp_path / "z.strange", tmp_path / "folder", tmp_path / "a.wav"]
    assert recordings(named) == [named[0], tmp_path / "folder/b.wav", named[2]]


def test_a_folder_without_recordings_is_said(tmp_path):
    touch(tmp_path, "notes.txt")
    with pytest.raises(AudioError, match=f"no audio file in '{tmp_path}'"):
        recordings([tmp_path])


# Where they go


def test_each_goes_by_its_name_in_a_format_that_is_written(tmp_path):
    names = ["a/one.wav", "b/two.FLAC", "three.ogg", "four.mp3", "five.aiff", "six.seven.wav"]
    outputs = destinations([tmp_path / name for name in names], tmp_path / "out")
    assert [path.relative_to(tmp_path / "out") for path in outputs.values()] == [
        Path(name)
        for name in ("one.wav", "two.flac", "three.ogg", "four.flac", "five.flac", "six.seven.wav")
    ]
    assert list(outputs) == [tmp_path / name for name in names]


@pytest.mark.parametrize("names", [("a/x.wav", "b/x.wav"), ("x.mp3", "x.flac"), ("x.mp3", "x.aif")])
def test_two_that_would_be_one_are_refused(tmp_path, names):
    with pytest.raises(AudioError, match=r"two recordings would become .*x\."):
        destinations([tmp_path / name for name in names], tmp_path / "out")


def test_a_recording_is_never_its_own_output(tmp_path):
    touch(tmp_path, "x.wav")
    with pytest.raises(AudioError, match=r"x\.wav' would overwrite itself"):
        destinations([tmp_path / "x.wav"], tmp_path / "sub" / "..")


# Change by change


@pytest.fixture
def outputs(tmp_path):
    return {Path(f"{name}.wav"): tmp_path / f"{name}.wav" for name in "abc"}


class Change:
    """Writes files with sidecars; fails or is interrupted where it is told to."""

    def __init__(self, bad=(), interrupted=()):
        self.bad, self.interrupted, self.done = bad, interrupted, []

    def __call__(self, source, output, force=False):
        if source.stem in self.bad:
            raise AudioError(f"'{source}' cannot be decoded")
        self.done.append(source.stem)
        result = {"output": str(output)}
        if source.stem in self.interrupted:
            result["interrupted"] = True
        output.touch()
        sidecar = {**making(source), "result": result, "versions": {}}
        output.with_name(output.name + ".json").write_text(json.dumps(sidecar))
        return result


def test_each_is_changed(outputs):
    change = Change()
    result = change_each(outputs, change, making)
    assert change.done == ["a", "b", "c"]
    assert [each["output"] for each in result["files"]] == [str(path) for path in outputs.values()]
    assert (result["kept"], result["skipped"]) == ([], [])


def test_what_cannot_be_read_is_skipped_and_said(outputs):
    change = Change(bad="b")
    result = change_each(outputs, change, making)
    assert change.done == ["a", "c"]
    assert result["skipped"] == [{"path": "b.wav", "reason": "'b.wav' cannot be decoded"}]


def test_if_nothing_can_be_read_that_is_an_error(outputs):
    with pytest.raises(AudioError, match=r"'a\.wav' cannot be decoded"):
        change_each(outputs, Change(bad="abc"), making)


def test_an_error_of_the_settings_ends_all(outputs):
    def fail(source, output, force):
        raise ConfigError("no such layer")

    with pytest.raises(ConfigError, match="no such layer"):
        change_each(outputs, fail, making)


def test_what_is_there_of_the_same_settings_is_kept(outputs):
    change_each(outputs, Change(bad="b"), making)
    change = Change()
    result = change_each(outputs, change, making)
    assert change.done == ["b"]
    assert result["kept"] == [str(outputs[Path(name)]) for name in ("a.wav", "c.wav")]
    again = change_each(outputs, Change(), making)
    assert (again["files"], len(again["kept"])) == ([], 3)


def test_what_is_there_of_other_settings_is_not_kept(outputs):
    change_each(outputs, Change(), making)
    change = Change()
    assert change_each(outputs, change, lambda source: {**making(source), "seed": 4})["kept"] == []
    assert change.done == ["a", "b", "c"]


@pytest.mark.parametrize("damage", ["sound", "sidecar", "text"])
def test_what_is_not_whole_is_made_again(outputs, damage):
    change_each(outputs, Change(), making)
    output = outputs[Path("b.wav")]
    sidecar = output.with_name("b.wav.json")
    if damage == "text":
        sidecar.write_text('{"config": ')
    else:
        (output if damage == "sound" else sidecar).unlink()
    change = Change()
    change_each(outputs, change, making)
    assert change.done == ["b"]


def test_an_interruption_ends_all_and_is_not_taken_for_done(outputs):
    first = Change(interrupted="b")
    result = change_each(outputs, first, making)
    assert first.done == ["a", "b"]
    assert result["interrupted"] is True
    assert len(result["files"]) == 2
    second = Change()
    again = change_each(outputs, second, making)
    assert second.done == ["b", "c"]
    assert "interrupted" not in again
