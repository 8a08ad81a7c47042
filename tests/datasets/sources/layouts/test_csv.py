"""A CSV manifest."""

import unicodedata

import pytest
from trees import dataset_error, manifest, touch

from tfdream.datasets.sources.find import read_source
from tfdream.datasets.sources.tracks import Track


def test_a_manifest_lists_labels_groups_and_folds(tmp_path):
    path = manifest(
        tmp_path,
        "path,label,group,fold",
        "b.wav,rock,queen,1",
        "sub/a.wav,jazz,miles,0",
    )
    expected = [
        Track("b.wav", tmp_path / "b.wav", "rock", "queen", 1),
        Track("sub/a.wav", tmp_path / "sub/a.wav", "jazz", "miles", 0),
    ]
    assert read_source(path).tracks == expected
    assert read_source(tmp_path).tracks == expected  # found in the folder


def test_without_group_and_fold_a_track_is_its_own_group(tmp_path):
    path = manifest(tmp_path, "label,path", "rock,a.wav", "rock,b.wav")
    tracks = read_source(path).tracks
    assert [track.group for track in tracks] == ["a.wav", "b.wav"]
    assert [track.fold for track in tracks] == [None, None]


def test_an_empty_group_is_not_a_common_group(tmp_path):
    path = manifest(tmp_path, "path,label,group", "a.wav,rock,", "b.wav,rock,", "c.wav,rock,x")
    assert [track.group for track in read_source(path).tracks] == ["a.wav", "b.wav", "x"]


def test_a_manifest_from_a_spreadsheet_is_read(tmp_path):
    """With a byte order mark, quotes, spaces, more columns, and non-ASCII letters."""
    text = '\ufeffpath,label,group,year\r\n"a, b.wav", rock ,Björk,1995\r\nc.wav,"jazz"\r\n'
    (tmp_path / "list.csv").write_text(text, encoding="utf-8", newline="")
    tracks = read_source(tmp_path / "list.csv").tracks
    assert [(track.name, track.label, track.fold) for track in tracks] == [
        ("a, b.wav", "rock", None),
        ("c.wav", "jazz", None),
    ]
    assert [track.group for track in tracks] == ["Björk", "c.wav"]


