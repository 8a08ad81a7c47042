"""File descriptors of the process, which C libraries write to."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def redirected(descriptor: int, target: int) -> Iterator[None]:
    """Redirect a file descriptor of the process, if it is open."""
    try:
        original = os.dup(descriptor)
        os.dup2(target, descriptor)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).fflush(None)  # what C libraries have not written yet
        os.dup2(original, descriptor)
        os.close(original)


def reserve_standard_streams() -> None:
    """Open the standard streams that are closed, so that no other file gets their descriptors.

    This also holds in processes that are started later. To write to standard output remains an
    error. Standard error discards what is written.
    """
    if sys.stdin is None:
        _open_nowhere(os.O_RDONLY)
    if sys.stdout is None:
        sys.stdout = os.fdopen(_open_nowhere(os.O_RDONLY), "w")
    if sys.stderr is None:
        sys.stderr = os.fdopen(_open_nowhere(os.O_WRONLY), "w")


def _open_nowhere(mode: int) -> int:
    """Open the null device at the lowest free descriptor, that of the first closed stream."""
    descriptor = os.open(os.devnull, mode)
    os.set_inheritable(descriptor, True)
    return descriptor
