import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tfdream.datasets.sources.find import LAYOUTS, SourceOptions, assign_folds, read
from tfdream.datasets.sources.tracks import Skipped, Track
from tfdream.errors import DatasetError

FILES = ["rock/a.wav", "rock/live/b.FLAC", "jazz/c.ogg", "jazz/deep/down/d.mp3"]


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def manifest(folder, *rows, name="manifest.csv"):
    """A CSV file of these lines; its tracks need not exist to be listed."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def message(call, *arguments, **settings):
    """The text of the DatasetError, which is one line."""
    with pytest.raises(DatasetError) as caught:
        call(*arguments, **settings)
    text = str(caught.value)
    assert text.splitlines() == [text]
    return text


# A folder for each label


def test_a_folder_is_a_label(tmp_path):
    touch(tmp_path, *FILES)
    tracks, skipped = read(tmp_path)
    assert [track.name for track in tracks] == sorted(FILES)
    assert {track.name: track.label for track in tracks} == {n: n.split("/")[0] for n in FILES}
    assert all(track.path == tmp_path / track.name for track in tracks)
    assert all(track.fold is None for track in tracks)
    assert len({track.group for track in tracks}) == len(tracks)
    assert skipped == []


def test_the_order_does_not_depend_on_the_disk(tmp_path):
    touch(tmp_path / "one", *FILES)
    touch(tmp_path / "two", *reversed(FILES))
    first, second = (read(tmp_path / name).tracks for name in ("one", "two"))
    assert [track.name for track in first] == [track.name for track in second]


@pytest.mark.parametrize("name", ["rock/cover.jpg", "rock/notes", "loose.wav", "rock/a.wav.txt"])
def test_what_is_no_track_is_skipped_by_name_and_reason(tmp_path, name):
    touch(tmp_path, *FILES, name)
    tracks, skipped = read(tmp_path)
    assert len(tracks) == len(FILES)
    assert [path for path, _ in skipped] == [name]
    assert all(isinstance(entry, Skipped) and entry.reason for entry in skipped)


@pytest.mark.parametrize("name", [".DS_Store", "rock/._a.wav", ".trash/a.wav", "rock/.old/a.wav"])
def test_hidden_files_are_none_of_our_business(tmp_path, name):
    touch(tmp_path, *FILES, name)
    tracks, skipped = read(tmp_path)
    assert (len(tracks), skipped) == (len(FILES), [])


def test_a_source_below_a_hidden_folder_is_read(tmp_path):
    touch(tmp_path / ".cache" / "music", *FILES)
    assert len(read(tmp_path / ".cache" / "music").tracks) == len(FILES)


# A manifest


def test_a_manifest_names_labels_groups_and_folds(tmp_path):
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
    assert read(path).tracks == expected
    assert read(tmp_path).tracks == expected  # found in the folder


def test_without_group_and_fold_a_track_is_a_group_of_its_own(tmp_path):
    path = manifest(tmp_path, "label,path", "rock,a.wav", "rock,b.wav")
    tracks = read(path).tracks
    assert [track.group for track in tracks] == ["a.wav", "b.wav"]
    assert [track.fold for track in tracks] == [None, None]


def test_an_empty_group_is_no_common_group(tmp_path):
    path = manifest(tmp_path, "path,label,group", "a.wav,rock,", "b.wav,rock,", "c.wav,rock,x")
    assert [track.group for track in read(path).tracks] == ["a.wav", "b.wav", "x"]


def test_a_manifest_of_a_spreadsheet_is_read(tmp_path):
    """With a byte order mark, quotes, spaces, more columns, and letters of all kinds."""
    text = '\ufeffpath,label,group,year\r\n"a, b.wav", rock ,Björk,1995\r\nc.wav,"jazz"\r\n'
    (tmp_path / "list.csv").write_text(text, encoding="utf-8", newline="")
    tracks = read(tmp_path / "list.csv").tracks
    assert [tuple(track)[0::2] for track in tracks] == [
        ("a, b.wav", "rock", None),
        ("c.wav", "jazz", None),
    ]
    assert [track.group for track in tracks] == ["Björk", "c.wav"]


def test_rows_may_stand_in_any_order(tmp_path):
    rows = ["a.wav,rock,x", "b.wav,jazz,y", "c.wav,rock,z"]
    first = manifest(tmp_path, "path,label,group", *rows, name="1.csv")
    second = manifest(tmp_path, "path,label,group", *reversed(rows), name="2.csv")
    assert read(first).tracks == read(second).tracks


@pytest.mark.parametrize("escape", ["../secret.wav", "sub/../../secret.wav", "/etc/passwd", "link"])
def test_a_path_cannot_leave_the_manifests_folder(tmp_path, escape):
    touch(tmp_path, "secret.wav")
    path = manifest(tmp_path / "music", "path,label", f"{escape},rock")
    (tmp_path / "music" / "link").symlink_to(tmp_path / "secret.wav")
    text = message(read, path)
    assert "line 2" in text
    assert escape in text


@pytest.mark.parametrize(
    ("row", "reason"), [("a\0.wav,rock,0", "is none"), (f"a.wav,rock,{'9' * 5000}", "whole number")]
)
def test_a_row_that_python_would_stumble_over_is_an_error(tmp_path, row, reason):
    text = message(read, manifest(tmp_path, "path,label,fold", row))
    assert "line 2" in text
    assert reason in text
    assert len(text) < 300


@pytest.mark.parametrize("again", ["a.wav", "./a.wav", "sub/../a.wav", ".//a.wav", " a.wav "])
def test_a_track_has_one_row_however_it_is_spelt(tmp_path, again):
    """Else it would be two groups, one to be trained on and one to be tested on."""
    path = manifest(tmp_path, "path,label", "a.wav,rock", f"{again},rock", "b.wav,rock")
    text = message(read, path)
    assert str(path) in text
    assert "twice" in text


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        (["name,label", "a.wav,rock"], ["column path"]),
        (["a.wav,rock"], ["column label and path"]),
        (["path,label", "a.wav,"], ["line 2", "label"]),
        (["path,label", "a.wav,rock", ",rock"], ["line 3", "path"]),
        (["path,label", "a.wav"], ["line 2", "label"]),
        (["path,label,fold", "a.wav,rock,-1"], ["line 2", "fold '-1'"]),
        (["path,label,fold", "a.wav,rock,1.5"], ["line 2", "fold '1.5'"]),
        (["path,label,fold", "a.wav,rock,test"], ["line 2", "fold 'test'"]),
    ],
)
def test_a_broken_row_is_named(tmp_path, rows, named):
    path = manifest(tmp_path, *rows)
    text = message(read, path)
    assert all(part in text for part in [str(path), *named])


@pytest.mark.parametrize("content", [b"path,label\n\xff\xfe.wav,rock\n", b""])
def test_a_file_that_is_no_manifest_is_an_error(tmp_path, content):
    (tmp_path / "list.csv").write_bytes(content)
    assert str(tmp_path / "list.csv") in message(read, tmp_path / "list.csv")


# Which layout


def test_the_layout_is_seen(tmp_path):
    touch(tmp_path, *FILES)
    assert {track.label for track in read(tmp_path).tracks} == {"rock", "jazz"}
    path = manifest(tmp_path, "path,label", "rock/a.wav,loud")
    assert {track.label for track in read(tmp_path).tracks} == {"loud"}
    assert {track.label for track in read(path).tracks} == {"loud"}


def test_the_layout_can_be_said(tmp_path):
    touch(tmp_path, *FILES)
    manifest(tmp_path, "path,label", "rock/a.wav,loud")
    assert {track.label for track in read(tmp_path, SourceOptions("folder")).tracks} == {
        "rock",
        "jazz",
    }
    assert {track.label for track in read(tmp_path, SourceOptions("csv")).tracks} == {"loud"}


@pytest.mark.parametrize("layout", ["auto", *LAYOUTS])
def test_a_source_without_tracks_is_an_error(tmp_path, layout):
    options = SourceOptions(layout)
    assert str(tmp_path) in message(read, tmp_path, options)
    assert "does not exist" in message(read, tmp_path / "none", options)


def test_a_source_without_tracks_says_what_it_holds_instead(tmp_path):
    touch(tmp_path, "rock/cover.jpg")
    assert "(rock/cover.jpg: '.jpg' is not the extension" in message(read, tmp_path)


def test_a_manifest_without_rows_is_an_error(tmp_path):
    assert "no audio" in message(read, manifest(tmp_path, "path,label"))


def test_an_unknown_layout_is_an_error(tmp_path):
    assert "'tree' is not one of: auto, folder, csv" in message(
        read, tmp_path, SourceOptions("tree")
    )


def test_a_file_is_no_folder_of_labels(tmp_path):
    path = manifest(tmp_path, "path,label", "a.wav,rock")
    assert "--layout csv" in message(read, path, SourceOptions("folder"))


@pytest.mark.parametrize(
    ("layout", "given", "words"),
    [
        ("auto", {"splits": Path("lists")}, "--splits belongs to --layout gtzan"),
        ("csv", {"splits": Path("lists")}, "--splits belongs to --layout gtzan"),
        ("folder", {"subset": "small"}, "--subset belongs to --layout fma"),
        ("gtzan", {"subset": "small"}, "--subset belongs to --layout fma"),
        ("auto", {"deal_folds": True}, "states no folds"),
        ("csv", {"deal_folds": True}, "states no folds"),
    ],
)
def test_an_option_that_does_not_belong_to_the_layout_is_an_error(tmp_path, layout, given, words):
    touch(tmp_path, *FILES)
    if layout == "csv":
        manifest(tmp_path, "path,label", "rock/a.wav,rock")
    assert words in message(read, tmp_path, SourceOptions(layout, **given))


# Folds

SEEDS = range(6)


def track(name, label="rock", group=None, fold=None):
    return Track(name, Path(name), label, group or name, fold)


def collection(seed, labels=3, groups=12, largest=4):
    """Artists of one to `largest` tracks, each mostly of one label."""
    rng = np.random.default_rng(seed)
    tracks = []
    for artist in range(groups):
        for number in range(rng.integers(1, largest + 1)):
            strays = rng.random() < 0.1
            label = f"label {(artist + strays) % labels}"
            tracks.append(track(f"{artist}-{number}", label, f"artist {artist}"))
    return tracks


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("folds", [2, 5, 12])
def test_a_group_never_spans_folds_and_no_fold_is_empty(seed, folds):
    tracks = collection(seed)
    assigned = assign_folds(tracks, folds, seed)
    assert [one._replace(fold=None) for one in assigned] == tracks  # nothing else changes
    assert {one.fold for one in assigned} == set(range(folds))
    folds_of = {(one.group, one.fold) for one in assigned}
    assert len(folds_of) == len({one.group for one in tracks})


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("groups", [2, 3, 4, 5, 6])
def test_no_fold_is_empty_even_with_as_many_groups_as_folds(seed, groups):
    """Where labels are too rare and groups too uneven to be stratified."""
    for variant in range(20):
        tracks = collection(100 * seed + variant, labels=1 + seed % 4, groups=groups, largest=5)
        assert {one.fold for one in assign_folds(tracks, groups, variant)} == set(range(groups))


def test_no_fold_is_empty_where_stratifying_would_leave_one_so():
    """Four artists, for which scikit-learn's stratification fills but three of four folds."""
    labels = ["b", "a", "bbbaa", "bb"]
    tracks = [
        track(f"{artist}-{number}", label, f"artist {artist}")
        for artist, songs in enumerate(labels)
        for number, label in enumerate(songs)
    ]
    for seed in range(20):
        assert {one.fold for one in assign_folds(tracks, 4, seed)} == set(range(4))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("folds", [2, 4, 5])
