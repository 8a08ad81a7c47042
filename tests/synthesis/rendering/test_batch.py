import json
from pathlib import Path

import pytest

from tfdream.errors import AudioError, ConfigError
from tfdream.synthesis.rendering.batch import FileTask, destinations, process_each, recordings


def provenance(source):
    """Return the provenance of an output."""
    return {"source": str(source), "seed": 3, "settings": (1, 2)}


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


# Sources


def test_folders_are_searched_at_any_depth_in_order(tmp_path):
    touch(tmp_path, "b.wav", "a/z.MP3", "a/deep/x.flac", "a/notes.txt", "a/b.wav.json", "c.ogg")
    names = [path.relative_to(tmp_path) for path in recordings([tmp_path])]
    assert names == [Path(name) for name in ("a/deep/x.flac", "a/z.MP3", "b.wav", "c.ogg")]


def test_files_are_returned_whatever_their_extension(tmp_path):
    touch(tmp_path, "folder/b.wav")
    named = [tmp_path / "z.strange", tmp_path / "folder", tmp_path / "a.wav"]
    assert recordings(named) == [named[0], tmp_path / "folder/b.wav", named[2]]


def test_a_folder_without_audio_files_is_an_error(tmp_path):
    touch(tmp_path, "notes.txt")
    with pytest.raises(AudioError, match=f"no audio file in '{tmp_path}'"):
        recordings([tmp_path])


# Destinations


def test_outputs_have_the_names_of_their_sources_in_a_writable_format(tmp_path):
    names = ["a/one.wav", "b/two.FLAC", "three.ogg", "four.mp3", "five.aiff", "six.seven.wav"]
    outputs = destinations([tmp_path / name for name in names], tmp_path / "out")
    assert [path.relative_to(tmp_path / "out") for path in outputs.values()] == [
        Path(name)
        for name in ("one.wav", "two.flac", "three.ogg", "four.flac", "five.flac", "six.seven.wav")
    ]
    assert list(outputs) == [tmp_path / name for name in names]


@pytest.mark.parametrize("names", [("a/x.wav", "b/x.wav"), ("x.mp3", "x.flac"), ("x.mp3", "x.aif")])
def test_equal_outputs_are_an_error(tmp_path, names):
    with pytest.raises(AudioError, match=r"two files would be written to .*x\."):
        destinations([tmp_path / name for name in names], tmp_path / "out")


def test_a_recording_is_never_its_own_output(tmp_path):
    touch(tmp_path, "x.wav")
    with pytest.raises(AudioError, match=r"x\.wav' would overwrite itself"):
        destinations([tmp_path / "x.wav"], tmp_path / "sub" / "..")


# Processing


@pytest.fixture
def outputs(tmp_path):
    return {Path(f"{name}.wav"): tmp_path / f"{name}.wav" for name in "abc"}


class Change:
    """Writes files with sidecars; fails or is interrupted for the given names."""

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
        sidecar = {**provenance(source), "result": result, "versions": {}}
        output.with_name(output.name + ".json").write_text(json.dumps(sidecar))
        return result


def test_each_file_is_processed(outputs):
    change = Change()
    result = process_each(outputs, FileTask(change, provenance))
    assert change.done == ["a", "b", "c"]
    assert [each["output"] for each in result["files"]] == [str(path) for path in outputs.values()]
    assert (result["kept"], result["skipped"]) == ([], [])


def test_unreadable_files_are_skipped_and_reported(outputs):
    change = Change(bad="b")
    result = process_each(outputs, FileTask(change, provenance))
    assert change.done == ["a", "c"]
    assert result["skipped"] == [{"path": "b.wav", "reason": "'b.wav' cannot be decoded"}]


def test_only_unreadable_files_are_an_error(outputs):
    with pytest.raises(AudioError, match=r"'a\.wav' cannot be decoded"):
        process_each(outputs, FileTask(Change(bad="abc"), provenance))


def test_an_error_of_the_settings_stops_the_batch(outputs):
    def fail(source, output, force):
        raise ConfigError("no such layer")

    with pytest.raises(ConfigError, match="no such layer"):
        process_each(outputs, FileTask(fail, provenance))


def test_outputs_of_the_same_settings_are_reused(outputs):
    process_each(outputs, FileTask(Change(bad="b"), provenance))
    change = Change()
    result = process_each(outputs, FileTask(change, provenance))
    assert change.done == ["b"]
    assert result["kept"] == [str(outputs[Path(name)]) for name in ("a.wav", "c.wav")]
    again = process_each(outputs, FileTask(Change(), provenance))
    assert (again["files"], len(again["kept"])) == ([], 3)


def test_outputs_of_other_settings_are_replaced(outputs):
    process_each(outputs, FileTask(Change(), provenance))
    change = Change()
    other = FileTask(change, lambda source: {**provenance(source), "seed": 4})
    assert process_each(outputs, other)["kept"] == []
    assert change.done == ["a", "b", "c"]


@pytest.mark.parametrize("damage", ["sound", "sidecar", "text"])
def test_incomplete_outputs_are_computed_again(outputs, damage):
    process_each(outputs, FileTask(Change(), provenance))
    output = outputs[Path("b.wav")]
    sidecar = output.with_name("b.wav.json")
    if damage == "text":
        sidecar.write_text('{"config": ')
    else:
        (output if damage == "sound" else sidecar).unlink()
    change = Change()
    process_each(outputs, FileTask(change, provenance))
    assert change.done == ["b"]


def test_an_interruption_stops_the_batch_and_is_not_complete(outputs):
    first = Change(interrupted="b")
    result = process_each(outputs, FileTask(first, provenance))
    assert first.done == ["a", "b"]
    assert result["interrupted"] is True
    assert len(result["files"]) == 2
    second = Change()
    again = process_each(outputs, FileTask(second, provenance))
    assert second.done == ["b", "c"]
    assert "interrupted" not in again
