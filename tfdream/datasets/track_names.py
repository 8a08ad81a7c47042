"""Names of tracks and of their parts, and digests that identify recordings in other datasets."""

import hashlib
import re
from collections.abc import Set

_PART = re.compile(r"(?s)(.*) \(part \d+ of (\d+)\)")
_DIGEST_LETTERS = 12


def part_suffix(number: int, count: int) -> str:
    """Return what the name of a part has after that of its track.

    >>> part_suffix(1, 3)
    ' (part 1 of 3)'
    """
    return f" (part {number} of {count})"


def digests(label: str, name: str) -> set[str]:
    """Return the digests of a track or part: of its label and name, and of those of its track."""
    return {_digest(label, name), _digest(label, _track_and_parts(name)[0])}


def is_among(label: str, name: str, others: Set[str]) -> bool:
    """Return whether the recording of a track or part is among others.

    A part is among the tracks of a dataset with the same division only if that has this part, and
    otherwise if it has the track, whole or divided in another way.

    Args:
      label: its label.
      name: its name.
      others: the `digests` of the others.

    >>> parts = digests("jazz", "a.wav (part 1 of 2)")
    >>> names = ["a.wav (part 1 of 2)", "a.wav (part 2 of 2)", "a.wav (part 2 of 3)", "a.wav"]
    >>> [is_among("jazz", name, parts) for name in names]
    [True, False, True, True]
    """
    track, count = _track_and_parts(name)
    if _digest(label, name) in others:
        return True
    parts = {_digest(label, track + part_suffix(number, count)) for number in range(1, count + 1)}
    return _digest(label, track) in others and not parts & others


def _track_and_parts(name: str) -> tuple[str, int]:
    """Return the name of the track and the number of its parts, 0 if it is not divided."""
    part = _PART.fullmatch(name)
    return (part[1], int(part[2])) if part else (name, 0)


def _digest(label: str, name: str) -> str:
    return hashlib.sha256(f"{label}/{name}".encode()).hexdigest()[:_DIGEST_LETTERS]
