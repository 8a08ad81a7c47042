"""Processes that train a network together: this one, or one on each of several machines."""

import json
import logging
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream.datasets.partition import ReplicaSlice
from tfdream.datasets.service import Service, check_address, new_job
from tfdream.errors import (
    ClusterError,
    ConfigError,
    TfdreamError,
    one_line,
    without_node_name,
)
from tfdream.io.library_logs import without_native_logs
from tfdream.training import timed_model

logger = logging.getLogger(__name__)

_EXAMPLE = (
    '\'{"cluster": {"worker": ["host1:4000", "host2:4000"]}, '
    '"task": {"type": "worker", "index": 0}}\''
)
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
)


@dataclass(frozen=True)
class ClusterConfig:
    """Machines that train together.

    Attributes:
      strategy: ``auto`` for all devices of this machine; ``multiworker`` for all machines in
        TF_CONFIG.
      data_service: address of a dispatcher whose workers compute the batches.
    """

    strategy: Literal["auto", "multiworker"] = "auto"
    data_service: str | None = None

    @contextmanager
    def joined(self, run_folder: Path) -> Iterator["Workers"]:
        """Connect to the other machines; call it before any other use of TensorFlow.

        Args:
          run_folder: run folder of worker 0.

        Raises:
          ConfigError: if TF_CONFIG or the address of the data service is invalid.
          ClusterError: if another machine stops before this one.
        """
        if self.data_service is not None:
            check_address(self.data_service)
        index, count = (0, 1) if self.strategy == "auto" else _read_cluster()
        if count == 1:
            yield Workers(timed_model.strategy(), index, count, run_folder, self.data_service)
            return
        logger.info("worker %d of %d: connecting to the others", index + 1, count)
        with tempfile.TemporaryDirectory() as temporary:
            # TensorFlow requires that every worker saves; only worker 0's folder remains.
            folder = run_folder if index == 0 else Path(temporary) / "run"
            try:
                workers = Workers(_connect(), index, count, folder, self.data_service)
                yield workers
                workers.broadcast(b"")  # a worker that exits first would count as lost
            except _LOST as error:
                # The message starts with an operation's name and ends with a repetition.
                reason = without_node_name(error.message).splitlines()[0].partition(". ")[0]
                raise ClusterError(
                    "another worker stopped or cannot be reached; start the same command on every "
                    "machine again, and training continues after the last finished epoch "
                    f"(TensorFlow: {reason})"
                ) from None


SINGLE_MACHINE = ClusterConfig()


class Workers:
    """The processes that train one network together; usually this one alone.

    Args:
      strategy: TensorFlow's distribution strategy.
      index: index of this process.
      count: number of processes.
      folder: run folder of this process; temporary for all but worker 0.
      data_service: address of a dispatcher whose workers compute the batches.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        index: int,
        count: int,
        folder: Path,
        data_service: str | None,
    ) -> None:
        self.strategy = strategy
        self.index = index
        self.count = count
        self.folder = folder
        self.data_service = data_service

    @property
    def is_chief(self) -> bool:
        """Whether this process is worker 0, which writes the run."""
        return self.index == 0

    @property
    def devices(self) -> int:
        """Number of devices of all processes."""
        return int(self.strategy.num_replicas_in_sync)

    @property
    def replica_slice(self) -> ReplicaSlice:
        """The slice of each batch that this process computes."""
        return ReplicaSlice(self.index, self.count)

    def service(self) -> Service | None:
        """Return the data service, if there is one; all workers must call it at the same time."""
        if self.data_service is None:
            return None
        return Service(self.data_service, self.broadcast(new_job().encode()).decode())

    def distribute(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Convert this process's slices of the batches to the input of `fit`."""
        if self.count == 1:
            return batches
        local_devices = self.devices // self.count
        if local_devices > 1:
            size = tf.nest.flatten(batches.element_spec)[0].shape[0]
            batches = batches.rebatch(size // local_devices)
        return self.strategy.distribute_datasets_from_function(lambda _: batches)

    def check_batch_size(self, clips: int) -> None:
        """Check that a batch splits equally over all devices.

        Raises:
          ConfigError: if it does not; TensorFlow cannot add gradients of unequal slices.
        """
        timed_model.check_batch_size(clips, self.devices)

    def broadcast(self, content: bytes) -> bytes:
        """Return worker 0's argument on every worker."""
        if self.count == 1:
            return content
        size = int(self._sum(np.array(len(content) if self.is_chief else 0, np.int64)))
        if not size:
            return b""  # TensorFlow crashes when it reduces an empty tensor
        padded = np.zeros(-(-size // 4) * 4, np.uint8)
        if self.is_chief:
            padded[:size] = np.frombuffer(content, np.uint8)
        return bytes(self._sum(padded.view(np.int32)).tobytes()[:size])

    def agree(self, check: Callable[[], None]) -> None:
        """Run a check on worker 0, and raise its error on every worker.

        Raises:
          TfdreamError: the error of the check on worker 0, a ClusterError on the others.
        """
        error: TfdreamError | None = None
        if self.is_chief:
            try:
                check()
            except TfdreamError as raised:
                error = raised
        message = self.broadcast(str(error or "").encode()).decode()
        if error is not None:
            raise error
        if message:
            raise ClusterError(f"worker 0 failed: {message}")

    def check_same(self, settings: str) -> None:
        """Check that all workers have the same settings.

        Raises:
          ClusterError: on workers whose settings differ from worker 0's.
        """
        if self.broadcast(settings.encode()).decode() != settings:
            raise ClusterError(
                "this worker's settings or dataset differ from worker 0's; start the same command "
                "on every machine, with the same dataset"
            )

    def broadcast_file(self, path: Path) -> None:
        """Copy worker 0's file at this path to every worker, if it exists."""
        own = path.read_bytes() if self.is_chief and path.is_file() else b""
        content = self.broadcast(own)
        if content and not self.is_chief:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def _sum(self, values: NDArray[Any]) -> NDArray[Any]:
        """Sum an array over all workers."""
        total: NDArray[Any] = self.strategy.reduce("SUM", tf.constant(values), axis=None).numpy()
        return total


def _connect() -> tf.distribute.Strategy:
    """Return the strategy of this process and the others when all are connected."""
    try:
        with _interruptible_at_once(), without_native_logs():
            return tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.UnknownError as error:
        raise ClusterError(
            "this worker cannot open its own address in TF_CONFIG; use a free port "
            f"(TensorFlow: {one_line(error)})"
        ) from None


@contextmanager
def _interruptible_at_once() -> Iterator[None]:
    """Let Ctrl-C end the process at once while TensorFlow holds Python's lock.

    TensorFlow replaces the handler of SIGTERM when it connects; both handlers are restored.
    """
    if threading.current_thread() is not threading.main_thread():  # only it receives signals
        yield
        return
    handlers = {
        number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _read_cluster() -> tuple[int, int]:
    """Return this worker's index and the number of workers from TF_CONFIG."""
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        chiefs, workers = cluster.get("chief", []), cluster.get("worker", [])
        before = {"chief": [], "worker": chiefs}[task["type"]]
        own = {"chief": chiefs, "worker": workers}[task["type"]]
        index = int(task["index"])
        valid = len(own) > index >= 0
    except (ValueError, KeyError, TypeError, AttributeError):
        valid = False
    if not valid:
        raise ConfigError(
            f"the environment variable TF_CONFIG is {text!r}, which --strategy multiworker cannot "
            f"use; on the first machine it is something like {_EXAMPLE}"
        )
    return len(before) + index, len(chiefs) + len(workers)
