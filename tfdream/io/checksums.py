"""Checksums of files."""

import hashlib
from pathlib import Path

_CHUNK_BYTES = 1 << 20


def file_sha256(*paths: str | Path) -> str:
    """Return the SHA-256 in hexadecimal of a file, or of several files one after the other.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "empty"
    ...     path.touch()
    ...     file_sha256(path)[:16]
    'e3b0c44298fc1c14'
    """
    digest = hashlib.sha256()
    for path in paths:
        with Path(path).open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()
