"""Worker processes of `prepare`: a function of each track, whatever crashes on a damaged file."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import TypeVar

from tfdream.audio.decoders import isolation
from tfdream.config import PrepareConfig
from tfdream.datasets.sources.tracks import Skipped, Track
from tfdream.errors import DatasetError
from tfdream.io import processes

Result = TypeVar("Result")
Work = Callable[[Track, PrepareConfig], Result]
Submitted = deque[tuple[Track, Future[Result]]]
"""Tracks with their results, in order."""


class Workers:
    """Processes that apply functions to tracks, from the first call of `map` to the end of a block.

    They take a second to start: `start` lets them do so while the caller imports TensorFlow.

    A file that crashes or blocks the decoder and its process is skipped like any other damaged
    file: each unfinished track is then processed alone, and the remaining ones in new processes.
    With one worker, the functions run in this process, which decodes in another one.

    Args:
      count: number of processes; by default one per processor.
    """

    def __init__(self, count: int | None = None) -> None:
        self.count = count or os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def start(self) -> None:
        """Start the processes, if there are several, without waiting for them."""
        if self.count > 1:
            self._started()

    def map(
        self, work: Work[Result], tracks: Sequence[Track], config: PrepareConfig
    ) -> Iterator[Result | Skipped]:
        """Apply a function of a module to each track, and yield the results in order.

        Raises:
          DatasetError: if processes cannot be started.
        """
        # More processes would take longer to start than they save.
        if min(self.count, len(tracks) // 2) <= 1:
            for track in tracks:
                yield work(track, config)
            return
        waiting = deque(tracks)
        while waiting:
            submitted: Submitted[Result] = deque()
            try:
                yield from self._map_in_pool(work, waiting, submitted, config)
            except BrokenProcessPool:
                self._end()
                for track, future in submitted:
                    is_finished = not future.cancelled() and future.exception() is None
                    yield future.result() if is_finished else _run_alone(work, track, config)

    def _map_in_pool(
        self,
        work: Work[Result],
        waiting: deque[Track],
        submitted: Submitted[Result],
        config: PrepareConfig,
    ) -> Iterator[Result]:
        """Move tracks from `waiting` to `submitted`, and from there yield their results in order.

        Raises:
          BrokenProcessPool: if a process ends; `submitted` then has the tracks without a result so
            far.
        """
        pool = self._started()
        while waiting or submitted:
            while waiting and len(submitted) <= 2 * self.count:
                submitted.append((waiting[0], pool.submit(work, waiting[0], config)))
                waiting.popleft()
            result = submitted[0][1].result()
            submitted.popleft()
            yield result

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = processes.pool(self.count, isolation.decode_here)
            for _ in range(self.count):
                self._pool.submit(os.getpid)
        return self._pool

    def _end(self) -> None:
        """End the processes; tracks that they have not begun are not processed."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


def _run_alone(work: Work[Result], track: Track, config: PrepareConfig) -> Result | Skipped:
    """Process a track in its own process, which the file may crash."""
    with processes.pool(1, isolation.decode_here) as pool:
        try:
            pool.submit(os.getpid).result()
        except BrokenProcessPool:
            raise DatasetError(
                "worker processes end as soon as they start; use workers=1, or, in a script, put "
                "the call under: if __name__ == '__main__'"
            ) from None
        try:
            return pool.submit(work, track, config).result()
        except BrokenProcessPool:
            return Skipped(track.name, "the decoder crashed on it or did not respond")
