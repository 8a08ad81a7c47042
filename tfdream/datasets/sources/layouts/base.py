"""The interface of a dataset layout."""

from enum import IntEnum
from pathlib import Path

from tfdream.config import Config
from tfdream.datasets.sources.tracks import Source

_MAX_DIGITS = 9
"""Python refuses to convert some thousands of digits."""


class Match(IntEnum):
    """How specifically a source matches a layout; the highest match is detected."""

    NONE = 0
    FALLBACK = 1
    """Any folder matches."""
    COLLECTION = 2
    """Files and folders have the names of a published collection."""
    MANIFEST = 3
    """A manifest lists the tracks explicitly, whatever else the folder contains."""


class Layout(Config):
    """How the tracks of a source are arranged on disk, and the options for reading them.

    A subclass sets ``kind: Literal["name"]``, its name for ``--layout``. Its other fields are
    optional settings, and the command line has an option for each: the field's description is the
    help text.
    """

    kind: str

    # Not abstract methods: mypy accepts no abstract class where `registry.sections` takes its base.
    @classmethod
    def match(cls, source: Path) -> Match:
        """Return how specifically `source` matches this layout."""
        raise NotImplementedError

    def read(self, source: Path) -> Source:
        """List the tracks of a source.

        Raises:
          DatasetError: if the source does not have this layout.
        """
        raise NotImplementedError


def whole_number(text: str) -> int | None:
    """Return the number that a cell of a table contains; None if it is not one from 0.

    >>> whole_number("042"), whole_number("-1"), whole_number("")
    (42, None, None)
    """
    return int(text) if text.isdecimal() and len(text) <= _MAX_DIGITS else None
