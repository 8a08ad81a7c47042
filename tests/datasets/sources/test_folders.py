"""Collections as they come, in small; and what holds of every layout."""

import csv
from collections import defaultdict

import numpy as np
import pytest
import soundfile

from tfdream.commands.data import prepare as command
from tfdream.config import PrepareConfig
from tfdream.datasets import records
from tfdream.datasets.preparation.prepare import prepare
from tfdream.datasets.sources import fma
from tfdream.datasets.sources.find import LAYOUTS, SourceOptions, assign_folds, read
from tfdream.errors import DatasetError

CONFIG = PrepareConfig(sample_rate=8000, clip_seconds=1.0, folds=2, shard_clips=5)
SEEDS = range(12)


def message(call, *arguments, **settings):
    """The text of the DatasetError, which is one line."""
    with pytest.raises(DatasetError) as caught:
        call(*arguments, **settings)
    text = str(caught.value)
    assert text.splitlines() == [text]
    return text


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def sound(path, seconds=2.2, rate=22050):
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    soundfile.write(path, tone, rate)


def folds_of_shards(folder):
    """Track → fold, of a prepared dataset."""
    return {track: shard.fold for shard in records.load(folder).shards for track in shard.tracks}


# GTZAN

GENRES = ("blues", "jazz")
EXCERPTS = [f"{genre}/{genre}.{number:05d}" for genre in GENRES for number in (0, 1, 29, 54)]


def gtzan(folder, place="genres_original", extension=".wav", write=touch):
    for excerpt in EXCERPTS:
        write(folder / place, f"{excerpt}{extension}")
    return folder


def lists(folder, test=EXCERPTS[:2], valid=EXCERPTS[2:4], train=EXCERPTS[4:]):
    folder.mkdir(exist_ok=True)
    for name, excerpts in {"test": test, "valid": valid, "train": train}.items():
        lines = "".join(f"{excerpt}.wav\n" for excerpt in excerpts)
        (folder / f"{name}_filtered.txt").write_text(lines)
    return folder


@pytest.mark.parametrize("place", ["genres_original", "genres", "."])
@pytest.mark.parametrize("extension", [".wav", ".au"])
@pytest.mark.parametrize("layout", ["auto", "gtzan"])
def test_gtzan_is_found_wherever_it_was_unpacked(tmp_path, place, extension, layout):
    gtzan(tmp_path, place, extension)
    touch(tmp_path, "features_30_sec.csv", "images_original/blues/blues00000.png")
    tracks = read(tmp_path / place, SourceOptions(layout)).tracks  # from inside
    assert [track.label for track in tracks] == ["blues"] * 4 + ["jazz"] * 4
    if place != ".":
        tracks, skipped = read(tmp_path, SourceOptions(layout))
        assert [track.label for track in tracks] == ["blues"] * 4 + ["jazz"] * 4
        assert tracks[0].name == f"{place}/blues/blues.00000{extension}"
        assert tracks[0].path == tmp_path / tracks[0].name
        assert skipped == []
    assert [track.group for track in tracks] == EXCERPTS
    assert {track.fold for track in tracks} == {None}


def test_names_of_genres_do_not_make_a_folder_gtzan(tmp_path):
    touch(tmp_path, "rock/a.wav", "jazz/jazz.wav", "genres/01.wav")
    assert {track.label for track in read(tmp_path).tracks} == {"rock", "jazz", "genres"}
    assert "genres_original/blues/blues.00000.wav" in message(
        read, tmp_path, SourceOptions("gtzan")
    )


def test_split_lists_give_the_folds_of_the_official_protocol(tmp_path):
    gtzan(tmp_path / "source", extension=".au")  # the lists say .wav
    splits = lists(tmp_path / "lists")
    tracks, skipped = read(tmp_path / "source", SourceOptions(splits=splits))
    # Training validates on the fold after the test fold.
    assert [track.fold for track in tracks] == [0, 0, 1, 1, 2, 2, 2, 2]
    assert skipped == []
    assert assign_folds(tracks, 5, seed=0) == tracks


