"""FMA, the Free Music Archive, as it comes."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tfdream.datasets.sources.folders import MOST_DIGITS
from tfdream.datasets.sources.tracks import (
    TEST_FOLD,
    TRAINING_FOLD,
    VALIDATION_FOLD,
    Skipped,
    Source,
    Track,
)
from tfdream.errors import DatasetError

SUBSETS = ("small", "medium", "large", "full")
"""Each holds those before it; large are all tracks, cut to 30 s, and full the same ones uncut."""
_SPLITS = {"test": TEST_FOLD, "validation": VALIDATION_FOLD, "training": TRAINING_FOLD}
_LONGEST_CELL = 2**31 - 1  # biographies are whole web pages; the csv module stops at 128 KiB


def read(source: Path, subset: str | None = None) -> Source:
    """FMA, the Free Music Archive: ``fma_metadata/tracks.csv`` and ``fma_small/000/000002.mp3``.

    The table may also lie in the source itself. It has three rows of headers: part, column, and
    ``track_id`` before blanks. Taken are (track, genre_top) as label, (artist, id) as group, or
    (artist, name) where that is missing, (set, subset), and (set, split) as fold: test is fold 0,
    validation fold 1 and training fold 2. Tracks without a top genre, and those whose file is
    missing, are reported.

    Args:
      source: the folder that the archives were unpacked into.
      subset: one of `SUBSETS`, from its own folder or that of a larger one; by default that of
        the only folder there is.

    Raises:
      DatasetError: if table or audio are not found, or the table does not hold together.

    Source: Defferrard, Benzi, Vandergheynst and Bresson, "FMA: A Dataset for Music Analysis", 2017.
    """
    table = tracks_table(source)
    if table is None:
        raise DatasetError(
            f"source '{source}' holds neither fma_metadata/tracks.csv nor tracks.csv; unpack "
            "fma_metadata.zip beside the audio"
        )
    tree, subset = _tree(source, subset)
    larger = SUBSETS[SUBSETS.index(subset) + 1 :]
    tracks, skipped = [], []
    seen: set[int] = set()
    for row in _rows(table):
        if row.number in seen:
            raise DatasetError(f"'{table}' has track {row.number} twice; a track has one row")
        seen.add(row.number)
        if row.subset in larger:
            continue
        path = tree / f"{row.number // 1000:03d}" / f"{row.number:06d}.mp3"
        name = path.relative_to(source).as_posix()
        if row.subset not in SUBSETS:
            skipped.append(Skipped(name, f"subset '{row.subset}' is none that is known"))
        elif not row.genre:
            skipped.append(Skipped(name, "has no genre_top in tracks.csv"))
        elif not path.is_file():
            skipped.append(Skipped(name, "in tracks.csv, but not in the source"))
        else:
            group = f"artist {row.artist}" if row.artist else name
            tracks.append(Track(name, path, row.genre, group, row.fold))
    return Source(sorted(tracks), sorted(skipped))


class _Row(NamedTuple):
    """What is taken of a row of tracks.csv."""

    number: int
    subset: str
    fold: int | None
    genre: str
    artist: str


def tracks_table(source: Path) -> Path | None:
    """The table of all tracks, if it is there."""
    places = (source / "fma_metadata" / "tracks.csv", source / "tracks.csv")
    return next((path for path in places if path.is_file()), None)


def audio_trees(source: Path) -> list[str]:
    """The subsets whose folders are there."""
    return [subset for subset in SUBSETS if (source / f"fma_{subset}").is_dir()]


def _tree(source: Path, subset: str | None) -> tuple[Path, str]:
    """The folder that holds a subset, and the subset."""
    trees = audio_trees(source)
    if subset is None:
        if len(trees) != 1:
            here = " and ".join(f"fma_{tree}" for tree in trees) or "none of their folders"
            raise DatasetError(f"source '{source}' holds {here}; use --subset {', '.join(SUBSETS)}")
        return source / f"fma_{trees[0]}", trees[0]
    if subset not in SUBSETS:
        raise DatasetError(f"subset '{subset}' is not one of: {', '.join(SUBSETS)}")
    large_enough = SUBSETS[SUBSETS.index(subset) :]
    for tree in trees:
        if tree in large_enough:
            return source / f"fma_{tree}", subset
    folders = " or ".join(f"fma_{tree}" for tree in large_enough)
    raise DatasetError(f"source '{source}' holds no {folders}, which --subset {subset} needs")


def _rows(table: Path) -> Iterator[_Row]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file, _cells_of_any_length():
            rows = csv.reader(file)
            column = _columns(table, rows)
            for row in rows:
                if row:
                    yield _row(row, column, f"'{table}' line {rows.line_num}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"'{table}' cannot be read: {error}") from None


def _columns(table: Path, rows: Iterator[list[str]]) -> dict[str, int]:
    """Where the columns stand that are taken; reads the three rows of headers."""
    parts, names, third = (next(rows, []) for _ in range(3))
    if third[:1] != ["track_id"]:
        raise DatasetError(
            f"'{table}' is not FMA's: its third row does not begin with track_id, below two rows "
            "that name the columns, such as track and genre_top"
        )
    at = {pair: index for index, pair in enumerate(zip(parts, names, strict=False))}
    artist = ("artist", "id") if ("artist", "id") in at else ("artist", "name")
    wanted = {
        "subset": ("set", "subset"),
        "split": ("set", "split"),
        "genre": ("track", "genre_top"),
        "artist": artist,
    }
    missing = [" ".join(pair) for pair in wanted.values() if pair not in at]
    if missing:
        raise DatasetError(f"'{table}' has no column {' and no column '.join(missing)}")
    return {name: at[pair] for name, pair in wanted.items()}


def _row(row: list[str], column: dict[str, int], place: str) -> _Row:
    if not (row[0].isdecimal() and len(row[0]) <= MOST_DIGITS):
        raise DatasetError(f"{place}: track_id '{row[0][:20]}' is not a number")
    if len(row) <= max(column.values()):
        raise DatasetError(f"{place} ends after {len(row)} columns")
    cells = {name: row[index].strip() for name, index in column.items()}
    split = cells["split"]
    if split and split not in _SPLITS:
        raise DatasetError(f"{place}: split '{split}' is not one of: {', '.join(_SPLITS)}")
    fold = _SPLITS.get(split)
    return _Row(int(row[0]), cells["subset"], fold, cells["genre"], cells["artist"])


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)
