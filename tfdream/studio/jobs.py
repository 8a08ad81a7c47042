"""The queue of jobs: one at a time, in a process of its own, with previews and two ways to stop."""

import contextlib
import multiprocessing
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

from tfdream.errors import TfdreamError
from tfdream.io import processes, system_errors
from tfdream.studio.events import Event, Failed, Finished, Preview, Step
from tfdream.studio.history import Entry, History
from tfdream.studio.job import Job

_JOBS_PER_PROCESS = 10
"""Graphs of TensorFlow leave some memory behind; a new process releases it."""
_GRACE_SECONDS = 5.0
"""Time that a cancelled job has to end by itself."""
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Request:
    """A job for the worker: choices, output folders and previews.

    Attributes:
      job: the choices.
      folder: folder of the output.
      previews: folder of the previews.
      preview_every: number of steps from one preview to the next; 0 makes none.
      report_of: result of a finished job whose report page is written instead.
    """

    job: Job
    folder: Path
    previews: Path
    preview_every: int = 0
    report_of: dict[str, Any] | None = None

    @property
    def output(self) -> Path:
        """The audio file, or for a task without one, what its presentations are named after."""
        return self.folder / self.job.output_name


def serve(
    request: Request, send: Callable[[Event], None], stop_requested: Callable[[], bool]
) -> None:
    """Carry out a request and send its events; the last one is `Finished` or `Failed`."""
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
            result = work.carry_out(request.job, request.output, progress, previews.preview)
    except TfdreamError as error:
        send(Failed(str(error)))
    except system_errors.system_errors() as error:
        send(Failed(system_errors.describe(error)))
    else:
        send(Finished(result))


class Worker(Protocol):
    """Carries out requests, one at a time."""

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
        self._lock = threading.Lock()

    def start(self) -> Connection:
        """Start the process, unless it runs; it imports TensorFlow before the first request."""
        with self._lock:
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

    def run(self, request: Request) -> Iterator[Event]:
        self._stop.clear()
        self._deadline = None
        connection = self.start()
        try:
            connection.send(request)
            while True:
                if connection.poll(_POLL_SECONDS):
                    event: Event = connection.recv()
                    yield event
                    if isinstance(event, Finished | Failed):
                        break
                elif self._deadline is not None and time.monotonic() > self._deadline:
                    self.close()
                    yield Failed("")
                    break
        except (EOFError, OSError):
            self.close()
            yield Failed("the process of the job ended unexpectedly; the memory may be too small")
        self._served += 1
        if self._served >= _JOBS_PER_PROCESS:
            self.close()
        self.start()

    def stop(self, keep: bool) -> None:
        self._stop.set()
        if not keep:
            self._deadline = time.monotonic() + _GRACE_SECONDS

    def close(self) -> None:
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._connection = self._process = None


def _serve_all(connection: Connection, stop: Any) -> None:
    """Serve requests until the connection is closed."""
    # Slow imports, such as TensorFlow, are finished while the user chooses.
    import tfdream.studio.previews
    import tfdream.studio.work  # noqa: F401

    with contextlib.suppress(EOFError, OSError):
        while True:
            serve(connection.recv(), connection.send, stop.is_set)