def test_what_is_in_no_list_and_what_is_only_there_is_reported(tmp_path):
    gtzan(tmp_path / "source")
    splits = lists(tmp_path / "lists", train=[*EXCERPTS[5:], "rock/rock.00007"])
    tracks, skipped = read(tmp_path / "source", SourceOptions(splits=splits))
    assert [track.group for track in tracks] == EXCERPTS[:4] + EXCERPTS[5:]
    assert skipped == [
        ("genres_original/jazz/jazz.00000.wav", f"in no split list of '{splits}'"),
        ("rock/rock.00007", "in train_filtered.txt, but not in the source"),
    ]


def test_a_list_may_have_blank_lines_and_bare_names(tmp_path):
    gtzan(tmp_path / "source")
    splits = lists(tmp_path / "lists")
    lines = ["", "blues.00000.wav", "  genres/blues/blues.00001.au ", ""]
    (splits / "test_filtered.txt").write_text("\ufeff" + "\r\n".join(lines), newline="")
    tracks = read(tmp_path / "source", SourceOptions(splits=splits)).tracks
    assert [track.group for track in tracks if track.fold == 0] == EXCERPTS[:2]


def test_listed_tracks_may_be_dealt_out_anew(tmp_path):
    gtzan(tmp_path / "source")
    options = SourceOptions(splits=lists(tmp_path / "lists", test=EXCERPTS[:1]), deal_folds=True)
    tracks, skipped = read(tmp_path / "source", options)
    assert len(tracks) == 7
    assert len(skipped) == 1
    assert {track.fold for track in assign_folds(tracks, 4, seed=0)} == {0, 1, 2, 3}


@pytest.mark.parametrize("name", ["train", "valid", "test"])
def test_a_missing_list_is_an_error(tmp_path, name):
    gtzan(tmp_path / "source")
    splits = lists(tmp_path / "lists")
    (splits / f"{name}_filtered.txt").unlink()
    text = message(read, tmp_path / "source", SourceOptions(splits=splits))
    assert f"{name}_filtered.txt' does not exist; --splits names a folder with test_" in text


def test_an_excerpt_in_two_lists_is_an_error(tmp_path):
    gtzan(tmp_path / "source")
    splits = lists(tmp_path / "lists", train=[*EXCERPTS[4:], EXCERPTS[0]])
    text = message(read, tmp_path / "source", SourceOptions(splits=splits))
    assert "train_filtered.txt' line 5: 'blues/blues.00000.wav' is in test_filtered.txt" in text


@pytest.mark.parametrize("content", [b"30\n31\n", b"blues/blues.0.wav\n", b"\xff\xfe\n"])
def test_a_file_that_is_no_list_is_an_error(tmp_path, content):
    """Such as lists of row numbers, which went round too."""
    gtzan(tmp_path / "source")
    splits = lists(tmp_path / "lists")
    (splits / "valid_filtered.txt").write_bytes(content)
    assert "valid_filtered.txt" in message(read, tmp_path / "source", SourceOptions(splits=splits))


def test_lists_of_another_collection_are_an_error(tmp_path):
    gtzan(tmp_path / "source")
    splits = lists(tmp_path / "lists", ["pop/pop.00001"], ["pop/pop.00002"], ["pop/pop.00003"])
    assert "in no split list" in message(read, tmp_path / "source", SourceOptions(splits=splits))


@pytest.mark.parametrize("split", [False, True])
def test_gtzan_is_prepared_but_for_its_unreadable_file(tmp_path, split):
    gtzan(tmp_path / "source", write=lambda place, name: sound(place / name))
    damaged = "genres_original/jazz/jazz.00054.wav"
    (tmp_path / "source" / damaged).write_bytes(bytes(range(256)) * 8)
    options = SourceOptions(splits=lists(tmp_path / "lists") if split else None)
    result = prepare(tmp_path / "source", tmp_path / "dataset", CONFIG, options, workers=1)
    (skipped,) = result["skipped"]
    assert skipped["path"] == damaged
    assert skipped["reason"].startswith("cannot be decoded")
    assert result["tracks"] == 7
    assert result["clips_per_label"] == {"blues": 8, "jazz": 6}
    folds = folds_of_shards(tmp_path / "dataset")
    assert set(folds.values()) == ({0, 1, 2} if split else {0, 1})
    if split:
        assert [folds[name] for name in sorted(folds)] == [0, 0, 1, 1, 2, 2, 2]


