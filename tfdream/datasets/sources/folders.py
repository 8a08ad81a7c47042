"""Layouts of any collection: a folder per label, and a manifest."""

import csv
import os
from pathlib import Path

from tfdream import audio
from tfdream.datasets.sources.tracks import Skipped, Source, Track
from tfdream.errors import DatasetError

MANIFEST = "manifest.csv"
MOST_DIGITS = 9
"""Of a number in a table: Python refuses to read some thousands of them."""


def folder_per_label(source: Path) -> Source:
    """One sub-folder per label, of any depth below; each file is a group of its own."""
    if not source.is_dir():
        raise DatasetError(f"source '{source}' is not a folder; for a manifest use --layout csv")
    return labeled_by_folder(source, source)


def labeled_by_folder(place: Path, source: Path) -> Source:
    """The files below `place`, whose sub-folders are labels; `source` is what names start from."""
    tracks, skipped = [], []
    for path in _files(place):
        name = path.relative_to(source).as_posix()
        printable = name.encode(errors="backslashreplace").decode()
        label, *below = path.relative_to(place).parts
        if name != printable:
            skipped.append(Skipped(printable, "its name is not valid Unicode; rename it"))
        elif not below:
            skipped.append(Skipped(name, "not inside the sub-folder of a label"))
        elif path.suffix.lower() not in audio.EXTENSIONS:
            skipped.append(
                Skipped(name, f"'{path.suffix}' is not the extension of an audio format")
            )
        else:
            tracks.append(Track(name, path, label, group=name))
    return Source(tracks, skipped)


def csv_manifest(source: Path) -> Source:
    """A CSV file with the columns path and label, and optionally group and fold.

    Paths are relative to the manifest and stay below its folder.
    """
    manifest = source / MANIFEST if source.is_dir() else source
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            missing = {"path", "label"} - set(rows.fieldnames or ())
            if missing:
                raise DatasetError(f"'{manifest}' has no column {' and '.join(sorted(missing))}")
            root = manifest.parent.resolve()
            tracks: list[Track] = []
            files: set[Path] = set()
            for row in rows:
                place = f"'{manifest}' line {rows.line_num}"
                track = _row_to_track(row, manifest.parent, place)
                resolved = track.path.resolve()  # slow, hence once
                if not resolved.is_relative_to(root):
                    raise DatasetError(
                        f"{place}: path '{track.name}' leads out of the manifest's folder"
                    )
                if resolved in files:
                    raise DatasetError(f"{place} names '{track.name}' twice; a track has one row")
                files.add(resolved)
                tracks.append(track)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"manifest '{manifest}' cannot be read: {error}") from None
    return Source(sorted(tracks), [])


def _files(place: Path) -> list[Path]:
    """What is no folder below one, also behind links to other folders; none that is hidden.

    Links to nowhere are among them, so that they are told of.
    """
    found: list[Path] = []
    seen: set[Path] = set()
    for name, folders, files in os.walk(place, followlinks=True):
        folder = Path(name)
        if folder.resolve() in seen:  # a link to where we came from
            folders.clear()
            continue
        seen.add(folder.resolve())
        folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
        found += [folder / file for file in files if not file.startswith(".")]
    return sorted(found)


def _row_to_track(row: dict[str, str], folder: Path, place: str) -> Track:
    name, label = (row["path"] or "").strip(), (row["label"] or "").strip()
    if not name or not label:
        raise DatasetError(f"{place} lacks a path or a label")
    if "\0" in name:
        raise DatasetError(f"{place}: path {name!r} is none")
    fold = (row.get("fold") or "").strip()
    if fold and not (fold.isdecimal() and len(fold) <= MOST_DIGITS):
        raise DatasetError(f"{place}: fold '{fold[:20]}' is not a whole number from 0")
    group = (row.get("group") or "").strip() or name
    return Track(name, folder / name, label, group, int(fold) if fold else None)
