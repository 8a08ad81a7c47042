"""Pages of Ogg files: whether streams follow each other or end, and their serial numbers."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_HEADER_BYTES = 27
_FIRST_PAGE, _LAST_PAGE = 2, 4
_MAX_RESYNC_BYTES = 1 << 16
_SERIAL, _CHECKSUM = 14, 22
"""Positions of the serial number and of the checksum in a page."""
_SERIAL_BYTES = 4
_POLYNOMIAL = 0x04C11DB7


class _Page(NamedTuple):
    flags: int
    serial: bytes
    start: int
    bytes: int


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


def set_serial(path: Path, serial: bytes = bytes(_SERIAL_BYTES)) -> None:
    """Set the serial number of all pages, and their checksums accordingly.

    Encoders choose a random number, so that two files of the same samples differ.

    Args:
      path: an Ogg file of one stream.
      serial: the number, little-endian.

    Source: RFC 3533, section 6.
    """
    pages = list(_pages(path))
    with path.open("r+b") as file:
        for page in pages:
            file.seek(page.start + _CHECKSUM)
            checksum = int.from_bytes(file.read(4), "little")
            # The checksum is linear: it changes by that of the difference.
            change = int.from_bytes(page.serial, "big") ^ int.from_bytes(serial, "big")
            checksum ^= _product(change, _power_of_256(page.bytes - _SERIAL - _SERIAL_BYTES + 4))
            file.seek(page.start + _SERIAL)
            file.write(serial)
            file.seek(page.start + _CHECKSUM)
            file.write(checksum.to_bytes(4, "little"))


@functools.cache
def _power_of_256(exponent: int) -> int:
    """Return a power of 256 in the field of Ogg's checksums."""
    if exponent == 0:
        return 1
    half = _power_of_256(exponent // 2)
    power = _product(half, half)
    return _product(power, 256) if exponent % 2 else power


def _product(first: int, second: int) -> int:
    """Multiply two elements of the field of Ogg's checksums.

    >>> hex(_product(1 << 31, 2)) == hex(_POLYNOMIAL)
    True
    """
    product = 0
    while second:
        if second & 1:
            product ^= first
        second >>= 1
        first <<= 1
        if first >> 32:
            first ^= (1 << 32) | _POLYNOMIAL
    return product


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
            start = file.tell() - _HEADER_BYTES
            end = file.tell() + header[26] + sum(file.read(header[26]))
            if end > size:
                return
            yield _Page(header[5], header[14:18], start, end - start)
            file.seek(end)