@pytest.mark.parametrize(("listed", "stored"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_files_are_found_however_their_letters_are_composed(tmp_path, listed, stored):
    """Some systems store an accent as a character of its own."""
    stored_name = unicodedata.normalize(stored, "Björk é.wav")
    touch(tmp_path, stored_name)
    path = manifest(tmp_path, "path,label", f"{unicodedata.normalize(listed, stored_name)},rock")
    assert [track.path for track in read_source(path).tracks] == [tmp_path / stored_name]


def test_a_row_with_more_cells_than_columns_is_an_error(tmp_path):
    path = manifest(tmp_path, "path,label", "a.wav,rock,", "c.wav,R&B, Soul")
    text = dataset_error(read_source, path)
    assert "line 3 has more cells than the first line has columns; quote cells" in text


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_other_delimiters_and_encodings_are_read(tmp_path, delimiter, encoding):
    """European spreadsheets write semicolons; the header shows it."""
    rows = [("Label", " path", "group"), ("Música", "a, b.wav", "Björk"), ("rock", "ü.wav", "")]
    text = "\r\n".join(delimiter.join(row) for row in rows)
    touch(tmp_path, "ü.wav")
    (tmp_path / "list.csv").write_bytes(text.encode(encoding))
    first, second = read_source(tmp_path / "list.csv").tracks
    assert (first.name, first.label, first.group) == ("a, b.wav", "Música", "Björk")
    assert (second.name, second.label, second.group) == ("ü.wav", "rock", "ü.wav")


@pytest.mark.parametrize(
    ("row", "encoding"),
    [
        ("a.wav,Рок", "cp1251"),  # Latin-1 would be Ðîê
        ("missing é.wav,rock", "cp1252"),  # no such file
        ("a.wav,ro\u201cck", "cp1252"),
        ("a.wav,ジャズ", "shift-jis"),
    ],
)
def test_ambiguous_encodings_are_rejected_with_a_remedy(tmp_path, row, encoding):
    (tmp_path / "list.csv").write_bytes(f"path,label\nb.wav,rock\n{row}\n".encode(encoding))
    text = dataset_error(read_source, tmp_path / "list.csv")
    assert "line 3 is neither UTF-8 nor Latin-1; save the manifest as CSV UTF-8" in text


def test_latin_1_is_reported(tmp_path, caplog):
    (tmp_path / "list.csv").write_bytes("path,label\na.wav,Música\n".encode("latin-1"))
    assert read_source(tmp_path / "list.csv").tracks[0].label == "Música"
    assert [record.message for record in caplog.records] == [
        f"'{tmp_path / 'list.csv'}' is not UTF-8; it is read as Latin-1"
    ]


def test_the_order_of_rows_does_not_matter(tmp_path):
    rows = ["a.wav,rock,x", "b.wav,jazz,y", "c.wav,rock,z"]
    first = manifest(tmp_path, "path,label,group", *rows, name="1.csv")
    second = manifest(tmp_path, "path,label,group", *reversed(rows), name="2.csv")
    assert read_source(first).tracks == read_source(second).tracks


@pytest.mark.parametrize("path", ["../secret.wav", "sub/../../secret.wav", "/etc/passwd", "link"])
def test_a_path_outside_the_manifests_folder_is_rejected(tmp_path, path):
    touch(tmp_path, "secret.wav")
    source = manifest(tmp_path / "music", "path,label", f"{path},rock")
    (tmp_path / "music" / "link").symlink_to(tmp_path / "secret.wav")
    text = dataset_error(read_source, source)
    assert "line 2" in text
    assert f"path '{path}' is outside the manifest's folder" in text


@pytest.mark.parametrize("again", ["a.wav", "./a.wav", "sub/../a.wav", ".//a.wav", " a.wav "])
def test_a_track_has_one_row(tmp_path, again):
    """Otherwise it would be two groups, of which one might be in the test data."""
    path = manifest(tmp_path, "path,label", "a.wav,rock", f"{again},rock", "b.wav,rock")
    text = dataset_error(read_source, path)
    assert str(path) in text
    assert "twice" in text


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        (["name,label", "a.wav,rock"], ["column path;", "is: name,label"]),
        (["name;label", "a.wav;rock"], ["column path;", "is: name,label"]),
        (["a.wav,rock"], ["column label and path", "is: a.wav,rock"]),
        (["path,label", "a.wav,"], ["line 2", "label"]),
        (["path,label", "a.wav,rock", ",rock"], ["line 3", "path"]),
        (["path,label", "a.wav"], ["line 2", "label"]),
        (["path,label", "a\0.wav,rock"], ["line 2", "is not valid"]),
        (["path,label,fold", "a.wav,rock,-1"], ["line 2", "fold '-1'"]),
        (["path,label,fold", "a.wav,rock,1.5"], ["line 2", "fold '1.5'"]),
        (["path,label,fold", "a.wav,rock,test"], ["line 2", "fold 'test'"]),
        (["path,label,fold", f"a.wav,rock,{'9' * 5000}"], ["line 2", "whole number"]),
    ],
)
def test_an_invalid_row_is_named(tmp_path, rows, parts):
    path = manifest(tmp_path, *rows)
    text = dataset_error(read_source, path)
    assert all(part in text for part in [str(path), *parts])
    assert len(text) < 300


@pytest.mark.parametrize("content", [b"path,label\n\xff\xfe.wav,rock\n", b""])
def test_a_file_that_is_not_a_manifest_is_an_error(tmp_path, content):
    (tmp_path / "list.csv").write_bytes(content)
    assert str(tmp_path / "list.csv") in dataset_error(read_source, tmp_path / "list.csv")


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("song.WAV", b"RIFF\x81\0", "is an audio file"),
        ("song", b"RIFF\x81\0", "is not text in UTF-8 or Latin-1"),
        ("song", b"RIFF\0\x80", "is not a text file"),
    ],
)
def test_a_source_that_is_no_table_is_named_with_a_remedy(tmp_path, name, content, problem):
    (tmp_path / name).write_bytes(content)
    text = dataset_error(read_source, tmp_path / name)
    assert f"'{tmp_path / name}' {problem}; give a folder with one sub-folder per label" in text


def test_a_manifest_without_rows_is_an_error(tmp_path):
    assert "has no audio" in dataset_error(read_source, manifest(tmp_path, "path,label"))
