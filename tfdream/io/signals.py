"""Work that signals must not interrupt, and calls that they could not interrupt otherwise."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.pool import ThreadPool
from typing import TypeVar

_Result = TypeVar("_Result")
# A wait without an end may miss a signal that arrives just before it begins.
_POLL_SECONDS = 0.2


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Postpone SIGINT and SIGTERM until the block has ended, such as the removal of a folder.

    Only handlers that are Python functions are postponed. A mask of the operating system would not
    help: another thread receives the signal, and Python calls the handler in this one.

    >>> with uninterrupted():
    ...     pass
    """
    if threading.current_thread() is not threading.main_thread():  # which alone receives signals
        yield
        return
    received: list[int] = []
    handlers = {
        number: handler
        for number in (signal.SIGINT, signal.SIGTERM)
        if callable(handler := signal.getsignal(number))
    }
    for number in handlers:
        signal.signal(number, lambda number, _: received.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[-1])


def call_interruptibly(function: Callable[[], _Result]) -> _Result:
    """Call a function of a library that blocks for an unlimited time, such as a read of TensorFlow.

    Python runs signal handlers between its instructions, so not while such a function blocks the
    main thread. It therefore runs in another thread. If a handler raises an exception, this call
    ends, and the other thread ends with the process. The function has to release Python's lock
    while it blocks.

    Args:
      function: called once; its exceptions are raised here.

    >>> call_interruptibly(lambda: 2)
    2
    """
    with ThreadPool(1) as pool:  # whose threads do not delay the exit, as those of executors do
        result = pool.apply_async(function)
        while not result.ready():
            result.wait(_POLL_SECONDS)
        return result.get()
