"""Sources: where tracks come from, and which of them are kept apart."""

import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfdream.datasets.sources import fma, folders, gtzan
from tfdream.datasets.sources.tracks import Source, Track
from tfdream.errors import DatasetError


class Layout(NamedTuple):
    """How a collection of some layout is read, and the options that its function takes."""

    read: Callable[..., Source]
    options: frozenset[str] = frozenset()


LAYOUTS = {
    "folder": Layout(folders.folder_per_label),
    "csv": Layout(folders.csv_manifest),
    "gtzan": Layout(gtzan.read, frozenset({"splits"})),
    "fma": Layout(fma.read, frozenset({"subset"})),
}


class SourceOptions(NamedTuple):
    """What is to be said of a source beside its place."""

    layout: str = "auto"
    """One of `LAYOUTS`, or ``auto`` to see for itself."""
    splits: Path | None = None
    """Of GTZAN: the folder of its split lists."""
    subset: str | None = None
    """Of FMA: one of `fma.SUBSETS`."""
    deal_folds: bool = False
    """Forget the folds that the source states, so that they are dealt out by group."""


NO_OPTIONS = SourceOptions()


def read(source: Path, options: SourceOptions = NO_OPTIONS) -> Source:
    """List the tracks of `source`.

    Args:
      source: a folder with one sub-folder per label, a CSV manifest, a folder that holds
        ``manifest.csv``, or a collection as it comes: see `LAYOUTS`.
      options: its layout, and what belongs to that.

    Raises:
      DatasetError: if there is nothing to be found, the source does not hold together, or an option
        does not belong to the layout.
    """
    if not source.exists():
        raise DatasetError(f"source '{source}' does not exist")
    name = recognize(source) if options.layout == "auto" else options.layout
    if name not in LAYOUTS:
        raise DatasetError(f"layout '{name}' is not one of: auto, {', '.join(LAYOUTS)}")
    found = LAYOUTS[name].read(source, **_of_layout(options, name))
    if not found.tracks:
        reasons = "; ".join(f"{path}: {reason}" for path, reason in found.skipped[:3])
        raise DatasetError(
            f"source '{source}' holds no audio in the layout '{name}'"
            f"{f' ({reasons})' if reasons else ''}; "
            "put files into one sub-folder per label, or write a manifest with path,label,group"
        )
    return _without_folds(found, source) if options.deal_folds else found


def recognize(source: Path) -> str:
    """The layout that a source is seen to have; a folder per label where nothing else is seen.

    Raises:
      DatasetError: if it could be one collection or another.
    """
    if source.is_file() or (source / folders.MANIFEST).is_file():
        return "csv"
    is_gtzan = gtzan.genres_folder(source) is not None
    is_fma = fma.tracks_table(source) is not None and bool(fma.audio_trees(source))
    if is_gtzan and is_fma:
        raise DatasetError(f"source '{source}' holds GTZAN and FMA; use --layout gtzan or fma")
    return "gtzan" if is_gtzan else "fma" if is_fma else "folder"


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
            raise DatasetError(
                f"'{without}' states no fold while others do; state all or none, or use "
                "--deal-folds to ignore them"
            )
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
    # Imported here, because worker processes may import this module, and would wait.
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
                "folds would be trained and tested on, so give all its tracks one fold, or use "
                "--deal-folds to have folds dealt out by group"
            )


def _of_layout(options: SourceOptions, layout: str) -> Mapping[str, object]:
    """The options that are given, which have to be those of the layout."""
    named = {"splits": options.splits, "subset": options.subset}
    given = {option: value for option, value in named.items() if value is not None}
    for option in given:
        if option not in LAYOUTS[layout].options:
            owners = [name for name, one in LAYOUTS.items() if option in one.options]
            raise DatasetError(
                f"--{option} belongs to --layout {' or '.join(owners)}, but this layout is "
                f"'{layout}'"
            )
    return given


def _without_folds(found: Source, source: Path) -> Source:
    if all(track.fold is None for track in found.tracks):
        raise DatasetError(f"source '{source}' states no folds; leave out --deal-folds")
    return found._replace(tracks=[track._replace(fold=None) for track in found.tracks])
