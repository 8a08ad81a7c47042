"""Ctrl-C and SIGTERM: both end a command after it has cleaned up."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

# Exit statuses of programs that are ended by Ctrl-C, or by a service manager.
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
_REPEAT_SECONDS = 0.02
_POLL_SECONDS = 0.2

_log = logging.getLogger(__name__)


@contextmanager
def exit_on_stop() -> Iterator[None]:
    """Clean up after SIGTERM, as after Ctrl-C; repeat a signal whose exception is lost.

    Python handles a signal wherever the main thread is. In a finalizer or a callback of the garbage
    collector, it prints the exception of the handler and continues, and so do some extensions.
    Where Python creates a class, or an extension calls it, another exception is raised instead.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone receives signals
        yield
        return
    received: list[int] = []

    def stop(number: int, frame: object) -> None:
        received.append(number)
        raise _stop(number)

    handlers = {
        number: signal.signal(number, stop)
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) != signal.SIG_IGN  # a shell ignores Ctrl-C in the background
    }
    hooks = sys.unraisablehook, sys.excepthook

    def repeat_lost(lost: "sys.UnraisableHookArgs") -> None:
        error = lost.exc_value
        is_exit = isinstance(error, SystemExit) and error.code == TERMINATED
        if is_exit or isinstance(error, KeyboardInterrupt):
            _repeat(signal.SIGTERM if is_exit else signal.SIGINT)
        else:
            hooks[0](lost)

    def repeat_printed(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        # Called by extensions that print the error of a callback and continue.
        if received:
            _repeat(received[-1])
        else:
            hooks[1](kind, error, trace)

    sys.unraisablehook, sys.excepthook = repeat_lost, repeat_printed
    try:
        yield
    except Exception:
        if received:
            raise _stop(received[-1]) from None
        raise
    finally:
        sys.unraisablehook, sys.excepthook = hooks
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _repeat(number: int) -> None:
    """Send a signal to this process again, soon."""
    timer = threading.Timer(_REPEAT_SECONDS, os.kill, (os.getpid(), number))
    timer.daemon = True
    timer.start()


def _stop(number: int) -> BaseException:
    return SystemExit(TERMINATED) if number == signal.SIGTERM else KeyboardInterrupt()


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


def wait_for_stop(message: str, announce: Callable[[], object]) -> None:
    """Wait until Ctrl-C is pressed, while a server runs in the background.

    Args:
      message: printed at Ctrl-C; the second Ctrl-C interrupts.
      announce: prints where the server is; Ctrl-C meanwhile already ends it.
    """
    with interruptible(message) as stop_requested:
        announce()
        while not stop_requested():
            time.sleep(_POLL_SECONDS)
