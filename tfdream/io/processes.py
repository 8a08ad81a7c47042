"""Spawned worker processes that ignore SIGINT and exit with their parent."""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.process import BaseProcess


def pool(workers: int) -> ProcessPoolExecutor:
    """Return a pool of spawned processes.

    Processes are spawned, because forking a process that runs TensorFlow's threads may deadlock.
    They start fast if the submitted functions do not import TensorFlow.

    Args:
      workers: number of processes.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, initializer=_initialize_worker)


def _initialize_worker() -> None:
    """Ignore SIGINT, which the parent handles, and exit when the parent process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with, args=(parent,), daemon=True).start()


def _exit_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
