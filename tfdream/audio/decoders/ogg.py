"""Pages of Ogg files: whether several streams follow each other, and whether the last one ends."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_HEADER_BYTES = 27
_FIRST_PAGE, _LAST_PAGE = 2, 4
_MAX_RESYNC_BYTES = 1 << 16


class _Page(NamedTuple):
    flags: int
    serial: bytes


def is_chained(path: Path) -> bool:
    """Return whether a stream starts after the samples of another one."""
    has_samples = False
    for page in _pages(path):
        starts = bool(page.flags & _FIRST_PAGE)
        if starts and has_samples:
            return True
        has_samples |= not starts
    return False


def has_end(path: Path) -> bool:
    """Return whether the last complete page is the end of its stream."""
    flags = 0
    for page in _pages(path):
        flags = page.flags
    return bool(flags & _LAST_PAGE)


def _pages(path: Path) -> Iterator[_Page]:
    """Yield the complete pages of a file; bytes between pages are skipped."""
    size = path.stat().st_size
    with path.open("rb") as file:
        while True:
            header = file.read(_HEADER_BYTES)
            if len(header) < _HEADER_BYTES:
                return
            if not header.startswith(b"OggS"):
                position = file.tell() - _HEADER_BYTES + 1
                file.seek(position)
                skipped = file.read(_MAX_RESYNC_BYTES).find(b"OggS")
                if skipped < 0:
                    return
                file.seek(position + skipped)
                continue
            end = file.tell() + header[26] + sum(file.read(header[26]))
            if end > size:
                return
            yield _Page(header[5], header[14:18])
            file.seek(end)
