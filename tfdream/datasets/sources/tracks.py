"""Tracks: what a source holds, as every later step sees it."""

from pathlib import Path
from typing import NamedTuple

# Folds of an official split: training.validate_on=next takes the one after the test fold.
TEST_FOLD, VALIDATION_FOLD, TRAINING_FOLD = 0, 1, 2


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
