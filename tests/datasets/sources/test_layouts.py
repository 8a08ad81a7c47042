"""What holds for every layout, and how a new one is found."""

import sys
from collections import defaultdict

import numpy as np
import pytest
from calling import invoke
from trees import EXCERPTS, TREES, dataset_error, gtzan, manifest, mp3, row, table, touch

from tfdream.datasets.preparation.prepare import PrepareOptions, prepare
from tfdream.datasets.sources import layouts as layouts_package
from tfdream.datasets.sources.find import detect_layout, layouts, read_source, select_layout
from tfdream.datasets.sources.folds import assign_folds
from tfdream.datasets.sources.layouts.base import Match

SEEDS = range(12)


def check_contract(name, folder):
    """The contract of a layout, for an empty folder."""
    layout = layouts()[name]
    assert layout().kind == name, "a layout is usable without options"
    assert layout.__doc__
    assert layout.match(folder) in (Match.NONE, Match.FALLBACK)
    for option, field in layout.model_fields.items():
        assert option == "kind" or field.description, f"--{option} has no help text"
    for selected in (name, layout()):
        assert str(folder) in dataset_error(read_source, folder, selected)
        assert "does not exist" in dataset_error(read_source, folder / "none", selected)


@pytest.mark.parametrize("name", layouts())
def test_every_layout_fulfills_the_contract(tmp_path, name):
    check_contract(name, tmp_path)


def test_every_layout_has_a_tree():
    assert set(TREES) == set(layouts())


EXTENSION = '''
"""Playlists."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from tfdream.datasets.sources.layouts.base import Layout, Match
from tfdream.datasets.sources.tracks import Source, Track
from tfdream.errors import DatasetError


class PlaylistLayout(Layout):
    """One playlist per label."""

    kind: Literal["playlist"] = "playlist"
    list_suffix: str | None = Field(None, description="Extension of playlists.")

    @classmethod
    def match(cls, source: Path) -> Match:
        return Match.COLLECTION if any(source.glob("*.m3u")) else Match.NONE

    def read(self, source: Path) -> Source:
        if not source.is_dir():
            raise DatasetError(f"source '{source}' is not a folder")
        lists = sorted(source.glob(f"*{self.list_suffix or '.m3u'}"))
        return Source(
            [
                Track(name, source / name, path.stem, group=name)
                for path in lists
                for name in path.read_text().split()
            ],
            [],
        )
'''


@pytest.fixture
def extension(tmp_path, monkeypatch):
    """A module in a folder on the package's path."""
    folder = tmp_path / "extension"
    folder.mkdir()
    (folder / "playlist_layout.py").write_text(EXTENSION)
    monkeypatch.setattr(layouts_package, "__path__", [*layouts_package.__path__, str(folder)])
    yield
    sys.modules.pop("tfdream.datasets.sources.layouts.playlist_layout", None)


@pytest.mark.usefixtures("extension")
def test_a_layout_is_one_module(source, configure, tmp_path):
    """A module on the package's path is in the help, error texts and contract test; it is read."""
    assert "playlist" in layouts()
    empty = tmp_path / "empty"
    empty.mkdir()
    check_contract("playlist", empty)
    help_text = invoke("prepare", "--help").output
    assert "--layout [auto|csv|fma|folder|gtzan|playlist]" in help_text
    assert "--list-suffix TEXT" in help_text
    assert "Extension of playlists." in help_text
    assert "folder, gtzan, playlist" in dataset_error(select_layout, tmp_path, "tree")
    text = dataset_error(select_layout, tmp_path, "csv", {"list_suffix": ".txt"})
    assert "--list-suffix belongs to --layout playlist" in text
    for number, label in enumerate(("noise", "tones")):
        names = [f"{label}/{track}.wav" for track in range(3)]
        touch(tmp_path / "music", *names)
        for name in names:
            (tmp_path / "music" / name).write_bytes((source / name).read_bytes())
        extension = (".m3u", ".txt")[number]
        (tmp_path / "music" / f"{label}{extension}").write_text("\n".join(names))
    assert detect_layout(tmp_path / "music") == "playlist"
    config = configure().prepare
    result = prepare(tmp_path / "music", tmp_path / "m3u", config, PrepareOptions(workers=1))
    assert list(result["clips_per_label"]) == ["noise"]
    layout = select_layout(tmp_path / "music", "playlist", {"list_suffix": ".txt"})
    assert {track.label for track in read_source(tmp_path / "music", layout).tracks} == {"tones"}


def test_a_removed_module_is_not_found():
    assert "playlist" not in layouts()
    assert "playlist" not in invoke("prepare", "--help").output


