"""Spawned worker processes that ignore SIGINT and exit with their parent."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.process import BaseProcess


def pool(workers: int, initialize: Callable[[], None] | None = None) -> ProcessPoolExecutor:
    """Return a pool of spawned processes.

    Processes are spawned, because forking a process that runs TensorFlow's threads may deadlock.
    They start fast if the submitted functions do not import TensorFlow.

    Args:
      workers: number of processes.
      initialize: called in each process before its first task; a function of a module.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, _initialize_worker, (initialize,))


def _initialize_worker(initialize: Callable[[], None] | None) -> None:
    """Ignore SIGINT, which the parent handles, and exit when the parent process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with, args=(parent,), daemon=True).start()
    if initialize:
        initialize()


def _exit_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
