"""The queue of jobs: one at a time, with previews and two ways to stop."""

import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tfdream.errors import TfdreamError, one_line
from tfdream.io import system_errors
from tfdream.studio.events import Event, Failed, Finished, Preview, Step, Written
from tfdream.studio.history import Entry, History
from tfdream.studio.job import Job
from tfdream.studio.worker import Request, Worker

_PREVIEW_SECONDS = 60.0
"""Time for pages to copy the last preview of a job that ended."""


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
        self._written: dict[str, Any] | None = None
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
            fresh = {"finished": (), "message": ""} if self._status.is_idle else {}
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
            previews = Path(self._previews.name)
            request = Request(entry.job, entry.output_path, previews, report_of=dict(entry.result))
            self.worker.reset()
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
                job = threading.Thread(target=self._next, daemon=True)
                job.start()
                job.join()

    def _next(self) -> None:
        """Carry out the next job, in a thread of its own."""
        with self._changed:
            if not self._waiting:
                return
            job, preview_every = self._waiting.popleft()
            self._cancelled, self._written = False, None
            self.worker.reset()  # a stop from here on is for this job
            self._update(
                running=job,
                waiting=len(self._waiting),
                step=None,
                preview=None,
                started=time.monotonic(),
            )
        folder = previews = None
        try:
            folder = self.history.reserve(job)
            previews = Path(tempfile.mkdtemp(dir=self._previews.name))
            output = folder / job.output_name
            request = Request(job, output, previews, preview_every)
            for event in self.worker.run(request):
                self._handle(event, folder, job)
        except TfdreamError as error:
            self._fail(str(error), folder)
        except system_errors.system_errors() as error:
            self._fail(system_errors.describe(error), folder)
        except Exception as error:  # ends the thread of this job only
            self._fail(f"{type(error).__name__}: {one_line(error)}", folder)
            raise
        finally:
            if previews is not None:
                _remove_later(previews)

    def _fail(self, message: str, folder: Path | None) -> None:
        if folder is not None:
            self.history.discard(folder)
        with self._changed:
            self._update(running=None, step=None, preview=None, message=message)

    def _handle(self, event: Event, folder: Path, job: Job) -> None:
        with self._changed:
            if isinstance(event, Step):
                self._update(step=event)
            elif isinstance(event, Preview):
                self._update(preview=event)
            elif isinstance(event, Written):
                self._written = event.result
            else:
                self._update(running=None, step=None, preview=None, **self._end(event, folder, job))

    def _end(self, event: Finished | Failed, folder: Path, job: Job) -> dict[str, Any]:
        """Store or discard what a job wrote, and return the changes of the state."""
        if self._cancelled:
            result = None
        elif isinstance(event, Finished):
            result = event.result
        else:
            result = self._written and _with_note(self._written, event.message)
        if result is not None:
            try:
                entry = self.history.add(folder, job, result)
            except OSError as error:
                self.history.release(folder)
                reason = system_errors.describe(error)
                return {"message": f"{reason}; '{folder / job.output_name}' is complete"}
            return {"finished": (*self._status.finished, entry.name)}
        self.history.discard(folder)
        return {
            "message": event.message if isinstance(event, Failed) and not self._cancelled else ""
        }


def _remove_later(previews: Path) -> None:
    """Remove the previews of a job that ended; pages may still copy the last one."""
    timer = threading.Timer(_PREVIEW_SECONDS, shutil.rmtree, [previews], {"ignore_errors": True})
    timer.daemon = True
    timer.start()


def _with_note(result: dict[str, Any], reason: str) -> dict[str, Any]:
    """Return the complete result of a job with a note that its presentations are not."""
    note = f"video, figure or report page could not be made: {reason}"
    return {**result, "notes": [*result.get("notes", []), note]}
