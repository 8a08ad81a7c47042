"""Folds: groups of tracks are distributed over them, stratified by label."""

import warnings
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdream.datasets.sources.tracks import Track, spanning_folds
from tfdream.errors import DatasetError


def assign_folds(tracks: list[Track], folds: int, seed: int) -> list[Track]:
    """Assign a fold to every track, stratified by label; a group is never in two folds.

    If the source specifies folds, they are checked and left as they are.

    Args:
      tracks: the tracks of a source.
      folds: number of folds.
      seed: random seed.

    Raises:
      DatasetError: if a specified fold splits a group, only some tracks have a fold, or there are
        fewer groups than folds.

    >>> from pathlib import Path
    >>> tracks = [Track(name, Path(name), "rock", group=name[0]) for name in ("a1", "a2", "b1")]
    >>> first, second, third = assign_folds(tracks, folds=2, seed=0)
    >>> first.fold == second.fold != third.fold
    True
    """
    if any(track.fold is not None for track in tracks):
        _check_folds(tracks)
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
    one_label = ["any"] * len(tracks)
    are_rare = max(Counter(labels).values()) < folds  # too rare to stratify
    assigned = _stratify(one_label if are_rare else labels, tracks, folds, seed)
    if len(set(assigned)) < folds:  # a fold is empty, although there are enough groups
        assigned = _stratify(one_label, tracks, folds, seed)
    return [track._replace(fold=int(fold)) for track, fold in zip(tracks, assigned, strict=True)]


def _stratify(labels: list[str], tracks: list[Track], folds: int, seed: int) -> NDArray[Any]:
    # Imported here, because worker processes may import this module, which would slow their start.
    from sklearn.model_selection import StratifiedGroupKFold

    assigned = np.zeros(len(tracks), int)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # a label with fewer tracks than folds is missing from some
        warnings.simplefilter("ignore", UserWarning)
        split = list(splitter.split(assigned, labels, [track.group for track in tracks]))
    for fold, (_, test) in enumerate(split):
        assigned[test] = fold
    return assigned


def _check_folds(tracks: list[Track]) -> None:
    """Check that all tracks have a fold and no group is in several."""
    without = [track.name for track in tracks if track.fold is None]
    if without:
        raise DatasetError(
            f"'{without[0]}' has no fold while others do; specify all or none, or use --deal-folds "
            "to ignore them"
        )
    folds = ((track.group, track.fold) for track in tracks if track.fold is not None)
    for group, numbers in spanning_folds(folds):
        raise DatasetError(
            f"group '{group}' is in the folds {numbers}; a group that spans folds would be in the "
            "training and the test data, so give all its tracks one fold, or use --deal-folds to "
            "assign folds by group"
        )
