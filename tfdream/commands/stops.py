"""Ctrl-C and SIGTERM: both end a command after it has cleaned up."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Exit statuses of programs that are ended by Ctrl-C, or by a service manager.
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
_REPEAT_SECONDS = 0.02

_log = logging.getLogger(__name__)


@contextmanager
def exit_on_stop() -> Iterator[None]:
    """Clean up after SIGTERM, as after Ctrl-C; repeat a signal whose exception is lost.

    Python handles a signal wherever the main thread is. In a finalizer or a callback of the garbage
    collector, it prints the exception of the handler and continues. Where it creates a class, it
    raises another exception because of that of the handler.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone receives signals
        yield
        return
    handler = signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    hook = sys.unraisablehook

    def repeat(lost: "sys.UnraisableHookArgs") -> None:
        error = lost.exc_value
        if error is None or not _is_stop(error):
            hook(lost)
            return
        number = signal.SIGINT if isinstance(error, KeyboardInterrupt) else signal.SIGTERM
        timer = threading.Timer(_REPEAT_SECONDS, os.kill, (os.getpid(), number))
        timer.daemon = True
        timer.start()

    sys.unraisablehook = repeat
    try:
        yield
    except Exception as error:
        stop = _stop_behind(error)
        if stop is None:
            raise
        raise stop from None
    finally:
        sys.unraisablehook = hook
        signal.signal(signal.SIGTERM, handler)


def _stop_behind(error: BaseException) -> BaseException | None:
    """Return the exception of Ctrl-C or SIGTERM that an error was raised from or during."""
    cause: BaseException | None = error
    while cause is not None and not _is_stop(cause):
        cause = cause.__cause__ or cause.__context__
    return cause


def _is_stop(error: BaseException) -> bool:
    is_exit = isinstance(error, SystemExit) and error.code == TERMINATED
    return is_exit or isinstance(error, KeyboardInterrupt)


@contextmanager
def interruptible(
    message: str = "Stopping: the finished part will be written. Ctrl-C again cancels.",
) -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a request to stop; the second one interrupts.

    Args:
      message: printed at the first Ctrl-C.

    Yields:
      A function that returns whether a stop is requested.
    """
    requested = False

    def request(*_: object) -> None:
        nonlocal requested
        if requested:
            raise KeyboardInterrupt
        requested = True
        _log.warning(message)

    if threading.current_thread() is not threading.main_thread():  # which alone receives signals
        yield lambda: requested
        return
    before = signal.signal(signal.SIGINT, request)
    try:
        yield lambda: requested
    finally:
        signal.signal(signal.SIGINT, before)
