"""FMA, the Free Music Archive."""

import csv

import numpy as np
import pytest
import soundfile
from trees import HEADER, dataset_error, mp3, row, table, touch

from tfdream.config import PrepareConfig
from tfdream.datasets import manifest
from tfdream.datasets.preparation.prepare import PrepareOptions, prepare
from tfdream.datasets.sources.find import read_source, select_layout
from tfdream.datasets.sources.folds import assign_folds
from tfdream.datasets.sources.layouts.fma import FmaLayout
from tfdream.errors import DatasetError

CONFIG = PrepareConfig(sample_rate=8000, clip_seconds=1.0, folds=2, shard_clips=5)
ROWS = [
    row(2, "Hip-Hop", artist=1, split="training"),
    row(5, "Hip-Hop", artist=1, split="training"),
    row(10, "Pop", artist=6, split="validation", subset="medium"),
    row(1048, "Pop", artist=7, split="test", subset="large"),
    row(155320, "Old-Time / Historic", artist=24, split="test"),
]


@pytest.fixture
def source(tmp_path):
    """The large archive and its table; all files exist and are empty."""
    folder = tmp_path / "fma"
    table(folder, ROWS)
    touch(folder / "fma_large", *(mp3(cells["number"]) for cells in ROWS))
    touch(folder, "fma_large/README.txt", "fma_large/checksums", "fma_metadata/genres.csv")
    return folder


@pytest.mark.parametrize("layout", ["auto", "fma"])
def test_tracks_are_read_from_the_table(source, layout):
    tracks, skipped = read_source(source, layout)
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


def test_the_table_may_be_beside_the_audio(source):
    expected = read_source(source)
    (source / "fma_metadata/tracks.csv").rename(source / "tracks.csv")
    assert read_source(source) == expected


@pytest.mark.parametrize(
    ("subset", "numbers"),
    [
        ("small", [2, 5, 155320]),
        ("medium", [2, 5, 10, 155320]),
        ("large", [2, 5, 10, 1048, 155320]),
        (None, [2, 5, 10, 1048, 155320]),
    ],
)
def test_a_subset_contains_the_smaller_ones(source, subset, numbers):
    tracks, skipped = read_source(source, FmaLayout(subset=subset))
    assert [int(track.path.stem) for track in tracks] == numbers
    assert skipped == []


def test_the_smallest_sufficient_folder_is_used(source):
    touch(source / "fma_small", mp3(2), mp3(5), mp3(155320))
    touch(source / "fma_full", *(mp3(cells["number"]) for cells in ROWS))
    for subset, folder in {"small": "small", "medium": "large", "full": "full"}.items():
        tracks = read_source(source, FmaLayout(subset=subset)).tracks
        assert {track.name.split("/")[0] for track in tracks} == {f"fma_{folder}"}
    text = dataset_error(read_source, source)
    assert "fma_small and fma_large and fma_full" in text
    assert "--subset" in text


def test_a_subset_whose_folder_is_missing_is_an_error(source):
    (source / "fma_large").rename(source / "fma_small")
    text = dataset_error(read_source, source, FmaLayout(subset="medium"))
    assert "no fma_medium or fma_large or fma_full" in text
    text = dataset_error(select_layout, source, "fma", {"subset": "tiny"})
    assert "layout 'fma'" in text
    assert "'small', 'medium', 'large' or 'full'" in text


def test_a_table_of_larger_subsets_only_is_an_error(source):
    path = table(source, [row(1048, subset="large"), row(10, subset="medium")])
    text = dataset_error(read_source, source, FmaLayout(subset="small"))
    assert f"'{path}' has no tracks of the subset small, only of medium and large" in text
    assert "--subset" in text
    assert len(read_source(source, FmaLayout(subset="medium")).tracks) == 1


def test_unusable_tracks_are_reported(source):
    odd = [row(3, genre=" "), row(4, subset="huge"), row(9), row(11, subset="large")]
    table(source, [*ROWS, *odd])
    tracks, skipped = read_source(source, FmaLayout(subset="medium"))
    assert [int(track.path.stem) for track in tracks] == [2, 5, 10, 155320]
    assert skipped == [
        ("fma_large/000/000003.mp3", "has no genre_top in tracks.csv"),
        ("fma_large/000/000004.mp3", "subset 'huge' does not exist"),
        ("fma_large/000/000009.mp3", "in tracks.csv, but not in the source"),
    ]


def test_without_an_id_the_group_is_the_artists_name(source):
    header = [pair for pair in HEADER if pair != ("artist", "id")]
    table(source, [row(2, artist_name="AWOL"), row(5, artist_name="AWOL"), row(10)], header)
    assert [track.group for track in read_source(source).tracks] == [
        "artist AWOL", "artist AWOL", "artist A Way, Of Life"
    ]  # fmt: skip


