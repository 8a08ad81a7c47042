"""Sources: where tracks come from. Each layout is one function from a place to `Track`s."""

import csv
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfdream import audio
from tfdream.errors import DatasetError

MANIFEST = "manifest.csv"


class Track(NamedTuple):
    """One audio file."""

    name: str
    """Path relative to the source, with forward slashes: what reports call it."""
    path: Path
    label: str
    group: str
    """Artist, album or recording: what must not be split over training and test."""
    fold: int | None = None


class Skipped(NamedTuple):
    """A file that gave no clips, and why."""

    path: str
    reason: str


class Source(NamedTuple):
    """The tracks of a source, in a stable order, and the files that are none."""

    tracks: list[Track]
    skipped: list[Skipped]


def read(source: Path, layout: str = "auto") -> Source:
    """List the tracks of `source`.

    Args:
      source: a folder with one sub-folder per label, a CSV manifest, or a folder that holds
        ``manifest.csv``.
      layout: ``folder``, ``csv``, or ``auto`` to see for itself.

    Raises:
      DatasetError: if there is nothing to be found, or a manifest does not hold together.
    """
    if not source.exists():
        raise DatasetError(f"source '{source}' does not exist")
    if layout == "auto":
        layout = "csv" if source.is_file() or (source / MANIFEST).is_file() else "folder"
    if layout not in LAYOUTS:
        raise DatasetError(f"layout '{layout}' is not one of: auto, {', '.join(LAYOUTS)}")
    found = LAYOUTS[layout](source)
    if not found.tracks:
        raise DatasetError(
            f"source '{source}' holds no audio in the layout '{layout}'; "
            "put files into one sub-folder per label, or write a manifest with path,label,group"
        )
    return found


def folder_per_label(source: Path) -> Source:
    """One sub-folder per label, of any depth below; each file is a group of its own."""
    if not source.is_dir():
        raise DatasetError(f"source '{source}' is not a folder; for a manifest use --layout csv")
    tracks, skipped = [], []
    for path in _files(source):
        name = path.relative_to(source).as_posix()
        printable = name.encode(errors="backslashreplace").decode()
        if name != printable:
            skipped.append(Skipped(printable, "its name is not valid Unicode; rename it"))
        elif "/" not in name:
            skipped.append(Skipped(name, "not inside the sub-folder of a label"))
        elif path.suffix.lower() not in audio.EXTENSIONS:
            skipped.append(
                Skipped(name, f"'{path.suffix}' is not the extension of an audio format")
            )
        else:
            tracks.append(Track(name, path, label=name.split("/")[0], group=name))
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
            tracks = [_row_to_track(row, manifest, rows.line_num) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"manifest '{manifest}' cannot be read: {error}") from None
    files = Counter(track.path.resolve() for track in tracks)
    for track in tracks:
        if files[track.path.resolve()] > 1:
            raise DatasetError(f"'{manifest}' names '{track.name}' twice; a track has one row")
    return Source(sorted(tracks), [])


LAYOUTS: dict[str, Callable[[Path], Source]] = {"folder": folder_per_label, "csv": csv_manifest}


def assign_folds(tracks: list[Track], folds: int, seed: int) -> list[Track]:
    """Give every track a fold: stratified by label, a group never in two of them.

    Folds that the source states are kept, after a check.

    Raises:
      DatasetError: if a stated fold splits a group, only some tracks state one, or there are fewer
        groups than folds.
    """
    stated = [track for track in tracks if track.fold is not None]
    if stated:
        if len(stated) < len(tracks):
            without = next(track.name for track in tracks if track.fold is None)
            raise DatasetError(f"'{without}' states no fold while others do; state all or none")
        _check_groups(tracks)
        return tracks
    groups = {track.group for track in tracks}
    if len(groups) < folds:
        raise DatasetError(
            f"folds={folds} is more than the {len(groups)} groups of tracks; "
            "use --set prepare.folds=N with fewer"
        )
    if folds == 1:
        return [track._replace(fold=0) for track in tracks]
    labels = [track.label for track in tracks]
    assigned = np.zeros(len(tracks), int)
    if max(Counter(labels).values()) >= folds:
        assigned = _deal(labels, tracks, folds, seed)
    if len(set(assigned)) < folds:  # labels too rare to stratify, but groups can be dealt out
        assigned = _deal(["any"] * len(labels), tracks, folds, seed)
    return [track._replace(fold=int(fold)) for track, fold in zip(tracks, assigned, strict=True)]


def _deal(labels: list[str], tracks: list[Track], folds: int, seed: int) -> np.ndarray:
    # Imported here, because every worker process of `prepare` imports this module and would wait.
    from sklearn.model_selection import StratifiedGroupKFold

    assigned = np.zeros(len(tracks), int)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # a label rarer than the folds is missing from some of them
        warnings.simplefilter("ignore", UserWarning)
        split = list(splitter.split(assigned, labels, [track.group for track in tracks]))
    for fold, (_, held_out) in enumerate(split):
        assigned[held_out] = fold
    return assigned


def _check_groups(tracks: list[Track]) -> None:
    folds: dict[str, set[int | None]] = defaultdict(set)
    for track in tracks:
        folds[track.group].add(track.fold)
    for group, found in folds.items():
        if len(found) > 1:
            raise DatasetError(
                f"group '{group}' stands in folds {sorted(map(str, found))}; a group that spans "
                "folds would be trained and tested on, so give all its tracks one fold"
            )


def _files(source: Path) -> Iterator[Path]:
    for path in sorted(source.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(source).parts)
        if path.is_file() and not hidden:
            yield path


def _row_to_track(row: dict[str, str], manifest: Path, line: int) -> Track:
    place = f"'{manifest}' line {line}"
    name, label = (row["path"] or "").strip(), (row["label"] or "").strip()
    if not name or not label:
        raise DatasetError(f"{place} lacks a path or a label")
    path = manifest.parent / name
    if not path.resolve().is_relative_to(manifest.parent.resolve()):
        raise DatasetError(f"{place}: path '{name}' leads out of the manifest's folder")
    fold = (row.get("fold") or "").strip()
    if fold and not fold.isdecimal():
        raise DatasetError(f"{place}: fold '{fold}' is not a whole number from 0")
    group = (row.get("group") or "").strip() or name
    return Track(name, path, label, group, int(fold) if fold else None)
