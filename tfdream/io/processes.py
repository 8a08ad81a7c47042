"""Spawned processes that ignore SIGINT and exit with their parent: pools, and single calls."""

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from typing import Any, Concatenate, ParamSpec, TypeVar

from tfdream.io.imports import shorten_imports
from tfdream.io.progress import ProgressFn, no_progress

P = ParamSpec("P")
T = TypeVar("T")


class ProcessEndedError(RuntimeError):
    """Raised when a process ends without a result: it was killed, or memory ran out."""


class _Process(SpawnProcess):
    """A process that starts with SIGINT blocked, which would interrupt it with a traceback."""

    def start(self) -> None:
        if not hasattr(signal, "pthread_sigmask"):
            super().start()
            return
        earlier = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            super().start()
        finally:  # a signal that arrived in between is handled here
            signal.pthread_sigmask(signal.SIG_SETMASK, earlier)


class _Context(SpawnContext):
    Process = _Process


_CONTEXT = _Context()


def pool(workers: int, initialize: Callable[[], None] | None = None) -> ProcessPoolExecutor:
    """Return a pool of spawned processes.

    Processes are spawned, because forking a process that runs TensorFlow's threads may deadlock.
    They start fast if the submitted functions do not import TensorFlow.

    Args:
      workers: number of processes.
      initialize: called in each process before its first task; a function of a module.
    """
    return ProcessPoolExecutor(workers, _CONTEXT, _initialize_worker, (initialize,))


def spawn(target: Callable[..., None], *arguments: object, daemon: bool = True) -> BaseProcess:
    """Start a function in a spawned process.

    Args:
      target: a function of a module.
      *arguments: its arguments, which must be picklable.
      daemon: whether Python terminates the process when this one exits; it then cannot start
        processes. Otherwise the caller terminates it.
    """
    process = _CONTEXT.Process(target=_run, args=(target, arguments), daemon=daemon)
    process.start()
    return process


def _run(target: Callable[..., None], arguments: tuple[object, ...]) -> None:
    _initialize_worker(None)
    target(*arguments)


def _initialize_worker(initialize: Callable[[], None] | None) -> None:
    """Ignore SIGINT, which the parent handles, and exit when the parent process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    shorten_imports()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with, args=(parent,), daemon=True).start()
    if initialize:
        initialize()


def _exit_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def call_apart(
    function: Callable[Concatenate[ProgressFn, P], T],
    progress: ProgressFn = no_progress,
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Call a function in a spawned process, whose memory is free afterwards.

    Records of the package's loggers are handled here. An exception here, such as KeyboardInterrupt,
    ends the process.

    Args:
      function: a function of a module. Its first argument receives the progress; its return value
        there has no effect.
      progress: receives what the function reports.
      *args: further arguments of the function, which can be pickled, as its result can.
      **kwargs: likewise.

    Raises:
      Exception: what the function raises.
      ProcessEndedError: if the process ends without a result: it was killed, or memory ran out.
    """
    receiver, sender = _CONTEXT.Pipe(duplex=False)
    # Not a daemon, because the function may use a pool: librosa's features are computed in one.
    process = spawn(_call, sender, function, args, kwargs, daemon=False)
    sender.close()
    try:
        while True:
            try:
                kind, content = receiver.recv()
            except EOFError:
                process.join()
                raise ProcessEndedError(
                    f"the process ended with status {process.exitcode}"
                ) from None
            if kind == "progress":
                progress(*content[0], **content[1])
            elif kind == "log":
                logging.getLogger(content.name).handle(content)
            elif kind == "error":
                raise content
            else:
                result: T = content
                return result
    finally:
        process.terminate()
        process.join()
        receiver.close()


def _call(
    sender: Connection, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    logger = logging.getLogger("tfdream")
    logger.setLevel(logging.INFO)
    logger.addHandler(_Sender(sender))

    def report(*values: Any, **named: Any) -> bool:
        sender.send(("progress", (values, named)))
        return False

    try:
        sender.send(("result", function(report, *args, **kwargs)))
    except Exception as error:
        sender.send(("error", error))
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123, the parent reports the error
        raise


class _Sender(logging.Handler):
    """Sends log records, as text without arguments, which may not be picklable."""

    def __init__(self, sender: Connection) -> None:
        super().__init__()
        self.sender = sender

    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args, record.exc_info = record.getMessage(), None, None
        self.sender.send(("log", record))
