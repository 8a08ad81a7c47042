"""Worker processes: started afresh, deaf to Ctrl-C, and gone when their parent is."""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.process import BaseProcess


def pool(workers: int) -> ProcessPoolExecutor:
    """A pool of processes; what they are sent is best free of TensorFlow, so that they start fast.

    They are spawned, because forking a process that runs TensorFlow's threads may deadlock.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, initializer=_serve_parent)


def _serve_parent() -> None:
    """Leave Ctrl-C to the parent process, and end when it is gone, however it went."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
