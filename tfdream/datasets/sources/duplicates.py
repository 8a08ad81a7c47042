"""Problems of a source that would make scores wrong: duplicate files and labels."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from tfdream.datasets.sources.tracks import Track
from tfdream.errors import list_names
from tfdream.io.duplicates import identical_files

_MAX_NAMES = 4
"""Names in a warning."""


def group_duplicates(tracks: list[Track]) -> tuple[list[Track], list[str]]:
    """Give tracks with identical files the same group, so that they are in the same fold.

    If the source specifies folds, groups are left as they are.

    Args:
      tracks: the tracks of a source.

    Returns:
      The tracks, and a warning for each set of identical files.
    """
    track_of = {track.path: track for track in tracks}
    duplicates = [
        [track_of[path] for path in same]
        for same in identical_files(track.path for track in tracks)
    ]
    warnings = [_describe(same) for same in duplicates]
    if any(track.fold is not None for track in tracks):
        return tracks, warnings
    merged = _merge([[track.group for track in same] for same in duplicates])
    return [
        track._replace(group=merged.get(track.group, track.group)) for track in tracks
    ], warnings


def similar_labels(labels: Iterable[str]) -> list[str]:
    """Return a warning for each set of labels that differ only in case, spaces or Unicode form.

    >>> similar_labels(["jazz", "rock", "Jazz"])
    ["labels 'Jazz' and 'jazz' differ only in case or spaces, but are separate; rename one"]
    """
    variants: dict[str, set[str]] = defaultdict(set)
    for label in labels:
        key = " ".join(unicodedata.normalize("NFKC", label).casefold().split())
        variants[key].add(label)
    return [
        f"labels {_join(sorted(same))} differ only in case or spaces, but are separate; rename one"
        for same in variants.values()
        if len(same) > 1
    ]


def _describe(same: list[Track]) -> str:
    names = _join([track.name for track in same])
    labels = sorted({track.label for track in same})
    folds = sorted({track.fold for track in same if track.fold is not None})
    problems, remedy = [], "remove one of them"
    if len(labels) > 1:
        problems.append(f"have the labels {_join(labels)}")
    if len(folds) > 1:
        numbers = " and ".join(map(str, folds))
        problems.append(f"are in the folds {numbers}, so test data are also training data")
        if len(labels) == 1:
            remedy += ", or use --deal-folds"
    if not problems:
        return f"{names} are identical; they are in the same fold; {remedy}"
    return f"{names} are identical, but {', and '.join(problems)}; {remedy}"


def _merge(duplicates: list[list[str]]) -> dict[str, str]:
    """Map each group that shares a file with others to the name of the joined group."""
    merged: dict[str, str] = {}

    def name(group: str) -> str:
        while merged.get(group, group) != group:
            group = merged[group]
        return group

    for groups in duplicates:
        joined = [name(group) for group in groups]
        for group in joined:
            merged[group] = min(joined)
    return {group: name(group) for group in merged}


def _join(names: list[str]) -> str:
    return list_names([f"'{name}'" for name in names], _MAX_NAMES, " and ")