@dataclass(frozen=True)
class Status:
    """The state of the queue.

    Attributes:
      running: the running job; None if there is none.
      waiting: number of jobs that wait.
      step: its last progress.
      preview: its last preview.
      finished: names of the entries that were finished since the queue was empty, in order.
      message: error of the last job that failed.
      started: time of the start in seconds, of `time.monotonic`.
    """

    running: Job | None = None
    waiting: int = 0
    step: Step | None = None
    preview: Preview | None = None
    finished: tuple[str, ...] = ()
    message: str = ""
    started: float = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether no job is running or waiting."""
        return self.running is None and not self.waiting


class JobQueue:
    """Carries out jobs one after the other, in the order of their submission.

    Args:
      history: receives the finished jobs.
      worker: carries out single jobs.
    """

    def __init__(self, history: History, worker: Worker) -> None:
        self.history = history
        self.worker = worker
        self._status = Status()
        self._waiting: deque[tuple[Job, int]] = deque()
        self._changed = threading.Condition()
        self._cancelled = self._closed = False
        self._running = threading.Lock()
        self._previews = tempfile.TemporaryDirectory(prefix="tfdream-previews-")
        threading.Thread(target=self._work, daemon=True).start()

    @property
    def status(self) -> Status:
        """The current state."""
        return self._status

    def submit(self, jobs: list[Job], preview_every: int = 0) -> None:
        """Add jobs to the queue.

        Raises:
          ConfigError, ModelError: if a choice is missing or a setting is invalid.
        """
        for job in jobs:
            job.check()
        with self._changed:
            self._waiting.extend((job, preview_every) for job in jobs)
            fresh = {"finished": (), "message": ""} if self._status.running is None else {}
            self._update(waiting=len(self._waiting), **fresh)

    def stop(self, keep: bool) -> None:
        """Stop the running job and remove the waiting ones.

        Args:
          keep: write what is finished; otherwise nothing of the running job remains.
        """
        with self._changed:
            self._waiting.clear()
            self._update(waiting=0)
            if self._status.running is not None:
                self._cancelled = not keep
                self.worker.stop(keep)

    def report(self, entry: Entry) -> Path:
        """Write the report page of a finished job, unless it exists, and return its path.

        Waits for the running job.

        Raises:
          TfdreamError: if the report cannot be made.
        """
        with self._running:
            if entry.report_path.is_file():
                return entry.report_path
            request = Request(
                entry.job, entry.folder, Path(self._previews.name), report_of=dict(entry.result)
            )
            for event in self.worker.run(request):
                if isinstance(event, Failed):
                    raise TfdreamError(event.message)
        return entry.report_path

    def watch(self, seconds: float = 0.3) -> Iterator[Status]:
        """Yield the state after every change until the queue is empty.

        Args:
          seconds: least time from one state to the next.
        """
        status = None
        while True:
            with self._changed:
                if self._status is status:
                    self._changed.wait(timeout=1.0)  # the shown time goes on
                status = self._status
            yield status
            if status.is_idle:
                return
            time.sleep(seconds)

    def close(self) -> None:
        """Cancel everything and release the worker."""
        self.stop(keep=False)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.worker.close()
        self._previews.cleanup()

    def _update(self, **changes: Any) -> None:
        """Change the state; the lock must be held."""
        self._status = replace(self._status, **changes)
        self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
            with self._running:
                self._next()

    def _next(self) -> None:
        with self._changed:
            if not self._waiting:
                return
            job, preview_every = self._waiting.popleft()
            self._cancelled = False
            self._update(
                running=job,
                waiting=len(self._waiting),
                step=None,
                preview=None,
                started=time.monotonic(),
            )
        folder = self.history.reserve(job)
        request = Request(job, folder, Path(self._previews.name), preview_every)
        for event in self.worker.run(request):
            self._handle(event, folder, job)

    def _handle(self, event: Event, folder: Path, job: Job) -> None:
        with self._changed:
            if isinstance(event, Step):
                self._update(step=event)
            elif isinstance(event, Preview):
                self._update(preview=event)
            else:
                self._update(running=None, step=None, preview=None, **self._end(event, folder, job))

    def _end(self, event: Finished | Failed, folder: Path, job: Job) -> dict[str, Any]:
        """Store or discard what a job wrote, and return the changes of the state."""
        if isinstance(event, Finished) and not self._cancelled:
            entry = self.history.add(folder, job, event.result)
            return {"finished": (*self._status.finished, entry.name)}
        self.history.discard(folder)
        if isinstance(event, Failed) and not self._cancelled:
            return {"message": event.message}
        return {"message": ""}
