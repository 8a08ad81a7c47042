import errno
import json
import os
import shutil
import signal

import pytest
from calling import names

from tfdream.errors import AudioError, ModelError
from tfdream.io.atomic import (
    check_output,
    check_output_file,
    read_csv,
    replacing,
    temporary_path,
    write_csv,
    write_json,
    write_text,
)


def test_a_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "folder" / "a.txt"
    with replacing(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert names(path.parent) == ["a.txt"]


def test_the_temporary_file_is_hidden_and_beside_its_target(tmp_path):
    with replacing(tmp_path / "a.txt") as temporary:
        assert temporary.parent == tmp_path  # so that the renaming stays on one disk
        assert temporary.name.startswith(".")
        assert temporary.suffix == ".txt"  # so that writers choose the format by it
        temporary.touch()


@pytest.mark.parametrize("interruption", [ValueError, OSError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("before", [None, "old"])
def test_an_interrupted_block_changes_nothing(tmp_path, interruption, before):
    path = tmp_path / "a.txt"
    if before:
        path.write_text(before)
    with pytest.raises(interruption), replacing(path) as temporary:
        temporary.write_text("half")
        raise interruption
    assert names(tmp_path) == (["a.txt"] if before else [])
    assert not before or path.read_text() == before


def test_a_block_that_writes_nothing_is_an_error_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_text() == "old"


def test_a_folder_is_replaced_whatever_interrupts(tmp_path, monkeypatch):
    """A signal between the removal of the old folder and its replacement is postponed."""
    path = tmp_path / "model"
    path.mkdir()
    (path / "old").touch()
    remove = shutil.rmtree

    def interrupted(folder):
        remove(folder)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    # A shell may start this process with signals ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
            temporary.mkdir()
            (temporary / "new").touch()
    finally:
        signal.signal(signal.SIGINT, before)
    assert names(path) == ["new"]
    assert names(tmp_path) == ["model"]


def test_what_a_killed_process_left_is_replaced(tmp_path):
    path = tmp_path / "a.txt"
    with replacing(path) as temporary:
        left = temporary
        temporary.touch()
    left.write_text("what was written before the process was killed")
    write_text(path, "new")
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_a_folder_that_a_killed_process_left_is_replaced(tmp_path):
    path = tmp_path / "out"
    temporary_path(path).mkdir()
    (temporary_path(path) / "old").touch()
    with replacing(path) as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
    assert [file.name for file in path.iterdir()] == ["new"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "model") as temporary:
        (temporary / "variables").mkdir(parents=True)
        raise KeyboardInterrupt
    assert names(tmp_path) == []
    with replacing(tmp_path / "model") as temporary:
        (temporary / "variables").mkdir(parents=True)
    assert names(tmp_path / "model") == ["variables"]


def test_json_keeps_its_content_and_its_letters(tmp_path):
    content = {"label": "Ænima – ölig", "folds": [0, 1], "peak": 0.5, "none": None}
    write_json(tmp_path / "a.json", content)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == content
    assert "Ænima – ölig" in text
    assert text.endswith("}\n")


def test_what_is_not_json_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"path": tmp_path})
    assert names(tmp_path) == []


def test_a_table_has_the_columns_of_its_last_row(tmp_path):
    path = tmp_path / "a.csv"
    write_csv(path, [{"epoch": 1, "old": 2}, {"epoch": 2, "Ænima, ölig": 0.5}])
    assert read_csv(path) == [
        {"epoch": "1", "Ænima, ölig": ""},
        {"epoch": "2", "Ænima, ölig": "0.5"},
    ]
    assert names(tmp_path) == ["a.csv"]


def test_a_table_that_is_not_there_has_no_rows(tmp_path):
    assert read_csv(tmp_path / "a.csv") == read_csv(tmp_path) == []


@pytest.mark.parametrize("error", [AudioError, ModelError])
def test_an_existing_output_needs_force(tmp_path, error):
    check_output(tmp_path / "new", force=False, error=error)
    check_output(tmp_path, force=True, error=error)
    with pytest.raises(error, match=f"{tmp_path}.*--force"):
        check_output(tmp_path, force=False, error=error)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_a_file_has_the_rights_of_any_new_file(tmp_path):
    write_text(tmp_path / "a.txt", "")
    (tmp_path / "b.txt").touch()
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "b.txt").stat().st_mode


@pytest.mark.parametrize("filename", [None, ".partial-a"])
def test_an_error_of_the_system_names_the_file_that_was_meant(tmp_path, filename):
    path = tmp_path / "a"
    with pytest.raises(OSError) as caught, replacing(path):
        raise OSError(errno.ENOSPC, "full", filename and str(tmp_path / filename))
    assert caught.value.filename == str(path)


def test_a_path_below_a_file_is_refused_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AudioError, match="file' is not a writable folder"):
        check_output(tmp_path / "file" / "new" / "out.wav", False, AudioError)
    check_output(tmp_path / "new" / "new" / "out.wav", False, AudioError)


LONGEST = f"{'é' * 125}.flac"  # 255 bytes


def test_the_longest_name_can_be_written(tmp_path):
    write_text(tmp_path / LONGEST, "whole")
    assert names(tmp_path) == [LONGEST]
    temporary = temporary_path(tmp_path / LONGEST)
    other = temporary_path(tmp_path / f"e{LONGEST[1:]}")
    assert temporary == temporary_path(tmp_path / LONGEST) != other
    assert temporary.name.startswith(".partial-")
    assert temporary.suffix == ".flac"


def test_a_name_that_is_too_long_is_refused_before_the_work(tmp_path):
    check_output(tmp_path / LONGEST, False, AudioError)
    with pytest.raises(AudioError, match="name of 256 bytes, more than 255"):
        check_output(tmp_path / f"a{LONGEST}", False, AudioError)


def test_a_folder_makes_no_way_for_a_file(tmp_path):
    with pytest.raises(AudioError, match="is a folder"):
        check_output_file(tmp_path, True, AudioError)
    check_output_file(tmp_path / "new.wav", False, AudioError)
