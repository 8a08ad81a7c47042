"""Tracks: the audio files of a source, independent of its layout."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tfdream.errors import AudioError

# Folds of an official split: training.validate_on=next takes the fold after the test fold.
TEST_FOLD, VALIDATION_FOLD, TRAINING_FOLD = 0, 1, 2
_MAX_REASONS = 3


class Track(NamedTuple):
    """One audio file with a label, or a part of one."""

    name: str
    """Path relative to the source, with forward slashes, for reports; of a manifest, its cell."""
    path: Path
    label: str
    group: str
    """Artist, album or recording: must not be split over training and test."""
    fold: int | None = None
    first_clip: int = 0
    """First clip of the file that belongs to the track."""
    end_clip: int | None = None
    """Clip after the last one; None for all clips up to the end of the file."""


class Skipped(NamedTuple):
    """A file without clips, and the reason."""

    path: str
    reason: str

    @classmethod
    def from_error(cls, track: Track, error: AudioError) -> "Skipped":
        """Describe a track whose file is unusable; the reason does not repeat its location."""
        return cls(track.name, str(error).removeprefix(f"'{track.path}' "))


class Source(NamedTuple):
    """The tracks of a source in a stable order, and the files that are not tracks."""

    tracks: list[Track]
    skipped: list[Skipped]


def first_reasons(skipped: Sequence[tuple[str, str]]) -> str:
    """Return the part of a message that lists the first skipped files with their reasons."""
    return "; ".join(f"{path}: {reason}" for path, reason in skipped[:_MAX_REASONS])


def spanning_folds(folds: Iterable[tuple[str, int]]) -> Iterator[tuple[str, list[int]]]:
    """Yield the groups that are in several folds, from pairs of group and fold, and their folds.

    >>> list(spanning_folds([("a", 1), ("b", 0), ("a", 0), ("b", 0)]))
    [('a', [0, 1])]
    """
    by_group: dict[str, set[int]] = defaultdict(set)
    for group, fold in folds:
        by_group[group].add(fold)
    for group, numbers in by_group.items():
        if len(numbers) > 1:
            yield group, sorted(numbers)


def score_of(name: str) -> str:
    """Return the score that a track plays: recordings of the same score have the same file name.

    >>> score_of("violin/song1.flac") == score_of("flute/song1.wav")
    True
    """
    return PurePosixPath(name).stem


def repeated_scores(tracks: Iterable[Track]) -> list[str]:
    """Return a warning for each score that several tracks of one label play.

    >>> tracks = [Track(name, Path(name), "oboe", name) for name in ("1/a.wav", "2/a.wav")]
    >>> repeated_scores(tracks)
    ["of oboe, '1/a.wav' and '2/a.wav' count as the same music: their names are equal"]
    """
    first: dict[tuple[str, str], str] = {}
    warnings = []
    for track in tracks:
        other = first.setdefault((track.label, score_of(track.name)), track.name)
        if other != track.name:
            warnings.append(
                f"of {track.label}, '{other}' and '{track.name}' count as the same music: their "
                "names are equal"
            )
    return warnings


def group_scores(tracks: list[Track]) -> list[Track]:
    """Give tracks of the same score the same group, unless the source specifies their groups.

    >>> tracks = [Track(name, Path(name), "", group=name) for name in ("oboe/a.wav", "horn/a.wav")]
    >>> [track.group for track in group_scores(tracks)]
    ['a', 'a']
    """
    return [
        track._replace(group=score_of(track.name)) if track.group == track.name else track
        for track in tracks
    ]
