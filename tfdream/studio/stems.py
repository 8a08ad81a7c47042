"""Stems: parts of a recording that another program separated, with names."""

from collections.abc import Sequence
from pathlib import Path

Stems = tuple[tuple[str, str], ...]
"""Pairs of name and file."""


def named(paths: Sequence[str], names: str) -> Stems:
    """Return stems with names, which are separated by commas; missing names are those of the files.

    >>> named(["a/drums.wav", "a/bass.wav"], "beat")
    (('beat', 'a/drums.wav'), ('bass', 'a/bass.wav'))
    >>> named(["a/drums"], "")
    (('drums', 'a/drums'),)
    """
    given = [name.strip() for name in names.split(",")] if names.strip() else []
    stems: dict[str, str] = {}
    for number, path in enumerate(paths):
        name = given[number] if number < len(given) and given[number] else _file_name(path)
        name = name.replace("=", "-")
        while name in stems:
            name += "-2"
        stems[name] = path
    return tuple(stems.items())


def names_of(stems: Stems) -> str:
    """Return the names of stems, separated by commas."""
    return ", ".join(name for name, _ in stems)


def _file_name(path: str) -> str:
    return Path(path).stem.replace(",", "_").strip() or "stem"