# FMA

COLUMNS = {
    "album": "comments date_created date_released engineer favorites id information listens "
    "producer tags title tracks type",
    "artist": "active_year_begin active_year_end associated_labels bio comments date_created "
    "favorites id latitude location longitude members name related_projects tags website "
    "wikipedia_page",
    "set": "split subset",
    "track": "bit_rate comments composer date_created date_recorded duration favorites genre_top "
    "genres genres_all information interest language_code license listens lyricist number "
    "publisher tags title",
}
HEADER = [(part, name) for part, names in COLUMNS.items() for name in names.split()]
assert len(HEADER) == 52  # as its authors count them

PROSE = {
    ("album", "information"): '<p>Live, "loud",\nand long.</p>\n\n2,training,small',
    ("album", "id"): "77",
    ("artist", "bio"): 'Born, "raised"\r\nand so on',
    ("artist", "name"): "A Way, Of Life",
    ("track", "genres"): "[21, 10]",
    ("track", "title"): 'Food, or "Food"',
}
"""Cells that have to be quoted, and some to be mistaken for others."""


def row(number, genre="Rock", artist=1, split="training", subset="small", **cells):
    return {
        "number": number,
        ("track", "genre_top"): genre,
        ("artist", "id"): artist,
        ("set", "split"): split,
        ("set", "subset"): subset,
        **{tuple(name.split("_", 1)): cell for name, cell in cells.items()},
    }