def test_labels_are_spread_evenly(seed, folds):
    """Where every track is a group, each fold has its share of each label, give or take one."""
    tracks = [
        track(f"{label}-{number}", label)
        for label, count in {"rock": 40, "jazz": 21, "folk": 9}.items()
        for number in range(count)
    ]
    found = Counter((one.label, one.fold) for one in assign_folds(tracks, folds, seed))
    for label, count in {"rock": 40, "jazz": 21, "folk": 9}.items():
        for fold in range(folds):
            assert abs(found[label, fold] - count / folds) <= 1


def test_a_label_rarer_than_the_folds_is_no_error():
    tracks = [track(f"{number}") for number in range(10)] + [track("rare", "jazz")]
    assert {one.fold for one in assign_folds(tracks, 5, seed=0)} == set(range(5))


def test_labels_that_are_all_rare_are_dealt_out_evenly():
    tracks = [track(f"{number}", label=f"label {number}") for number in range(10)]
    folds = Counter(one.fold for one in assign_folds(tracks, 5, seed=0))
    assert folds == dict.fromkeys(range(5), 2)


def test_the_seed_decides():
    tracks = collection(0)
    first, again, other = (assign_folds(tracks, 4, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_one_fold_takes_all():
    assert {one.fold for one in assign_folds(collection(0), 1, seed=0)} == {0}


@pytest.mark.parametrize("folds", [2, 5])
def test_stated_folds_are_kept(folds):
    tracks = [track("a", fold=3), track("b", fold=0), track("c", fold=0)]
    assert assign_folds(tracks, folds, seed=0) == tracks


def test_a_stated_fold_that_splits_a_group_is_an_error():
    tracks = [track("a", group="queen", fold=0), track("b", group="queen", fold=1)]
    text = message(assign_folds, tracks, 2, seed=0)
    assert "'queen'" in text
    assert "'0', '1'" in text
    assert "--deal-folds" in text


def test_stated_folds_can_be_ignored(tmp_path):
    rows = [f"{number}.wav,rock,artist {number % 3},{number % 2}" for number in range(12)]
    path = manifest(tmp_path, "path,label,group,fold", *rows)
    message(assign_folds, read(path).tracks, 3, seed=0)
    tracks = read(path, SourceOptions(deal_folds=True)).tracks
    assert {one.fold for one in tracks} == {None}
    assert {one.fold for one in assign_folds(tracks, 3, seed=0)} == {0, 1, 2}


def test_stating_some_folds_is_an_error():
    tracks = [track("a", fold=0), track("b")]
    assert "'b' states no fold" in message(assign_folds, tracks, 2, seed=0)


@pytest.mark.parametrize("folds", [4, 100])
def test_more_folds_than_groups_are_an_error(folds):
    tracks = [track(f"{number}", group=f"artist {number % 3}") for number in range(30)]
    text = message(assign_folds, tracks, folds, seed=0)
    assert f"folds={folds}" in text
    assert "3 groups" in text
    assert "prepare.folds" in text


@pytest.mark.skipif(os.name == "nt", reason="Windows needs rights for links")
def test_a_linked_file_is_a_track(tmp_path):
    touch(tmp_path, "elsewhere.wav", "music/rock/a.wav")
    (tmp_path / "music/rock/b.wav").symlink_to(tmp_path / "elsewhere.wav")
    assert [one.name for one in read(tmp_path / "music").tracks] == ["rock/a.wav", "rock/b.wav"]
