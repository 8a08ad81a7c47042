"""Search folders for files."""

import os
from pathlib import Path


def files_below(folder: str | Path) -> list[Path]:
    """Return the files in a folder and its sub-folders, sorted.

    Links to other folders are followed, each folder once. Hidden files and folders are left out.
    Broken links are included, so that the caller can report them.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("b.wav", "a.wav", ".hidden.wav"):
    ...         (Path(folder) / name).touch()
    ...     [path.name for path in files_below(folder)]
    ['a.wav', 'b.wav']
    """
    paths: list[Path] = []
    visited: set[Path] = set()
    for name, folders, files in os.walk(folder, followlinks=True):
        current = Path(name)
        if current.resolve() in visited:  # a link to a parent folder
            folders.clear()
            continue
        visited.add(current.resolve())
        folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
        paths += [current / file for file in files if not file.startswith(".")]
    return sorted(paths)
