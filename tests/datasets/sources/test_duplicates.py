"""Identical files and similar labels."""

from pathlib import Path

from tfdream.datasets.sources.duplicates import group_duplicates, similar_labels
from tfdream.datasets.sources.tracks import Track
from tfdream.io import duplicates
from tfdream.io.duplicates import identical_files


def tracks_of(folder, *rows):
    """Write a file for each row of name, content, group and fold; its folder is the label."""
    tracks = []
    for name, content, group, *fold in rows:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        tracks.append(Track(name, path, name.split("/")[0], group, *fold))
    return tracks


def test_identical_files_share_a_group(tmp_path):
    tracks = tracks_of(
        tmp_path,
        ("jazz/a.wav", "one", "jazz/a.wav"),
        ("jazz/b.wav", "two", "jazz/b.wav"),
        ("jazz/c.wav", "one", "jazz/c.wav"),
        ("rock/d.wav", "ten", "rock/d.wav"),
    )
    grouped, warnings = group_duplicates(tracks)
    assert [track.group for track in grouped] == [
        *("jazz/a.wav", "jazz/b.wav", "jazz/a.wav", "rock/d.wav")
    ]
    assert warnings == [
        "'jazz/a.wav' and 'jazz/c.wav' are identical; they are in the same fold; remove one of them"
    ]


def test_groups_that_share_a_file_are_joined(tmp_path):
    """The artists x, y and z are connected by two recordings."""
    tracks = tracks_of(
        tmp_path,
        *(("a/1", "one", "x"), ("a/2", "one", "y"), ("a/3", "two", "y")),
        *(("a/4", "two", "z"), ("a/5", "three", "z"), ("a/6", "four", "w")),
    )
    grouped, _ = group_duplicates(tracks)
    assert [track.group for track in grouped] == ["x", "x", "x", "x", "x", "w"]


def test_identical_files_of_different_labels_are_named(tmp_path):
    tracks = tracks_of(tmp_path, ("jazz/a.wav", "one", "g"), ("rock/b.wav", "one", "h"))
    grouped, (warning,) = group_duplicates(tracks)
    assert [track.group for track in grouped] == ["g", "g"]
    assert warning == (
        "'jazz/a.wav' and 'rock/b.wav' are identical, but have the labels 'jazz' and 'rock'; "
        "remove one of them"
    )


def test_folds_of_the_source_are_not_changed(tmp_path):
    tracks = tracks_of(tmp_path, ("jazz/a.wav", "one", "g", 0), ("jazz/b.wav", "one", "h", 2))
    grouped, (warning,) = group_duplicates(tracks)
    assert grouped == tracks
    problem = "are in the folds 0 and 2, so test data are also training data; remove one of them"
    assert warning.endswith(f"{problem}, or use --deal-folds")
    tracks[1:] = tracks_of(tmp_path, ("rock/b.wav", "one", "h", 2))
    _, (warning,) = group_duplicates(tracks)
    assert "have the labels 'jazz' and 'rock', and are in the folds 0 and 2, so" in warning
    assert warning.endswith("remove one of them")


def test_labels_that_differ_in_case_spaces_or_unicode_form_are_named():
    assert similar_labels(["jazz", "rock", "jazz", "hip hop", "hip-hop"]) == []
    for first, second in (("Jazz", "jazz"), ("jazz", "jazz "), ("a b", "a  b"), ("é", "e\u0301")):
        (warning,) = similar_labels([second, "rock", first])
        assert all(f"'{label}'" in warning for label in (first, second))


def test_only_files_of_equal_size_and_equal_ends_are_read_completely(tmp_path, monkeypatch):
    contents = {
        "a": b"x" * 300_000,
        "b": b"x" * 300_000,
        "c": b"x" * 150_000 + b"y" + b"x" * 149_999,  # differs in the middle
        "d": b"y" * 300_000,
        "e": b"x" * 300_001,
        "empty": b"",
        "empty too": b"",
    }
    paths = [tmp_path / name for name in [*contents, "missing"]]
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    read = []
    digest = duplicates.file_sha256
    monkeypatch.setattr(
        duplicates, "file_sha256", lambda path: read.append(path.name) or digest(path)
    )
    assert identical_files(map(str, paths)) == [[tmp_path / "a", tmp_path / "b"]]
    assert read == ["a", "b", "c"]
    assert identical_files([]) == []
    assert identical_files([Path(tmp_path)]) == []
