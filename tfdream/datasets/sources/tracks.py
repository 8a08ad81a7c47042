"""Tracks: the audio files of a source, independent of its layout."""

from pathlib import Path
from typing import NamedTuple

# Folds of an official split: training.validate_on=next takes the fold after the test fold.
TEST_FOLD, VALIDATION_FOLD, TRAINING_FOLD = 0, 1, 2


class Track(NamedTuple):
    """One audio file with a label, or a part of one."""

    name: str
    """Path relative to the source, with forward slashes, for reports."""
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


class Source(NamedTuple):
    """The tracks of a source in a stable order, and the files that are not tracks."""

    tracks: list[Track]
    skipped: list[Skipped]
