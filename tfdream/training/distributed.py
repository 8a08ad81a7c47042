"""Which processes train a network together: this one, or one on each of several machines."""

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
from typing import Literal

import numpy as np
import tensorflow as tf

from tfdream.datasets.partition import ReplicaSlice
from tfdream.datasets.service import Service, check_address, new_job
from tfdream.errors import ClusterError, ConfigError, TfdreamError
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
    """Which machines take part in a training.

    Attributes:
      strategy: ``auto`` for all devices of this one; ``multiworker`` for all of TF_CONFIG.
      data_service: the address of a dispatcher whose workers make the batches.
    """

    strategy: Literal["auto", "multiworker"] = "auto"
    data_service: str | None = None

    def refuse_service(self) -> None:
        """Raise ConfigError if a data service is named, where nothing is made for it."""
        if self.data_service is not None:
            raise ConfigError("--data-service makes batches for classifiers alone; leave it out")

    @contextmanager
    def joined(self, run_folder: Path) -> Iterator["Workers"]:
        """Wait for the other machines, if there are any; call it before TensorFlow does anything.

        Args:
          run_folder: where the chief writes.

        Raises:
          ConfigError: if TF_CONFIG or the address of the data service is none.
          ClusterError: if another machine ends before this one does.
        """
        if self.data_service is not None:
            check_address(self.data_service)
        index, count = (0, 1) if self.strategy == "auto" else _read_cluster()
        if count == 1:
            yield Workers(timed_model.strategy(), index, count, run_folder, self.data_service)
            return
        logger.info("worker %d of %d: waiting for the others", index + 1, count)
        with tempfile.TemporaryDirectory() as temporary:
            # TensorFlow wants every worker to save; one folder is enough for people.
            folder = run_folder if index == 0 else Path(temporary) / "run"
            try:
                with _interruptible_at_once():
                    strategy = tf.distribute.MultiWorkerMirroredStrategy()
                workers = Workers(strategy, index, count, folder, self.data_service)
                yield workers
                workers.broadcast(b"")  # who ends first would be missed
            except _LOST as error:
                # Before it TensorFlow names an operation, after it the same in other words.
                reason = error.message.rpartition("}} ")[2].splitlines()[0].partition(". ")[0]
                raise ClusterError(
                    "another worker ended or cannot be reached; start the same command on every "
                    "machine again, and training goes on after the last finished epoch "
                    f"(TensorFlow says: {reason})"
                ) from None


SINGLE_MACHINE = ClusterConfig()


class Workers:
    """The processes that train one network together: mostly, this one alone.

    Args:
      strategy: how they share variables and gradients.
      index: of this one; the chief's is 0.
      count: of all.
      folder: where this one writes its run; for all but the chief it ends with the training.
      data_service: the address of a dispatcher whose workers make the batches.
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
        """Whether this one writes what stays."""
        return self.index == 0

    @property
    def devices(self) -> int:
        """Of all of them together."""
        return int(self.strategy.num_replicas_in_sync)

    @property
    def portion(self) -> ReplicaSlice:
        """What this one takes of every batch."""
        return ReplicaSlice(self.index, self.count)

    def service(self) -> Service | None:
        """What makes the batches instead; all workers have to ask at the same time."""
        if self.data_service is None:
            return None
        return Service(self.data_service, self.broadcast(new_job().encode()).decode())

    def distribute(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """This one's portions of batches, as what `fit` takes."""
        if self.count == 1:
            return batches
        own_devices = self.devices // self.count
        if own_devices > 1:
            size = tf.nest.flatten(batches.element_spec)[0].shape[0]
            batches = batches.rebatch(size // own_devices)
        return self.strategy.distribute_datasets_from_function(lambda _: batches)

    def check_batch_size(self, clips: int) -> None:
        """See that every device gets the same share of a batch.

        Raises:
          ConfigError: if not; TensorFlow cannot add up gradients of shares that differ.
        """
        timed_model.check_batch_size(clips, self.devices)

    def broadcast(self, content: bytes) -> bytes:
        """What the chief gives, for every worker; what the others give does not matter."""
        if self.count == 1:
            return content
        size = int(self._sum(np.array(len(content) if self.is_chief else 0, np.int64)))
        if not size:
            return b""  # TensorFlow crashes at the sum of nothing
        padded = np.zeros(-(-size // 4) * 4, np.uint8)
        if self.is_chief:
            padded[:size] = np.frombuffer(content, np.uint8)
        return bytes(self._sum(padded.view(np.int32)).tobytes()[:size])

    def agree(self, check: Callable[[], None]) -> None:
        """Let the chief check something, and all fail with what it finds.

        Raises:
          TfdreamError: of the kind that the check raised, or a ClusterError for the others.
        """
        error: TfdreamError | None = None
        if self.is_chief:
            try:
                check()
            except TfdreamError as found:
                error = found
        told = self.broadcast(str(error or "").encode()).decode()
        if error is not None:
            raise error
        if told:
            raise ClusterError(f"the chief says: {told}")

    def check_same(self, settings: str) -> None:
        """See that all workers were started alike.

        Raises:
          ClusterError: on those whose settings are not the chief's.
        """
        if self.broadcast(settings.encode()).decode() != settings:
            raise ClusterError(
                "this worker's settings or dataset are not the chief's; start the same command on "
                "every machine, with the same dataset"
            )

    def broadcast_file(self, path: Path) -> None:
        """Put the chief's file at this path, or none if it has none."""
        own = path.read_bytes() if self.is_chief and path.is_file() else b""
        content = self.broadcast(own)
        if content and not self.is_chief:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def _sum(self, values: np.ndarray) -> np.ndarray:
        """Of what all give."""
        total: np.ndarray = self.strategy.reduce("SUM", tf.constant(values), axis=None).numpy()
        return total


@contextmanager
def _interruptible_at_once() -> Iterator[None]:
    """Let Ctrl-C end the process while TensorFlow waits, and does not let Python hear of it."""
    if threading.current_thread() is not threading.main_thread():  # which alone hears signals
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _read_cluster() -> tuple[int, int]:
    """The number of this worker and of all, of TF_CONFIG."""
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        chiefs, workers = cluster.get("chief", []), cluster.get("worker", [])
        before = {"chief": [], "worker": chiefs}[task["type"]]
        own = {"chief": chiefs, "worker": workers}[task["type"]]
        index = int(task["index"])
        known = len(own) > index >= 0
    except (ValueError, KeyError, TypeError, AttributeError):
        known = False
    if not known:
        raise ConfigError(
            f"the environment variable TF_CONFIG is {text!r}, which --strategy multiworker cannot "
            f"use; on the first machine it is something like {_EXAMPLE}"
        )
    return len(before) + index, len(chiefs) + len(workers)