def table(folder, rows, header=HEADER, name="fma_metadata/tracks.csv", third="track_id"):
    """The table of tracks, with its three rows of headers."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["", *(part for part, _ in header)])
        writer.writerow(["", *(name for _, name in header)])
        writer.writerow([third, *("" for _ in header)])
        for cells in rows:
            known = PROSE | cells
            writer.writerow([cells["number"], *(known.get(pair, "") for pair in header)])
    return path


def mp3(number):
    return f"{number // 1000:03d}/{number:06d}.mp3"


ROWS = [
    row(2, "Hip-Hop", artist=1, split="training"),
    row(5, "Hip-Hop", artist=1, split="training"),
    row(10, "Pop", artist=6, split="validation", subset="medium"),
    row(1048, "Pop", artist=7, split="test", subset="large"),
    row(155320, "Old-Time / Historic", artist=24, split="test"),
]


@pytest.fixture
def source(tmp_path):
    """The large archive and its table; all files are there, and empty."""
    folder = tmp_path / "fma"
    table(folder, ROWS)
    touch(folder / "fma_large", *(mp3(cells["number"]) for cells in ROWS))
    touch(folder, "fma_large/README.txt", "fma_large/checksums", "fma_metadata/genres.csv")
    return folder


@pytest.mark.parametrize("layout", ["auto", "fma"])
def test_fma_is_read_of_its_table(source, layout):
    tracks, skipped = read(source, SourceOptions(layout))
    assert [track.name for track in tracks] == [
        f"fma_large/{name}"
        for name in (
            "000/000002.mp3", "000/000005.mp3", "000/000010.mp3", "001/001048.mp3",
            "155/155320.mp3",
        )
    ]  # fmt: skip
    assert [track.label for track in tracks] == [
        "Hip-Hop", "Hip-Hop", "Pop", "Pop", "Old-Time / Historic"
    ]  # fmt: skip
    assert [track.group for track in tracks] == [f"artist {n}" for n in (1, 1, 6, 7, 24)]
    # Training validates on the fold after the test fold.
    assert [track.fold for track in tracks] == [2, 2, 1, 0, 0]
    assert all(track.path == source / track.name for track in tracks)
    assert skipped == []
    assert assign_folds(tracks, 5, seed=0) == tracks


def test_the_table_may_lie_beside_the_audio(source):
    expected = read(source)
    (source / "fma_metadata/tracks.csv").rename(source / "tracks.csv")
    assert read(source) == expected


@pytest.mark.parametrize(
    ("subset", "numbers"),
    [
        ("small", [2, 5, 155320]),
        ("medium", [2, 5, 10, 155320]),
        ("large", [2, 5, 10, 1048, 155320]),
        (None, [2, 5, 10, 1048, 155320]),
    ],
)
def test_a_subset_holds_the_smaller_ones(source, subset, numbers):
    tracks, skipped = read(source, SourceOptions(subset=subset))
    assert [int(track.path.stem) for track in tracks] == numbers
    assert skipped == []


def test_the_smallest_folder_that_will_do_is_taken(source):
    touch(source / "fma_small", mp3(2), mp3(5), mp3(155320))
    touch(source / "fma_full", *(mp3(cells["number"]) for cells in ROWS))
    for subset, folder in {"small": "small", "medium": "large", "full": "full"}.items():
        tracks = read(source, SourceOptions(subset=subset)).tracks
        assert {track.name.split("/")[0] for track in tracks} == {f"fma_{folder}"}
    text = message(read, source)
    assert "fma_small and fma_large and fma_full" in text
    assert "--subset" in text


def test_a_subset_whose_folder_is_missing_is_an_error(source):
    (source / "fma_large").rename(source / "fma_small")
    text = message(read, source, SourceOptions(subset="medium"))
    assert "no fma_medium or fma_large or fma_full" in text
    assert "'tiny' is not one of: small" in message(read, source, SourceOptions(subset="tiny"))


def test_tracks_that_cannot_be_used_are_reported(source):
    odd = [row(3, genre=" "), row(4, subset="huge"), row(9), row(11, subset="large")]
    table(source, [*ROWS, *odd])
    tracks, skipped = read(source, SourceOptions(subset="medium"))
    assert [int(track.path.stem) for track in tracks] == [2, 5, 10, 155320]
    assert skipped == [
        ("fma_large/000/000003.mp3", "has no genre_top in tracks.csv"),
        ("fma_large/000/000004.mp3", "subset 'huge' is none that is known"),
        ("fma_large/000/000009.mp3", "in tracks.csv, but not in the source"),
    ]


def test_without_its_number_an_artist_is_known_by_name(source):
    header = [pair for pair in HEADER if pair != ("artist", "id")]
    table(source, [row(2, artist_name="AWOL"), row(5, artist_name="AWOL"), row(10)], header)
    assert [track.group for track in read(source).tracks] == [
        "artist AWOL", "artist AWOL", "artist A Way, Of Life"
    ]  # fmt: skip


def test_an_empty_artist_is_no_common_group(source):
    table(source, [row(2, artist=""), row(5, artist="")])
    assert len({track.group for track in read(source).tracks}) == 2


def test_a_long_biography_is_no_obstacle(source):
    before = csv.field_size_limit()
    table(source, [row(2, artist_bio="la " * before), row(5)])
    assert len(read(source).tracks) == 2
    assert csv.field_size_limit() == before


def test_an_official_split_that_splits_an_artist_is_refused_and_can_be_ignored(source):
    table(source, [row(2, artist=9, split="training"), row(5, artist=9, split="test"), row(10)])
    text = message(assign_folds, read(source).tracks, 2, seed=0)
    assert "'artist 9'" in text
    assert "--deal-folds" in text
    tracks = assign_folds(read(source, SourceOptions(deal_folds=True)).tracks, 2, seed=0)
    assert tracks[0].fold == tracks[1].fold != tracks[2].fold


def test_a_track_without_a_split_is_an_error_that_names_it(source):
    table(source, [row(2), row(5, split="")])
    text = message(assign_folds, read(source).tracks, 2, seed=0)
    assert "'fma_large/000/000005.mp3' states no fold" in text
    assert "--deal-folds" in text


@pytest.mark.parametrize(
    ("rows", "settings", "words"),
    [
        ([row(2), row("two")], {}, ["track_id 'two' is not a number"]),
        ([row(2, split="dev")], {}, ["split 'dev' is not one of: test, validation, training"]),
        ([row(2), row("0002")], {}, ["track 2 twice"]),
        ([row(2)], {"third": "2"}, ["track_id"]),
        ([row(2)], {"header": HEADER[:30]}, ["no column set subset", "track genre_top"]),
    ],
)
def test_a_broken_table_is_named(source, rows, settings, words):
    path = table(source, rows, **settings)
    text = message(read, source)
    assert all(word in text for word in [str(path), *words])


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"path,label\na.wav,rock\n"])
def test_a_file_that_is_no_table_is_an_error(source, content):
    (source / "fma_metadata/tracks.csv").write_bytes(content)
    assert "tracks.csv" in message(read, source)


def test_a_row_that_breaks_off_is_an_error(source):
    path = source / "fma_metadata/tracks.csv"
    path.write_text(path.read_text(encoding="utf-8") + "155321,a,b\n", encoding="utf-8")
    assert "ends after 3 columns" in message(read, source)


def test_fma_without_table_or_audio_is_an_error(tmp_path):
    assert "fma_metadata.zip" in message(read, tmp_path, SourceOptions("fma"))
    table(tmp_path, ROWS)
    assert "none of their folders" in message(read, tmp_path, SourceOptions("fma"))


@pytest.mark.skipif("MP3" not in soundfile.available_formats(), reason="libsndfile before 1.1")
def test_fma_is_prepared_but_for_what_holds_too_little_audio(source):
    tree = source / "fma_large"
    sound(tree / mp3(2))
    sound(tree / mp3(5), seconds=0.3)
    sound(tree / mp3(155320))
    # 10 stays empty; 1048 has a header and nothing to it, as fma_large/133/133297.mp3.
    (tree / mp3(1048)).write_bytes(b"ID3\x04\0\0\0\0\0\x0a" + bytes(10))
    folder = source.parent / "dataset"
    result = prepare(source, folder, CONFIG, workers=1)
    reasons = {entry["path"]: entry["reason"] for entry in result["skipped"]}
    assert reasons.pop("fma_large/000/000005.mp3").startswith("0.30 s between the trims")
    assert reasons.pop("fma_large/000/000010.mp3") == "is empty"
    assert reasons.pop("fma_large/001/001048.mp3").startswith("cannot be decoded")
    assert reasons == {}
    assert folds_of_shards(folder) == {
        "fma_large/000/000002.mp3": 2,
        "fma_large/155/155320.mp3": 0,
    }
    again = prepare(source, folder, CONFIG, SourceOptions("fma"), workers=1)
    assert again | {"wall_seconds": 0} == result | {"wall_seconds": 0}
    with pytest.raises(DatasetError, match="other settings"):
        prepare(source, folder, CONFIG, SourceOptions(subset="small"), workers=1)


# What holds of every layout. A tree states folds at random where its layout can; who plays is
# returned by file name, so that the loader's groups are tested too.


def folder_tree(folder, rng):
    names = [f"label{rng.integers(3)}/{number}.wav" for number in range(20)]
    touch(folder, *names)
    return {name.split("/")[1]: name for name in names}, False


def csv_tree(folder, rng):
    artists = {f"{number}.wav": f"artist {rng.integers(8)}" for number in range(20)}
    with_folds = bool(rng.integers(2))
    lines = ["path,label,group" + ",fold" * with_folds]
    home = rng.integers(3, size=8)
    for name, artist in artists.items():
        fold = rng.integers(3) if rng.random() < 0.02 else home[int(artist.split()[1])]
        lines.append(f"{name},label{rng.integers(3)},{artist}" + f",{fold}" * with_folds)
    (folder / "manifest.csv").write_text("\n".join(lines))
    return artists, with_folds


def gtzan_tree(folder, rng):
    """Both encodings of some excerpts."""
    names = [f"{one}{end}" for one in EXCERPTS for end in (".wav", ".au") if rng.random() < 0.8]
    touch(folder / "genres", *names)
    return {name.split("/")[1]: name.rsplit(".", 1)[0] for name in names}, False


def fma_tree(folder, rng):
    splits = ("training", "validation", "test")
    home = rng.integers(3, size=8)
    rows = []
    for number in range(20):
        artist = int(rng.integers(8))
        split = splits[rng.integers(3) if rng.random() < 0.02 else home[artist]]
        rows.append(row(number, f"label{rng.integers(3)}", artist, split))
    table(folder, rows)
    touch(folder / "fma_small", *(mp3(cells["number"]) for cells in rows))
    return {f"{cells['number']:06d}.mp3": cells["artist", "id"] for cells in rows}, True


TREES = {"folder": folder_tree, "csv": csv_tree, "gtzan": gtzan_tree, "fma": fma_tree}


def spanning(tracks, artists):
    """Those whose tracks stand in several folds."""
    folds = defaultdict(set)
    for track in tracks:
        folds[artists[track.path.name]].add(track.fold)
    return {artist for artist, found in folds.items() if len(found) > 1}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_is_both_trained_and_tested_on(tmp_path, layout, seed):
    """Whatever folds a source states: a split that leaks is refused, and none is dealt out."""
    artists, stated = TREES[layout](tmp_path, np.random.default_rng(seed))
    tracks = read(tmp_path, SourceOptions(layout)).tracks
    assert {track.path.name for track in tracks} == set(artists)
    if stated and spanning(tracks, artists):
        assert "spans folds" in message(assign_folds, tracks, 2, seed)
    elif stated:
        assert assign_folds(tracks, 2, seed) == tracks
    if stated:
        tracks = read(tmp_path, SourceOptions(layout, deal_folds=True)).tracks
    for folds in (2, 3):
        assigned = assign_folds(tracks, folds, seed)
        assert {track.fold for track in assigned} == set(range(folds))
        assert not spanning(assigned, artists)


@pytest.mark.parametrize("layout", ["csv", "fma"])
def test_random_folds_are_now_and_then_leaky(tmp_path, layout):
    """Else the test above would never see a refusal, or never a split that is kept."""
    leaks = set()
    for seed in SEEDS:
        folder = tmp_path / str(seed)
        folder.mkdir()
        artists, stated = TREES[layout](folder, np.random.default_rng(seed))
        if stated:
            leaks.add(bool(spanning(read(folder, SourceOptions(layout)).tracks, artists)))
    assert leaks == {True, False}


def test_a_source_that_could_be_two_collections_is_an_error(source):
    gtzan(source)
    assert "--layout gtzan or fma" in message(read, source)
    assert len(read(source, SourceOptions("gtzan")).tracks) == len(EXCERPTS)


def test_a_manifest_speaks_for_a_collection(source):
    (source / "manifest.csv").write_text("path,label\nfma_large/000/000002.mp3,mine\n")
    assert [track.label for track in read(source).tracks] == ["mine"]


def test_the_command_offers_what_there_is():
    choices = {option.name: getattr(option.type, "choices", ()) for option in command.params}
    assert list(choices["layout"]) == ["auto", *LAYOUTS]
    assert tuple(choices["subset"]) == fma.SUBSETS


def test_a_label_may_be_a_link_to_a_folder_elsewhere(tmp_path):
    songs = tmp_path / "elsewhere"
    songs.mkdir()
    (songs / "song.wav").touch()
    (songs / ".hidden.wav").touch()
    (songs / "back").symlink_to(songs)  # in a circle
    source = tmp_path / "source"
    source.mkdir()
    (source / "rock").symlink_to(songs)
    found = read(source, SourceOptions("folder"))
    assert [(track.name, track.label) for track in found.tracks] == [("rock/song.wav", "rock")]
    assert not found.skipped
