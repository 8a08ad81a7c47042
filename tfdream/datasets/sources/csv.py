"""A CSV manifest that lists tracks with their labels, groups and folds."""

import csv
from pathlib import Path
from typing import Literal

from tfdream.datasets.sources.base import Layout, Match
from tfdream.datasets.sources.tracks import Source, Track
from tfdream.errors import DatasetError

MANIFEST = "manifest.csv"
_MAX_DIGITS = 9
"""Digits of a fold number; Python refuses to convert some thousands of them."""


class CsvLayout(Layout):
    """A CSV file with the columns path and label, and optionally group and fold.

    Paths are relative to the manifest and stay below its folder. A source is the file, or a folder
    with a ``manifest.csv``.
    """

    kind: Literal["csv"] = "csv"

    @classmethod
    def match(cls, source: Path) -> Match:
        is_manifest = source.is_file() or (source / MANIFEST).is_file()
        return Match.MANIFEST if is_manifest else Match.NONE

    def read(self, source: Path) -> Source:
        manifest = source / MANIFEST if source.is_dir() else source
        try:
            return Source(sorted(_read_tracks(manifest)), [])
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DatasetError(f"manifest '{manifest}' cannot be read: {error}") from None


def _read_tracks(manifest: Path) -> list[Track]:
    root = manifest.parent.resolve()
    tracks: list[Track] = []
    paths: set[Path] = set()
    with manifest.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        missing = {"path", "label"} - set(rows.fieldnames or ())
        if missing:
            raise DatasetError(f"'{manifest}' has no column {' and '.join(sorted(missing))}")
        for row in rows:
            location = f"'{manifest}' line {rows.line_num}"
            track = _parse_row(row, manifest.parent, location)
            resolved = track.path.resolve()  # slow, hence called once
            if not resolved.is_relative_to(root):
                raise DatasetError(
                    f"{location}: path '{track.name}' is outside the manifest's folder"
                )
            if resolved in paths:
                raise DatasetError(f"{location} lists '{track.name}' twice; a track has one row")
            paths.add(resolved)
            tracks.append(track)
    return tracks


def _parse_row(row: dict[str, str], folder: Path, location: str) -> Track:
    name, label = (row["path"] or "").strip(), (row["label"] or "").strip()
    if not name or not label:
        raise DatasetError(f"{location} lacks a path or a label")
    if "\0" in name:
        raise DatasetError(f"{location}: path {name!r} is not valid")
    fold = (row.get("fold") or "").strip()
    if fold and not (fold.isdecimal() and len(fold) <= _MAX_DIGITS):
        raise DatasetError(f"{location}: fold '{fold[:20]}' is not a whole number from 0")
    group = (row.get("group") or "").strip() or name
    return Track(name, folder / name, label, group, int(fold) if fold else None)
