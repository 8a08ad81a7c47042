"""File descriptors of the process, which C libraries write to."""

import ctypes
import os
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
