"""GTZAN and its filtered split."""

import numpy as np
import pytest
import soundfile
from trees import EXCERPTS, dataset_error, gtzan, split_lists, touch

from tfdream.config import PrepareConfig
from tfdream.datasets import manifest
from tfdream.datasets.preparation.prepare import PrepareOptions, prepare
from tfdream.datasets.sources.find import read_source
from tfdream.datasets.sources.folds import assign_folds
from tfdream.datasets.sources.layouts.gtzan import GtzanLayout

CONFIG = PrepareConfig(sample_rate=8000, clip_seconds=1.0, folds=2, shard_clips=5)


@pytest.fixture
def source(tmp_path):
    return gtzan(tmp_path / "source")


def test_gtzan_is_detected_in_any_of_its_folders(tmp_path):
    for place in ("genres_original", "genres", "."):
        for extension in (".wav", ".au"):
            source = gtzan(tmp_path / f"{place} {extension}", place, extension)
            touch(source, "features_30_sec.csv", "images_original/blues/blues00000.png")
            for layout in ("auto", "gtzan"):
                tracks = read_source(source / place, layout).tracks  # from inside
                assert [track.label for track in tracks] == ["blues"] * 4 + ["jazz"] * 4
                if place != ".":
                    tracks, skipped = read_source(source, layout)
                    assert [track.label for track in tracks] == ["blues"] * 4 + ["jazz"] * 4
                    assert tracks[0].name == f"{place}/blues/blues.00000{extension}"
                    assert tracks[0].path == source / tracks[0].name
                    assert skipped == []
                assert [track.group for track in tracks] == EXCERPTS
                assert {track.fold for track in tracks} == {None}


def test_names_of_genres_are_not_sufficient(tmp_path):
    touch(tmp_path, "rock/a.wav", "jazz/jazz.wav", "genres/01.wav")
    assert {track.label for track in read_source(tmp_path).tracks} == {"rock", "jazz", "genres"}
    text = dataset_error(read_source, tmp_path, "gtzan")
    assert "genres_original/blues/blues.00000.wav" in text


def test_split_lists_specify_the_folds_of_the_official_protocol(tmp_path):
    source = gtzan(tmp_path / "source", extension=".au")  # the lists name .wav files
    splits = split_lists(tmp_path / "lists")
    tracks, skipped = read_source(source, GtzanLayout(splits=splits))
    # Training validates on the fold after the test fold.
    assert [track.fold for track in tracks] == [0, 0, 1, 1, 2, 2, 2, 2]
    assert skipped == []
    assert assign_folds(tracks, 5, seed=0) == tracks


def test_unlisted_and_missing_excerpts_are_reported(source, tmp_path):
    splits = split_lists(tmp_path / "lists", train=[*EXCERPTS[5:], "rock/rock.00007"])
    tracks, skipped = read_source(source, GtzanLayout(splits=splits))
    assert [track.group for track in tracks] == EXCERPTS[:4] + EXCERPTS[5:]
    assert skipped == [
        ("genres_original/jazz/jazz.00000.wav", f"in no split list of '{splits}'"),
        ("rock/rock.00007", "in train_filtered.txt, but not in the source"),
    ]


def test_a_list_may_have_blank_lines_and_bare_names(source, tmp_path):
    splits = split_lists(tmp_path / "lists")
    lines = ["", "blues.00000.wav", "  genres/blues/blues.00001.au ", ""]
    (splits / "test_filtered.txt").write_text("\ufeff" + "\r\n".join(lines), newline="")
    tracks = read_source(source, GtzanLayout(splits=splits)).tracks
    assert [track.group for track in tracks if track.fold == 0] == EXCERPTS[:2]


def test_the_folds_of_the_split_may_be_ignored(source, tmp_path):
    layout = GtzanLayout(splits=split_lists(tmp_path / "lists", test=EXCERPTS[:1]))
    tracks, skipped = read_source(source, layout, ignore_folds=True)
    assert len(tracks) == 7
    assert len(skipped) == 1
    assert {track.fold for track in assign_folds(tracks, 4, seed=0)} == {0, 1, 2, 3}


@pytest.mark.parametrize("name", ["train", "valid", "test"])
def test_a_missing_list_is_an_error(source, tmp_path, name):
    splits = split_lists(tmp_path / "lists")
    (splits / f"{name}_filtered.txt").unlink()
    text = dataset_error(read_source, source, GtzanLayout(splits=splits))
    assert f"{name}_filtered.txt' does not exist; --splits names a folder with test_" in text


def test_an_excerpt_in_two_lists_is_an_error(source, tmp_path):
    splits = split_lists(tmp_path / "lists", train=[*EXCERPTS[4:], EXCERPTS[0]])
    text = dataset_error(read_source, source, GtzanLayout(splits=splits))
    assert "train_filtered.txt' line 5: 'blues/blues.00000.wav' is in test_filtered.txt" in text


@pytest.mark.parametrize("content", [b"30\n31\n", b"blues/blues.0.wav\n", b"\xff\xfe\n"])
def test_an_invalid_list_is_an_error(source, tmp_path, content):
    """Such as lists of row numbers, which are also in circulation."""
    splits = split_lists(tmp_path / "lists")
    (splits / "valid_filtered.txt").write_bytes(content)
    text = dataset_error(read_source, source, GtzanLayout(splits=splits))
    assert "valid_filtered.txt" in text


def test_lists_of_another_collection_are_an_error(source, tmp_path):
    lists = ["pop/pop.00001"], ["pop/pop.00002"], ["pop/pop.00003"]
    layout = GtzanLayout(splits=split_lists(tmp_path / "lists", *lists))
    assert "in no split list" in dataset_error(read_source, source, layout)


@pytest.mark.parametrize("split", [False, True])
def test_gtzan_is_prepared_except_for_its_damaged_file(tmp_path, split):
    def write_tone(folder, name):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        hz = 400 + 10 * EXCERPTS.index(name.removesuffix(".wav"))  # files are not identical
        tone = 0.3 * np.sin(2 * np.pi * hz * np.arange(round(2.2 * 22050)) / 22050)
        soundfile.write(folder / name, tone, 22050)

    source = gtzan(tmp_path / "source", write=write_tone)
    damaged = "genres_original/jazz/jazz.00003.wav"
    (source / damaged).write_bytes(bytes(range(256)) * 8)
    layout = GtzanLayout(splits=split_lists(tmp_path / "lists") if split else None)
    options = PrepareOptions(layout, workers=1)
    result = prepare(source, tmp_path / "dataset", CONFIG, options)
    (skipped,) = result["skipped"]
    assert skipped["path"] == damaged
    assert skipped["reason"].startswith("cannot be decoded")
    assert result["tracks"] == 7
    assert result["clips_per_label"] == {"blues": 8, "jazz": 6}
    shards = manifest.load(tmp_path / "dataset").shards
    folds = {track: shard.fold for shard in shards for track in shard.tracks}
    assert set(folds.values()) == ({0, 1, 2} if split else {0, 1})
    if split:
        assert [folds[name] for name in sorted(folds)] == [0, 0, 1, 1, 2, 2, 2]
