"""The worker of the queue carries out single jobs in a process of its own; it can stop them."""

import contextlib
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

from tfdream.errors import TfdreamError, one_line
from tfdream.io import processes, system_errors
from tfdream.io.library_logs import silence_libraries
from tfdream.studio.events import Event, Failed, Finished, Step, Written
from tfdream.studio.job import Job

_JOBS_PER_PROCESS = 10
"""Graphs of TensorFlow leave some memory behind; a new process releases it."""
_GRACE_SECONDS = 5.0
"""Time that a cancelled job has to end by itself, or a process to print its traceback."""
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Request:
    """A job for the worker: choices, output and previews.

    Attributes:
      job: the choices.
      output: the audio file, or for a task without one, what its presentations are named after.
      previews: folder of the previews.
      preview_every: number of steps from one preview to the next; 0 makes none.
      report_of: result of a finished job whose report page is written instead.
    """

    job: Job
    output: Path
    previews: Path
    preview_every: int = 0
    report_of: dict[str, Any] | None = None


def serve(
    request: Request, send: Callable[[Event], None], stop_requested: Callable[[], bool]
) -> None:
    """Carry out a request and send its events; the last one is `Finished` or `Failed`.

    An exception that is no error of the user is raised again after the last event. `Failed` after
    `Written` means that a presentation could not be made.
    """
    from tfdream.studio import work
    from tfdream.studio.previews import Previews

    def progress(done: int, total: int, value: float = float("nan"), note: str = "") -> bool:
        send(Step(done, total, value))
        return stop_requested()

    previews = Previews(request.previews, request.preview_every, send)
    try:
        if request.report_of is not None:
            work.present(request.job, request.report_of, request.output, ["report"])
            result = request.report_of
        else:
            job, output = request.job, request.output
            result = work.carry_out(
                job, output, progress, previews.preview, lambda result: send(Written(result))
            )
    except TfdreamError as error:
        send(Failed(str(error)))
    except system_errors.system_errors() as error:
        send(Failed(system_errors.describe(error)))
    except Exception as error:
        send(Failed(f"{type(error).__name__}: {one_line(error)}", ends_process=True))
        raise
    else:
        send(Finished(result))


class Worker(Protocol):
    """Carries out requests, one at a time."""

    def reset(self) -> None:
        """Discard an earlier `stop`, before the next request is announced."""

    def run(self, request: Request) -> Iterator[Event]:
        """Yield the events of a request; the last one is `Finished` or `Failed`."""

    def stop(self, keep: bool) -> None:
        """Stop the running request.

        Args:
          keep: write what is finished; otherwise the request ends soon, whatever it does.
        """

    def close(self) -> None:
        """Release everything."""


class ProcessWorker:
    """A spawned process that carries out requests; it is replaced after ten of them."""

    def __init__(self) -> None:
        self._stop = multiprocessing.get_context("spawn").Event()
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._served = 0
        self._deadline: float | None = None
        self._is_closed = False
        self._lock = threading.Lock()

    def start(self) -> Connection | None:
        """Start the process, unless it runs; it imports TensorFlow before the first request.

        Returns:
          The connection to it; None after `close`.
        """
        with self._lock:
            if self._is_closed:
                return None
            if self._connection is None or self._process is None or not self._process.is_alive():
                self._end()
                ours, theirs = multiprocessing.get_context("spawn").Pipe()
                self._process = processes.spawn(_serve_all, theirs, self._stop)
                theirs.close()
                self._connection, self._served = ours, 0
            return self._connection

    @property
    def pid(self) -> int | None:
        """Identifier of the process."""
        return self._process.pid if self._process else None

    def reset(self) -> None:
        self._stop.clear()
        self._deadline = None

    def run(self, request: Request) -> Iterator[Event]:
        connection = self.start()
        if connection is None:
            yield Failed("")
            return
        try:
            connection.send(request)
            while True:
                if connection.poll(_POLL_SECONDS):
                    event: Event = connection.recv()
                    yield event
                    if isinstance(event, Failed) and event.ends_process:
                        self._kill(_GRACE_SECONDS)
                    if isinstance(event, Finished | Failed):
                        break
                elif self._deadline is not None and time.monotonic() > self._deadline:
                    self._kill()
                    yield Failed("")
                    break
        except (EOFError, OSError):
            self._kill()
            yield Failed("the process of the job ended unexpectedly; the memory may be too small")
        self._served += 1
        if self._served >= _JOBS_PER_PROCESS:
            self._kill()
        self.start()

    def stop(self, keep: bool) -> None:
        self._stop.set()
        if not keep:
            self._deadline = time.monotonic() + _GRACE_SECONDS

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            self._end()

    def _kill(self, grace_seconds: float = 0.0) -> None:
        with self._lock:
            self._end(grace_seconds)

    def _end(self, grace_seconds: float = 0.0) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.join(grace_seconds)
            self._process.kill()
            self._process.join()
        self._connection = self._process = None


def _serve_all(connection: Connection, stop: Any) -> None:
    """Serve requests until the connection is closed."""
    silence_libraries()
    # Slow imports, such as TensorFlow, are finished while the user chooses.
    import tfdream.studio.previews
    import tfdream.studio.work  # noqa: F401

    with contextlib.suppress(EOFError, OSError):
        while True:
            serve(connection.recv(), connection.send, stop.is_set)
