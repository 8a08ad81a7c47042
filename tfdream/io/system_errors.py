"""Errors of the system: files that cannot be accessed, and exhausted memory or disks."""

import errno
import os
import sys

from tfdream.errors import one_line, without_node_name

_EXHAUSTED = (errno.ENOSPC, errno.EDQUOT)


def memory_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions for exhausted memory, of TensorFlow too if it is loaded."""
    tensorflow = sys.modules.get("tensorflow")
    further = () if tensorflow is None else (tensorflow.errors.ResourceExhaustedError,)
    return (MemoryError, *further)


def system_errors() -> tuple[type[Exception], ...]:
    """Return all exceptions that `describe` describes."""
    return (OSError, *memory_errors())


def describe(error: Exception) -> str:
    """Return the message of an error such as a full disk or a missing permission.

    >>> describe(PermissionError(errno.EACCES, "", "song.wav"))
    "'song.wav': Permission denied"
    """
    reason = one_line(error)
    if not isinstance(error, OSError):
        reason = without_node_name(reason)
        return (
            f"no space is left in memory or on the disk ({reason}); free some, or use a smaller "
            "batch, clip or image. Finished files are complete"
        )
    if error.errno:
        reason = os.strerror(error.errno)
    if error.errno in _EXHAUSTED:
        reason += "; free some space and run the command again: finished files are complete"
    return f"'{error.filename}': {reason}" if error.filename else reason
