import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tfdream.errors import AudioError, ConfigError, OutputError
from tfdream.synthesis.rendering.batch import (
    common_folder,
    destinations,
    process_each,
    recordings,
)
from tfdream.synthesis.rendering.names import Names
from tfdream.synthesis.rendering.options import OutputOptions


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


@pytest.mark.parametrize("folder", ["music", "{}/music"])
@pytest.mark.parametrize("output", ["music/out", "{}/music/out", "music/../music/out"])
def test_earlier_outputs_are_no_sources(tmp_path, monkeypatch, folder, output):
    touch(tmp_path, "music/a.wav", "music/out/a.wav")
    monkeypatch.chdir(tmp_path)
    folder = Path(folder.format(tmp_path))
    assert recordings([folder], output.format(tmp_path)) == [folder / "a.wav"]


def test_sources_below_the_folder_of_the_outputs_are_processed(tmp_path):
    touch(tmp_path, "rock/b.wav")
    assert recordings([tmp_path / "rock"], tmp_path) == [tmp_path / "rock/b.wav"]


def test_earlier_outputs_are_recognized_through_links(tmp_path):
    touch(tmp_path, "real/music/a.wav", "real/music/out/a.wav")
    (tmp_path / "music").symlink_to(tmp_path / "real/music")
    found = recordings([tmp_path / "music"], tmp_path / "real/music/out")
    assert found == [tmp_path / "music/a.wav"]


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


def test_names_that_differ_in_the_extension_only_have_different_outputs(tmp_path):
    outputs = destinations(["x.mp3", "x.flac", "x.wav", "x.aif", "X.wma"], tmp_path)
    assert [path.name for path in outputs.values()] == [
        *("x.mp3.flac", "x.flac", "x.wav", "x.aif.flac", "X.flac")
    ]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("a/x.wav b/x.wav b/y.wav", "a/x.wav b/x.wav y.wav"),
        ("x.wav a/b/x.wav", "x.wav a/b/x.wav"),
        ("a/x.mp3 b/x.aif b/x.wma", "x.flac x.aif.flac x.wma.flac"),
        ("a/x.mp3 a/x.aif b/x.mp3 b/x.aif", "a/x.mp3.flac a/x.aif.flac b/x.mp3.flac b/x.aif.flac"),
        ("a/x.mp3 b/x.flac", "a/x.flac b/x.flac"),
        ("a/x.wav a/x.wav", "x.wav"),
    ],
)
def test_outputs_of_equal_names_have_the_folders_of_their_sources(tmp_path, names, expected):
    outputs = destinations([tmp_path / name for name in names.split()], tmp_path / "out")
    assert list(outputs.values()) == [tmp_path / "out" / name for name in expected.split()]


def test_the_folders_of_outputs_start_at_the_common_folder(tmp_path):
    sources = [tmp_path / "in/live/a/x.wav", tmp_path / "in/live/b/x.wav"]
    outputs = destinations(sources, tmp_path / "out", common_folder([touch(tmp_path, "in/y.wav")]))
    assert list(outputs.values()) == [tmp_path / f"out/in/live/{each}/x.wav" for each in "ab"]
    assert common_folder([tmp_path / "in", tmp_path / "in/y.wav"]) == tmp_path / "in"


def test_equal_outputs_are_an_error(tmp_path):
    names = ("x.mp3", "x.aif", "x.mp3.flac")
    with pytest.raises(AudioError, match=r"two files would be written to .*x\.mp3\.flac"):
        destinations([tmp_path / name for name in names], tmp_path / "out")


def test_a_recording_is_never_its_own_output(tmp_path):
    touch(tmp_path, "x.wav")
    with pytest.raises(AudioError, match=r"x\.wav' would overwrite itself"):
        destinations([tmp_path / "x.wav"], tmp_path / "sub" / "..")


def test_no_output_replaces_another_recording(tmp_path):
    sources = [tmp_path / "a.wav", tmp_path / "a-1.wav"]
    with pytest.raises(AudioError, match=r"a\.wav' would overwrite the input '.*a-1\.wav'"):
        destinations(sources, tmp_path, names=Names("{stem}-1"))


# Processing


@pytest.fixture
def outputs(tmp_path):
    """Three sources of different sample rates and channels, and their outputs."""
    touch(tmp_path, "in/x", "out/x")
    for name, rate, channels in (("a", 8000, 1), ("b", 11025, 2), ("c", 16000, 3)):
        soundfile.write(tmp_path / f"in/{name}.wav", np.zeros((100, channels)), rate)
    return {tmp_path / f"in/{name}.wav": tmp_path / f"out/{name}.wav" for name in "abc"}


