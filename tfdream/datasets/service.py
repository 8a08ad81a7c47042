"""The tf.data service: other machines that make the batches that training takes.

A dispatcher knows the machines, each of which runs a worker. Every worker goes through the same
stream of batches, still encoded, and makes every n-th of them; who trains reads from all in turn.
So the batches are those that one process would make, in the same order.
"""

import logging
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow.data.experimental import service as tf_service

from tfdream.config import PrepareConfig
from tfdream.datasets import records
from tfdream.datasets.partition import ReplicaSlice
from tfdream.errors import ClusterError, ConfigError

logger = logging.getLogger(__name__)

_PATIENCE_SECONDS = 10
_LOST = "the data service lost a batch"
_REMEDY = (
    f"{_LOST}: one of its workers ended or was started again; start dispatcher and workers anew, "
    "then the training, which goes on after the last finished epoch"
)
# Batches that came before their turn: more, and one must be lost.
_MOST_WAITING = 64
_PREFIX = "grpc://"
_HINT = tf.data.experimental.SHARD_HINT
_EACH_ITS_OWN = tf_service.ShardingPolicy.HINT
# Tells how many workers there are: the distance of a worker's first two elements.
_PROBE = 1 << 16

Server = Any
"""`tf.data.experimental.service.DispatchServer` or `WorkerServer`."""


class Service(NamedTuple):
    """A running service.

    Attributes:
      address: of its dispatcher, as ``grpc://host:port``.
      job: the same for all processes that train together, and for no others.
    """

    address: str
    job: str

    def spread(
        self,
        batches: tf.data.Dataset,
        first_step: int,
        batch_size: int,
        make: Callable[[Any, tf.Tensor, ReplicaSlice], Any],
        portion: ReplicaSlice,
    ) -> tf.data.Dataset:
        """Have the batches of an endless stream made elsewhere.

        Args:
          batches: what is cheap to come by: every worker goes through all of it.
          first_step: the number of the first batch.
          batch_size: of them.
          make: makes of a part of a batch, the number of the step, and of which portion it is, what
            is wanted.
          portion: which parts this process reads.

        Returns:
          What was made of them, in the order of the batches.
        """
        self._await_workers()

        def parts(step: tf.Tensor, batch: Any) -> tf.data.Dataset:
            def cut(index: tf.Tensor) -> tuple[Any, ...]:
                return step, index, ReplicaSlice(index, portion.count).slice(batch, batch_size)

            return tf.data.Dataset.range(portion.count).map(cut)

        def finish(step: tf.Tensor, index: tf.Tensor, part: Any) -> tuple[tf.Tensor, Any]:
            return step, make(part, step, ReplicaSlice(index, portion.count))

        steps = tf.data.Dataset.counter(first_step)
        made = (
            tf.data.Dataset.zip(steps, batches)
            .shard(_HINT, _HINT)
            .flat_map(parts)
            .map(finish, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        )
        read = made.apply(
            tf_service.distribute(
                _EACH_ITS_OWN,
                self.address,
                self.job,
                consumer_index=portion.index,
                num_consumers=portion.count,
            )
        )

        return tf.data.Dataset.from_generator(
            lambda: _in_order(read, first_step), output_signature=read.element_spec[1]
        )

    def _await_workers(self) -> None:
        """Wait until all have joined: who comes later has no batches of its own."""
        logger.info("waiting for the workers of the data service")
        probe = tf.data.Dataset.range(_PROBE).shard(_HINT, _HINT).batch(2).take(1)
        seen: set[int] = set()
        for numbers in probe.apply(tf_service.distribute(_EACH_ITS_OWN, self.address)):
            first, second = numbers.numpy().tolist()
            seen.add(first)
            if len(seen) == second - first:
                break


def _in_order(read: tf.data.Dataset, first_step: int) -> Iterator[Any]:
    """What was made, by the number of its step.

    A worker makes its own batches in order and leaves none out, but the dispatcher may deal out
    more turns to one worker than to another at the beginning: what is early waits.

    Args:
      read: pairs of a step and what was made for it.
      first_step: the first one's number.
    """
    waiting: dict[int, Any] = {}
    expected = first_step
    for number, made in _until_lost(read):
        step = int(number)
        # A worker that was started again begins again; one that is gone is waited for in vain.
        if step < expected or step in waiting or len(waiting) > _MOST_WAITING:
            raise ClusterError(_REMEDY)
        waiting[step] = made
        while expected in waiting:
            yield waiting.pop(expected)
            expected += 1


def _until_lost(read: tf.data.Dataset) -> Iterator[Any]:
    try:
        yield from read
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError):
        raise ClusterError(_REMEDY) from None


@contextmanager
def report_lost_batches() -> Iterator[None]:
    """Tell of a worker that died while its batches were read, in one line.

    Raises:
      ClusterError: if one did.
    """
    try:
        yield
    except tf.errors.OpError as error:
        # TensorFlow passes on what a generator raised as the last lines of a page.
        line = next((one for one in error.message.splitlines() if _LOST in one), None)
        if line is None:
            raise
        raise ClusterError(line[line.index(_LOST) :]) from None


def new_job() -> str:
    """A name that no other job has."""
    return uuid.uuid4().hex


def start_dispatcher(port: int, workers: list[str]) -> Server:
    """Start the process that knows the workers.

    Args:
      port: that it listens on; 0 takes any that is free.
      workers: the machine of each worker that will join, as often as there are workers on it.

    Returns:
      A server; its `target` is the address.

    Raises:
      ConfigError: if the port is taken.
    """
    addresses = [worker if ":" in worker else f"{worker}:%port%" for worker in workers]
    config = tf_service.DispatcherConfig(port=port, worker_addresses=addresses)
    return _started(lambda: tf_service.DispatchServer(config), port)


def start_worker(dispatcher: str, host: str, port: int) -> Server:
    """Start a process that makes batches.

    Args:
      dispatcher: its address, as ``grpc://host:port``.
      host: as those who train reach this machine, and as the dispatcher knows it.
      port: that it listens on; 0 takes any that is free.

    Raises:
      ConfigError: if the port is taken.
    """
    address = check_address(dispatcher).removeprefix(_PREFIX)
    _load_decoders()
    config = tf_service.WorkerConfig(address, f"{host}:%port%", port)
    return _started(lambda: tf_service.WorkerServer(config), port)


def check_address(address: str) -> str:
    """A dispatcher's address, if one answers there.

    Raises:
      ConfigError: if it does not look like one.
      ClusterError: if nobody answers, for which TensorFlow would wait.
    """
    host, _, port = address.removeprefix(_PREFIX).rpartition(":")
    if not address.startswith(_PREFIX) or not host or not port.isdecimal():
        raise ConfigError(
            f"'{address}' is not the address of a dispatcher; give one like grpc://host:5050, as "
            "tfdream data-worker --dispatcher prints it"
        )
    try:
        socket.create_connection((host, int(port)), _PATIENCE_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"no dispatcher answers at '{address}' ({error}); start one with tfdream data-worker "
            "--dispatcher"
        ) from None
    return address


def _started(start: Callable[[], Server], port: int) -> Server:
    try:
        return start()
    except (tf.errors.OpError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"port {port} cannot be used ({reason}); choose another --port") from None


def _load_decoders() -> None:
    """Load tensorflow-io's operations, if it is here: graphs from elsewhere may use them."""
    flac = PrepareConfig(codec="flac")
    if not records.decodes(flac.codec):
        return
    # Its library is loaded when one of them is first put into a graph.
    tf.function(lambda encoded: records.decode(encoded, flac)).get_concrete_function(
        tf.TensorSpec([], tf.string)
    )
