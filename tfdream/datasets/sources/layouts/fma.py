"""FMA, the Free Music Archive, in its original folders."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from pydantic import Field

from tfdream.datasets.sources.layouts.base import Layout, Match, whole_number
from tfdream.datasets.sources.tracks import (
    TEST_FOLD,
    TRAINING_FOLD,
    VALIDATION_FOLD,
    Skipped,
    Source,
    Track,
)
from tfdream.errors import DatasetError

Subset = Literal["small", "medium", "large", "full"]
SUBSETS: tuple[str, ...] = get_args(Subset)
"""Each contains the ones before it; large has all tracks, cut to 30 s, and full has them uncut."""
_SPLITS = {"test": TEST_FOLD, "validation": VALIDATION_FOLD, "training": TRAINING_FOLD}
_MAX_CELL = 2**31 - 1  # biographies are whole web pages; the csv module stops at 128 KiB


class FmaLayout(Layout):
    """FMA, the Free Music Archive: ``fma_metadata/tracks.csv`` and ``fma_small/000/000002.mp3``.

    The table may also be in the source itself. It has three header rows: part, column, and
    ``track_id`` before blanks. Labels are (track, genre_top), groups are (artist, id), or
    (artist, name) if there is no such column, and folds are (set, split): test is fold 0,
    validation fold 1 and training fold 2. Tracks without a top genre, and those whose file is
    missing, are reported.

    Source: Defferrard, Benzi, Vandergheynst and Bresson, "FMA: A Dataset for Music Analysis", 2017.
    """

    kind: Literal["fma"] = "fma"
    subset: Subset | None = Field(
        None, description="Subset of FMA; by default that of its only audio folder."
    )
    """Taken from its own folder or that of a larger subset."""

    @classmethod
    def match(cls, source: Path) -> Match:
        is_fma = tracks_table(source) is not None and bool(audio_folders(source))
        return Match.COLLECTION if is_fma else Match.NONE

    def read(self, source: Path) -> Source:
        """List the tracks of a subset.

        Raises:
          DatasetError: if table or audio are missing, or the table is damaged, or has tracks of
            larger subsets only.
        """
        table = tracks_table(source)
        if table is None:
            raise DatasetError(
                f"source '{source}' has neither fma_metadata/tracks.csv nor tracks.csv; unpack "
                "fma_metadata.zip beside the audio"
            )
        folder, subset = _select_folder(source, self.subset)
        larger = SUBSETS[SUBSETS.index(subset) + 1 :]
        tracks, skipped = [], []
        numbers: set[int] = set()
        present: set[str] = set()
        for row in _rows(table):
            if row.number in numbers:
                raise DatasetError(f"'{table}' has track {row.number} twice; a track has one row")
            numbers.add(row.number)
            present.add(row.subset)
            if row.subset in larger:
                continue
            path = folder / f"{row.number // 1000:03d}" / f"{row.number:06d}.mp3"
            name = path.relative_to(source).as_posix()
            if row.subset not in SUBSETS:
                skipped.append(Skipped(name, f"subset '{row.subset}' does not exist"))
            elif not row.genre:
                skipped.append(Skipped(name, "has no genre_top in tracks.csv"))
            elif not path.is_file():
                skipped.append(Skipped(name, "in tracks.csv, but not in the source"))
            else:
                group = f"artist {row.artist}" if row.artist else name
                tracks.append(Track(name, path, row.genre, group, row.fold))
        if present and present <= set(larger):
            names = " and ".join(name for name in larger if name in present)
            raise DatasetError(
                f"'{table}' has no tracks of the subset {subset}, only of {names}; use another "
                "--subset"
            )
        return Source(sorted(tracks), sorted(skipped))


class _Row(NamedTuple):
    """The cells of a row of tracks.csv that are used."""

    number: int
    subset: str
    fold: int | None
    genre: str
    artist: str


def tracks_table(source: Path) -> Path | None:
    """Return the table of all tracks, or None if it does not exist."""
    paths = (source / "fma_metadata" / "tracks.csv", source / "tracks.csv")
    return next((path for path in paths if path.is_file()), None)


def audio_folders(source: Path) -> list[str]:
    """Return the subsets whose folders exist."""
    return [subset for subset in SUBSETS if (source / f"fma_{subset}").is_dir()]


def _select_folder(source: Path, subset: str | None) -> tuple[Path, str]:
    """Return the smallest folder that contains a subset, and the subset."""
    available = audio_folders(source)
    if subset is None:
        if len(available) != 1:
            names = " and ".join(f"fma_{name}" for name in available) or "none of FMA's folders"
            raise DatasetError(f"source '{source}' has {names}; use --subset {', '.join(SUBSETS)}")
        return source / f"fma_{available[0]}", available[0]
    large_enough = SUBSETS[SUBSETS.index(subset) :]
    for name in available:
        if name in large_enough:
            return source / f"fma_{name}", subset
    folders = " or ".join(f"fma_{name}" for name in large_enough)
    raise DatasetError(f"source '{source}' has no {folders}, which --subset {subset} requires")


def _rows(table: Path) -> Iterator[_Row]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file, _cells_of_any_length():
            rows = csv.reader(file)
            columns = _read_header(table, rows)
            for row in rows:
                if row:
                    yield _parse_row(row, columns, f"'{table}' line {rows.line_num}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"'{table}' cannot be read: {error}") from None


def _read_header(table: Path, rows: Iterator[list[str]]) -> dict[str, int]:
    """Read the three header rows and return the indices of the columns that are used."""
    parts, names, third = (next(rows, []) for _ in range(3))
    if third[:1] != ["track_id"]:
        raise DatasetError(
            f"'{table}' is not FMA's: its third row does not begin with track_id, below two rows "
            "that name the columns, such as track and genre_top"
        )
    index_of = {pair: index for index, pair in enumerate(zip(parts, names, strict=False))}
    artist = ("artist", "id") if ("artist", "id") in index_of else ("artist", "name")
    required = {
        "subset": ("set", "subset"),
        "split": ("set", "split"),
        "genre": ("track", "genre_top"),
        "artist": artist,
    }
    missing = [" ".join(pair) for pair in required.values() if pair not in index_of]
    if missing:
        raise DatasetError(f"'{table}' has no column {' and no column '.join(missing)}")
    return {name: index_of[pair] for name, pair in required.items()}


def _parse_row(row: list[str], columns: dict[str, int], location: str) -> _Row:
    number = whole_number(row[0])
    if number is None:
        raise DatasetError(f"{location}: track_id '{row[0][:20]}' is not a number")
    if len(row) <= max(columns.values()):
        raise DatasetError(f"{location} ends after {len(row)} columns")
    cells = {name: row[index].strip() for name, index in columns.items()}
    split = cells["split"]
    if split and split not in _SPLITS:
        raise DatasetError(f"{location}: split '{split}' is not one of: {', '.join(_SPLITS)}")
    fold = _SPLITS.get(split)
    return _Row(number, cells["subset"], fold, cells["genre"], cells["artist"])


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    before = csv.field_size_limit(_MAX_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)
