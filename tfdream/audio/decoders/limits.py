"""Limits of a process that decodes files: memory, time without progress, and files it may write."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY_BYTES = 2 << 30
"""Memory that a process may map for decoding.

The index of an audiobook of 40 hours and large pictures need some 0.1 GB. A decoder that asks for
more than this was misled by a damaged file.
"""
CUTTING_MEMORY_BYTES = 4 << 30
"""Memory that a process of `prepare` may map, which holds the clips of a track, too."""
STALL_SECONDS = 60.0
"""Longest time for a block of samples. Decoding takes milliseconds; the rest is for slow disks."""
_EXIT_SECONDS = 2 * STALL_SECONDS


def limit_process(memory_bytes: int = MEMORY_BYTES) -> None:
    """Limit the memory of this process, and let it write no core dumps.

    Systems without resource limits ignore it.

    Args:
      memory_bytes: address space beyond that which is mapped now; allocations then fail.
    """
    try:
        import resource
    except ImportError:
        return
    memory = _mapped_bytes() + memory_bytes
    for limit, value in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(limit)
        if hard == resource.RLIM_INFINITY or hard > value:
            try:
                resource.setrlimit(limit, (value, hard))
            except (OSError, ValueError):  # macOS refuses limits of the address space
                continue


def _mapped_bytes() -> int:
    """Return the address space of this process; a guess where the system does not list it."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 1 << 30
    return int(statm.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def exiting_on_stall() -> Iterator[None]:
    """End this process, even in C code, if the block takes too long.

    The parent of a process that decodes for it reports the stall earlier; this ends a process whose
    parent has been killed. `prepare` restarts processes that end in this way. The default action of
    the timer's signal ends them: a thread would take longer to start than a block to be decoded.
    Systems without such timers ignore it.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, _EXIT_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def describe_exit(code: int | None) -> str:
    """Describe the exit status of a process that decoded a file.

    >>> describe_exit(-11), describe_exit(3)
    ('the decoder crashed on it (signal 11)', 'the decoder crashed on it (exit status 3)')
    """
    if code is not None and code < 0:
        return f"the decoder crashed on it (signal {-code})"
    return f"the decoder crashed on it (exit status {code})"


def ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
