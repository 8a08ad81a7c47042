"""Paths of the file system."""

import os
from pathlib import Path


def absolute(path: str | Path) -> Path:
    """Return an absolute path without ``..``; unlike `Path.resolve`, it keeps links.

    A linked folder is in the folder that has the link.

    >>> absolute("/music/rock/../jazz").as_posix()
    '/music/jazz'
    """
    return Path(os.path.abspath(path))  # noqa: PTH100