class Change:
    """A recipe that writes empty outputs; fails or is interrupted for the given names."""

    def __init__(self, bad=(), interrupted=(), error=AudioError, seed=3):
        self.bad, self.interrupted, self.error, self.seed = bad, interrupted, error, seed
        self.done, self.prepared = [], []

    def prepare(self, source):
        self.prepared.append(source.stem)

    def provenance(self, source, options):
        return {"source": str(source), "seed": self.seed, "settings": (1, 2)}

    def __call__(self, source, output, options, progress):
        if source.stem in self.bad:
            raise self.error(f"{source.name} cannot be decoded")
        self.done.append(source.stem)
        result = {"output": str(output)}
        if source.stem in self.interrupted:
            result["interrupted"] = True
        output.touch()
        sidecar = {**self.provenance(source, options), "result": result, "versions": {}}
        output.with_name(output.name + ".json").write_text(json.dumps(sidecar))
        return result


def process(outputs, change, **arguments):
    return process_each(outputs, change, OutputOptions(), **arguments)


def test_each_file_is_processed(outputs):
    change = Change()
    result = process(outputs, change)
    assert change.done == ["a", "b", "c"]
    assert change.prepared == ["a"]
    assert [each["output"] for each in result["files"]] == [str(path) for path in outputs.values()]
    assert (result["skipped_existing"], result["skipped"]) == ([], [])


@pytest.mark.parametrize(
    "error",
    [
        AudioError,
        ConfigError,
        MemoryError,
        PermissionError,
        lambda text: tf.errors.ResourceExhaustedError(None, None, text),
    ],
)
def test_a_file_that_fails_does_not_stop_the_others(outputs, caplog, error):
    change = Change(bad="b", error=error)
    result = process(outputs, change)
    assert change.done == ["a", "c"]
    (skipped,) = result["skipped"]
    assert Path(skipped["path"]).name == "b.wav"
    assert "b.wav cannot be decoded" in skipped["reason"]
    assert caplog.messages == [f"Skipped: {skipped['reason']}"]


@pytest.mark.parametrize("error", [OutputError, OSError, ZeroDivisionError])
def test_errors_of_all_files_and_of_the_program_are_raised_after_a_report(outputs, caplog, error):
    change = Change(bad="b", error=error)
    with pytest.raises(error):
        process(outputs, change)
    assert change.done == ["a"]
    assert caplog.messages == [
        f"Stopped at '{list(outputs)[1]}'; 1 of 3 outputs are finished and remain, "
        "0 files were skipped"
    ]


def test_an_interrupt_stops_the_batch(outputs):
    change = Change(bad="b", error=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        process(outputs, change)
    assert change.done == ["a"]


def test_settings_are_checked_with_the_first_file_that_can_be_opened(outputs):
    next(iter(outputs)).write_bytes(b"no audio")
    change = Change()

    def fail(source):
        change.prepared.append(source.stem)
        raise ConfigError("no such layer")

    change.prepare = fail
    with pytest.raises(ConfigError, match="no such layer"):
        process(outputs, change)
    assert (change.prepared, change.done) == (["b"], [])


def test_only_unreadable_files_are_an_error(outputs):
    with pytest.raises(AudioError, match=r"none of 3 files could be processed: a\.wav cannot be"):
        process(outputs, Change(bad="abc"))


def test_outputs_of_the_same_settings_are_reused(outputs):
    process(outputs, Change(bad="b"))
    change = Change()
    result = process(outputs, change)
    assert change.done == ["b"]
    assert [Path(path).name for path in result["skipped_existing"]] == ["a.wav", "c.wav"]
    again = process(outputs, Change())
    assert (again["files"], len(again["skipped_existing"])) == ([], 3)


def test_outputs_of_other_settings_are_replaced(outputs):
    process(outputs, Change())
    change = Change(seed=4)
    assert process(outputs, change)["skipped_existing"] == []
    assert change.done == ["a", "b", "c"]


@pytest.mark.parametrize("damage", ["sound", "sidecar", "text"])
def test_incomplete_outputs_are_computed_again(outputs, damage):
    process(outputs, Change())
    output = list(outputs.values())[1]
    sidecar = output.with_name("b.wav.json")
    if damage == "text":
        sidecar.write_text('{"config": ')
    else:
        (output if damage == "sound" else sidecar).unlink()
    change = Change()
    process(outputs, change)
    assert change.done == ["b"]


def test_an_interruption_stops_the_batch_and_is_not_complete(outputs):
    first = Change(interrupted="b")
    result = process(outputs, first)
    assert first.done == ["a", "b"]
    assert result["interrupted"] is True
    assert len(result["files"]) == 2
    second = Change()
    again = process(outputs, second)
    assert second.done == ["b", "c"]
    assert "interrupted" not in again


def test_a_requested_stop_leaves_the_next_file_undone(outputs):
    change = Change()
    result = process(outputs, change, stop_requested=lambda: change.done == ["a"])
    assert change.done == ["a"]
    assert (len(result["files"]), result["interrupted"]) == (1, True)