def test_the_command_has_an_option_for_each_setting():
    help_text = invoke("prepare", "--help").output
    assert f"--layout [{'|'.join(['auto', *layouts()])}]" in help_text
    assert "--subset [small|medium|large|full]" in help_text
    assert "--splits PATH" in help_text


# Detection


def test_the_layout_is_detected_or_selected(tmp_path):
    touch(tmp_path, "rock/a.wav", "jazz/b.wav")
    assert detect_layout(tmp_path) == "folder"
    path = manifest(tmp_path, "path,label", "rock/a.wav,loud")
    assert detect_layout(tmp_path) == detect_layout(path) == "csv"
    assert {track.label for track in read_source(tmp_path).tracks} == {"loud"}
    assert {track.label for track in read_source(tmp_path, "csv").tracks} == {"loud"}
    assert {track.label for track in read_source(tmp_path, "folder").tracks} == {"rock", "jazz"}


def test_a_source_of_two_collections_is_an_error(tmp_path):
    gtzan(tmp_path)
    table(tmp_path, [row(2)])
    touch(tmp_path / "fma_large", mp3(2))
    assert "matches fma and gtzan; use --layout fma or gtzan" in dataset_error(
        read_source, tmp_path
    )
    assert len(read_source(tmp_path, "gtzan").tracks) == len(EXCERPTS)
    manifest(tmp_path, "path,label", "fma_large/000/000002.mp3,mine")  # has precedence
    assert [track.label for track in read_source(tmp_path).tracks] == ["mine"]


def test_a_source_without_tracks_is_an_error(tmp_path):
    assert str(tmp_path) in dataset_error(read_source, tmp_path)
    assert "does not exist" in dataset_error(read_source, tmp_path / "none")


def test_an_invalid_layout_is_an_error(tmp_path):
    text = dataset_error(read_source, tmp_path, "tree")
    assert "'tree' is not one of: auto, csv, fma, folder, gtzan" in text


@pytest.mark.parametrize(
    ("layout", "options", "expected"),
    [
        ("auto", {"splits": "lists"}, "--splits belongs to --layout gtzan"),
        ("csv", {"splits": "lists"}, "--splits belongs to --layout gtzan"),
        ("folder", {"subset": "small"}, "--subset belongs to --layout fma"),
        ("gtzan", {"subset": "small"}, "--subset belongs to --layout fma"),
        ("gtzan", {"other": 1}, "--other belongs to --layout none"),
    ],
)
def test_an_option_of_another_layout_is_an_error(tmp_path, layout, options, expected):
    touch(tmp_path, "rock/a.wav")
    assert expected in dataset_error(select_layout, tmp_path, layout, options)


@pytest.mark.parametrize("layout", ["auto", "csv"])
def test_folds_that_are_not_specified_cannot_be_ignored(tmp_path, layout):
    touch(tmp_path, "rock/a.wav")
    if layout == "csv":
        manifest(tmp_path, "path,label", "rock/a.wav,rock")
    text = dataset_error(read_source, tmp_path, layout, ignore_folds=True)
    assert "specifies no folds; remove --deal-folds" in text


# Folds


def artists_in_several_folds(tracks, artists):
    folds = defaultdict(set)
    for track in tracks:
        folds[artists[track.path.name]].add(track.fold)
    return {artist for artist, numbers in folds.items() if len(numbers) > 1}


@pytest.mark.parametrize("layout", TREES)
def test_no_artist_is_in_training_and_test_data(tmp_path, layout):
    """Specified folds that split an artist are rejected, and no assigned folds do so."""
    leaks = set()
    for seed in SEEDS:
        folder = tmp_path / str(seed)
        folder.mkdir()
        artists, has_folds = TREES[layout](folder, np.random.default_rng(seed))
        tracks = read_source(folder, layout).tracks
        assert {track.path.name for track in tracks} == set(artists)
        if has_folds:
            leaks.add(bool(artists_in_several_folds(tracks, artists)))
            if artists_in_several_folds(tracks, artists):
                assert "spans folds" in dataset_error(assign_folds, tracks, 2, seed)
            else:
                assert assign_folds(tracks, 2, seed) == tracks
            tracks = read_source(folder, layout, ignore_folds=True).tracks
        for folds in (2, 3):
            assigned = assign_folds(tracks, folds, seed)
            assert {track.fold for track in assigned} == set(range(folds))
            assert not artists_in_several_folds(assigned, artists)
    # Both cases must occur in the trees that specify folds.
    assert leaks == ({True, False} if layout in ("csv", "fma") else set())