def test_an_empty_artist_is_not_a_common_group(source):
    table(source, [row(2, artist=""), row(5, artist="")])
    assert len({track.group for track in read_source(source).tracks}) == 2


def test_cells_may_be_longer_than_the_csv_modules_limit(source):
    before = csv.field_size_limit()
    table(source, [row(2, artist_bio="la " * before), row(5)])
    assert len(read_source(source).tracks) == 2
    assert csv.field_size_limit() == before


def test_an_official_split_that_splits_an_artist_is_rejected_and_can_be_ignored(source):
    table(source, [row(2, artist=9, split="training"), row(5, artist=9, split="test"), row(10)])
    text = dataset_error(assign_folds, read_source(source).tracks, 2, seed=0)
    assert "'artist 9'" in text
    assert "--deal-folds" in text
    tracks = assign_folds(read_source(source, ignore_folds=True).tracks, 2, seed=0)
    assert tracks[0].fold == tracks[1].fold != tracks[2].fold


def test_a_track_without_a_split_is_named(source):
    table(source, [row(2), row(5, split="")])
    text = dataset_error(assign_folds, read_source(source).tracks, 2, seed=0)
    assert "'fma_large/000/000005.mp3' has no fold" in text
    assert "--deal-folds" in text


@pytest.mark.parametrize(
    ("rows", "settings", "parts"),
    [
        ([row(2), row("two")], {}, ["track_id 'two' is not a number"]),
        ([row(2, split="dev")], {}, ["split 'dev' is not one of: test, validation, training"]),
        ([row(2), row("0002")], {}, ["track 2 twice"]),
        ([row(2)], {"third": "2"}, ["track_id"]),
        ([row(2)], {"header": HEADER[:30]}, ["no column set subset", "track genre_top"]),
    ],
)
def test_an_invalid_table_is_named(source, rows, settings, parts):
    path = table(source, rows, **settings)
    text = dataset_error(read_source, source)
    assert all(part in text for part in [str(path), *parts])


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"path,label\na.wav,rock\n"])
def test_a_file_that_is_not_a_table_is_an_error(source, content):
    (source / "fma_metadata/tracks.csv").write_bytes(content)
    assert "tracks.csv" in dataset_error(read_source, source)


def test_an_incomplete_row_is_an_error(source):
    path = source / "fma_metadata/tracks.csv"
    path.write_text(path.read_text(encoding="utf-8") + "155321,a,b\n", encoding="utf-8")
    assert "ends after 3 columns" in dataset_error(read_source, source)


def test_a_missing_table_or_audio_folder_is_an_error(tmp_path):
    assert "fma_metadata.zip" in dataset_error(read_source, tmp_path, "fma")
    table(tmp_path, ROWS)
    assert "none of FMA's folders" in dataset_error(read_source, tmp_path, "fma")


@pytest.mark.skipif("MP3" not in soundfile.available_formats(), reason="libsndfile before 1.1")
def test_fma_is_prepared_except_for_files_with_too_little_audio(source):
    tree = source / "fma_large"
    for number, seconds in {2: 2.2, 5: 0.3, 155320: 2.2}.items():
        tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * 22050)) / 22050)
        soundfile.write(tree / mp3(number), tone, 22050)
    # 10 stays empty; 1048 has a header without samples, like fma_large/133/133297.mp3.
    (tree / mp3(1048)).write_bytes(b"ID3\x04\0\0\0\0\0\x0a" + bytes(10))
    folder = source.parent / "dataset"
    result = prepare(source, folder, CONFIG, PrepareOptions(workers=1))
    reasons = {entry["path"]: entry["reason"] for entry in result["skipped"]}
    assert reasons.pop("fma_large/000/000005.mp3").startswith("0.30 s between the trims")
    assert reasons.pop("fma_large/000/000010.mp3") == "is empty"
    assert reasons.pop("fma_large/001/001048.mp3").startswith("cannot be decoded")
    assert reasons == {}
    shards = manifest.load(folder).shards
    assert {track: shard.fold for shard in shards for track in shard.tracks} == {
        "fma_large/000/000002.mp3": 2,
        "fma_large/155/155320.mp3": 0,
    }
    again = prepare(source, folder, CONFIG, PrepareOptions("fma", workers=1))
    assert again | {"wall_seconds": 0} == result | {"wall_seconds": 0}
    with pytest.raises(DatasetError, match="other settings"):
        prepare(source, folder, CONFIG, PrepareOptions(FmaLayout(subset="small"), workers=1))
