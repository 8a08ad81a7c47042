"""Selection of labels: some labels of a source, under new names, and several as one."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

from tfdream.datasets.sources.tracks import Track
from tfdream.errors import DatasetError, did_you_mean, list_names

logger = logging.getLogger(__name__)
_MAX_NAMES = 20
"""Labels in a message."""


def select_labels(
    tracks: Sequence[Track], labels: Mapping[str, Sequence[str]]
) -> tuple[list[Track], dict[str, int]]:
    """Keep the tracks of some labels, with their new labels.

    Args:
      tracks: the tracks of a source.
      labels: the labels of the source that each new label replaces; empty keeps all tracks.

    Returns:
      The tracks, and the number of tracks of each label that is left out.

    Raises:
      DatasetError: if the source does not have one of the labels.

    >>> from pathlib import Path
    >>> tracks = [Track(name, Path(name), name, group=name) for name in ("pop", "rock", "jazz")]
    >>> selected, left_out = select_labels(tracks, {"rock": ["rock", "pop"]})
    >>> [(track.name, track.label) for track in selected], left_out
    ([('pop', 'rock'), ('rock', 'rock')], {'jazz': 1})
    """
    if not labels:
        return list(tracks), {}
    counts = Counter(track.label for track in tracks)
    renamed = {old: new for new, replaced in labels.items() for old in replaced}
    unknown = [f"'{name}'{did_you_mean(name, counts)}" for name in renamed if name not in counts]
    if unknown:
        raise DatasetError(
            f"labels: the source has no label {', '.join(unknown)}; it has "
            f"{list_names(sorted(counts), _MAX_NAMES)}"
        )
    left_out = {label: counts[label] for label in sorted(counts) if label not in renamed}
    if left_out:
        logger.info(
            "%d tracks of other labels are left out: %s",
            sum(left_out.values()),
            ", ".join(f"{label} ({count})" for label, count in left_out.items()),
        )
    selected = [
        track._replace(label=renamed[track.label]) for track in tracks if track.label in renamed
    ]
    return selected, left_out
