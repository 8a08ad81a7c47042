"""A folder with one sub-folder per label."""

import os

import pytest
from trees import dataset_error, manifest, touch

from tfdream.datasets.sources.find import read_source
from tfdream.datasets.sources.tracks import Skipped

FILES = ["rock/a.wav", "rock/live/b.FLAC", "jazz/c.ogg", "jazz/deep/down/d.mp3"]


def test_a_sub_folder_is_a_label(tmp_path):
    touch(tmp_path, *FILES)
    tracks, skipped = read_source(tmp_path)
    assert [track.name for track in tracks] == sorted(FILES)
    assert {track.name: track.label for track in tracks} == {n: n.split("/")[0] for n in FILES}
    assert all(track.path == tmp_path / track.name for track in tracks)
    assert all(track.fold is None for track in tracks)
    assert len({track.group for track in tracks}) == len(tracks)
    assert skipped == []
    assert read_source(str(tmp_path)).tracks == tracks


def test_the_order_does_not_depend_on_the_disk(tmp_path):
    touch(tmp_path / "one", *FILES)
    touch(tmp_path / "two", *reversed(FILES))
    first, second = (read_source(tmp_path / name).tracks for name in ("one", "two"))
    assert [track.name for track in first] == [track.name for track in second]


def test_other_files_are_skipped_with_a_reason_and_hidden_files_are_ignored(tmp_path):
    others = ["rock/cover.jpg", "rock/notes", "loose.wav", "rock/a.wav.txt"]
    hidden = [".DS_Store", "rock/._a.wav", ".trash/a.wav", "rock/.old/a.wav"]
    touch(tmp_path, *FILES, *others, *hidden)
    tracks, skipped = read_source(tmp_path)
    assert len(tracks) == len(FILES)
    assert [path for path, _ in skipped] == sorted(others)
    assert all(isinstance(entry, Skipped) and entry.reason for entry in skipped)


def test_a_source_below_a_hidden_folder_is_read(tmp_path):
    touch(tmp_path / ".cache" / "music", *FILES)
    assert len(read_source(tmp_path / ".cache" / "music").tracks) == len(FILES)


def test_a_source_without_audio_lists_other_files(tmp_path):
    touch(tmp_path, "rock/cover.jpg")
    assert "(rock/cover.jpg: '.jpg' is not the extension" in dataset_error(read_source, tmp_path)


def test_a_file_is_not_a_folder_of_labels(tmp_path):
    path = manifest(tmp_path, "path,label", "a.wav,rock")
    assert "--layout csv" in dataset_error(read_source, path, "folder")


@pytest.mark.skipif(os.name == "nt", reason="Windows needs privileges for links")
def test_a_linked_file_is_a_track(tmp_path):
    touch(tmp_path, "other.wav", "music/rock/a.wav")
    (tmp_path / "music/rock/b.wav").symlink_to(tmp_path / "other.wav")
    names = [track.name for track in read_source(tmp_path / "music").tracks]
    assert names == ["rock/a.wav", "rock/b.wav"]


def test_a_label_may_be_a_link_to_a_folder(tmp_path):
    touch(tmp_path / "songs", "song.wav", ".hidden.wav")
    (tmp_path / "songs" / "back").symlink_to(tmp_path / "songs")  # a cycle
    source = tmp_path / "source"
    source.mkdir()
    (source / "rock").symlink_to(tmp_path / "songs")
    tracks, skipped = read_source(source, "folder")
    assert [(track.name, track.label) for track in tracks] == [("rock/song.wav", "rock")]
    assert not skipped
