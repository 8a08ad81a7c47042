"""The tf.data service: batches for training that are computed on other machines.

A dispatcher registers the machines, each of which runs a worker. Every worker iterates over the
same stream of encoded batches and computes every n-th of them; the trainers read from all workers
in turn. The batches and their order are therefore the same as in a single process.
"""

import logging
import re
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.data.experimental import service as tf_service

from tfdream.config import PrepareConfig
from tfdream.datasets import codecs, records
from tfdream.datasets.partition import ReplicaSlice
from tfdream.datasets.pipelines import PARALLEL
from tfdream.errors import ClusterError, ConfigError, one_line
from tfdream.io.signals import call_interruptibly

logger = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 10
_LOST = "the data service lost a batch"
_UNREACHABLE = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)
# Batches that arrived early, per worker; if there are more, an expected one must be lost.
_MAX_EARLY_BATCHES_PER_WORKER = 32
_PREFIX = "grpc://"
_PORT = ":%port%"
_NOT_LISTED = re.compile(
    r"Failed to assign an index for worker (\S+)\. Configured workers list: \[(.*)\]\."
)
_HINT = tf.data.experimental.SHARD_HINT
_SHARD_BY_HINT = tf_service.ShardingPolicy.HINT
# Elements to determine the number of workers: the difference of a worker's first two elements.
_PROBE = 1 << 16

Server = Any
"""`tf.data.experimental.service.DispatchServer` or `WorkerServer`."""
Compute = Callable[[Any, tf.Tensor, ReplicaSlice], Any]
"""Graph function: slice of a batch, number of its step, its place in the batch → result."""


@dataclass(frozen=True)
class Service:
    """A running data service.

    Attributes:
      address: address of its dispatcher, as ``grpc://host:port``.
      job: name that is equal for all processes of one training, and different for others.
    """

    address: str
    job: str

    def distribute(
        self,
        batches: tf.data.Dataset,
        first_step: int,
        batch_size: int,
        compute: Compute,
        replica_slice: ReplicaSlice,
    ) -> tf.data.Dataset:
        """Compute the batches of an endless stream on the workers.

        Args:
          batches: a stream that is cheap to produce; every worker iterates over all of it.
          first_step: number of the first batch.
          batch_size: size of each batch.
          compute: converts a slice of a batch to the result.
          replica_slice: the slices that this process reads.

        Returns:
          The results of `compute`, in the order of the batches.
        """
        logger.info("waiting for all workers of the data service at %s", self.address)
        workers = call_interruptibly(self._wait_for_workers)
        count = replica_slice.count

        def slices(step: tf.Tensor, batch: Any) -> tf.data.Dataset:
            def slice_batch(index: tf.Tensor) -> tuple[Any, ...]:
                return step, index, ReplicaSlice(index, count).slice(batch, batch_size)

            return tf.data.Dataset.range(count).map(slice_batch)

        def finish(step: tf.Tensor, index: tf.Tensor, sliced: Any) -> tuple[tf.Tensor, Any]:
            return step, compute(sliced, step, ReplicaSlice(index, count))

        steps = tf.data.Dataset.counter(first_step)
        results = (
            tf.data.Dataset.zip(steps, batches)
            .shard(_HINT, _HINT)
            .flat_map(slices)
            .map(finish, **PARALLEL)
        )
        received = results.apply(
            tf_service.distribute(
                _SHARD_BY_HINT,
                self.address,
                self.job,
                consumer_index=replica_slice.index,
                num_consumers=count,
            )
        )
        return _sort_by_step(received, first_step, workers)

    def _wait_for_workers(self) -> int:
        """Wait until all workers are registered: a worker that joins later gets no batches.

        Returns:
          The number of workers.
        """
        probe = tf.data.Dataset.range(_PROBE).shard(_HINT, _HINT).batch(2).take(1)
        indices: set[int] = set()
        workers = 0
        for numbers in probe.apply(tf_service.distribute(_SHARD_BY_HINT, self.address)):
            first, second = numbers.numpy().tolist()
            indices.add(first)
            workers = second - first
            if len(indices) == workers:
                break
        return workers


def _sort_by_step(received: tf.data.Dataset, first_step: int, workers: int) -> tf.data.Dataset:
    """Sort results by their steps, and check that none is missing.

    A worker computes its own batches in order without gaps, but in the beginning the dispatcher may
    read from one worker more often than from another. The results of successive steps, one of each
    worker, are stored until they are complete.

    All of this is a graph: a pipeline that is closed while it waits for a result, because another
    trainer stopped, cancels a graph's operations but cannot interrupt Python code.

    Args:
      received: pairs of a step int64 `[]` and its result.
      first_step: number of the first step.
      workers: number of workers.

    Returns:
      The results; reading a result after a lost one raises an error that `report_lost_batches`
      converts.
    """

    most_early = workers * _MAX_EARLY_BATCHES_PER_WORKER

    def check(next_steps: tf.Tensor, result: tuple[tf.Tensor, Any]) -> tuple[tf.Tensor, Any]:
        step, _ = result
        worker = (step - first_step) % workers
        early = tf.reduce_sum(next_steps - tf.reduce_min(next_steps)) // workers
        # A restarted worker starts from the first step; a missing worker leaves a gap.
        is_complete = (step == next_steps[worker]) & (early <= most_early)
        with tf.control_dependencies([tf.debugging.Assert(is_complete, [_LOST])]):
            next_steps = tf.tensor_scatter_nd_add(next_steps, [[worker]], [workers])
        return next_steps, result

    def sort(steps: tf.Tensor, results: Any) -> Any:
        order = tf.argsort(steps)
        return tf.nest.map_structure(lambda values: tf.gather(values, order), results)

    checked = received.scan(tf.range(first_step, first_step + workers, dtype=tf.int64), check)
    # As many results are received while those before them are read.
    return checked.prefetch(workers).group_by_window(
        key_func=lambda step, _: (step - first_step) // workers,
        reduce_func=lambda _, results: (
            results.batch(workers, drop_remainder=True).map(sort).unbatch()
        ),
        window_size=workers,
    )


@contextmanager
def report_lost_batches() -> Iterator[None]:
    """Convert TensorFlow's error about a lost worker inside the block to a one-line error.

    Raises:
      ClusterError: if a worker ended while its batches were read.
    """
    try:
        yield
    except tf.errors.OpError as error:
        is_unreachable = isinstance(error, _UNREACHABLE) and "IteratorGetNext" in error.message
        if not is_unreachable and _LOST not in error.message:
            raise
        raise ClusterError(
            f"{_LOST}: one of its workers ended or was restarted; restart dispatcher and workers, "
            "then the training, which resumes after the last finished epoch"
        ) from None


def new_job() -> str:
    """Return a unique job name."""
    return uuid.uuid4().hex


def start_dispatcher(port: int, workers: list[str]) -> Server:
    """Start the dispatcher, which registers the workers.

    Args:
      port: port of the dispatcher; 0 selects a free one.
      workers: host name of each worker that will join, repeated for several workers on a host.

    Returns:
      A server; its `target` is the address.

    Raises:
      ConfigError: if the port is in use.
    """
    addresses = [worker if ":" in worker else worker + _PORT for worker in workers]
    config = tf_service.DispatcherConfig(port=port, worker_addresses=addresses)
    return _start(lambda: tf_service.DispatchServer(config), port)


def start_worker(dispatcher: str, host: str, port: int) -> Server:
    """Start a worker, which computes batches.

    Args:
      dispatcher: address of the dispatcher, as ``grpc://host:port``.
      host: name of this machine, as the trainers reach it and the dispatcher lists it.
      port: port of the worker; 0 selects a free one.

    Raises:
      ConfigError: if the port is in use.
      ClusterError: if the dispatcher's list of workers has no unused entry for it.
    """
    address = check_address(dispatcher).removeprefix(_PREFIX)
    _load_decoders()
    config = tf_service.WorkerConfig(address, host + _PORT, port)
    return _start(lambda: tf_service.WorkerServer(config), port)


def check_address(address: str) -> str:
    """Return a dispatcher's address after checking that the dispatcher accepts connections.

    Raises:
      ConfigError: if it is not an address.
      ClusterError: if no connection is possible; TensorFlow would wait indefinitely.
    """
    host, _, port = address.removeprefix(_PREFIX).rpartition(":")
    if not address.startswith(_PREFIX) or not host or not port.isdecimal():
        raise ConfigError(
            f"'{address}' is not the address of a dispatcher; use one like grpc://host:5050, which "
            "tfdream data-worker --dispatcher prints"
        )
    try:
        socket.create_connection((host, int(port)), _TIMEOUT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"no dispatcher answers at '{address}' ({error}); start one with tfdream data-worker "
            "--dispatcher"
        ) from None
    return address


def _start(start: Callable[[], Server], port: int) -> Server:
    try:
        return start()
    except (tf.errors.OpError, RuntimeError) as error:
        reason = one_line(error)
        if refused := _NOT_LISTED.search(reason):
            worker, listed = refused[1], refused[2].replace(_PORT, "")
            raise ClusterError(
                f"the dispatcher's list of workers has no unused entry for '{worker}' "
                f"(the list: {listed}); use --host with a name of the list, or start the "
                f"dispatcher with --worker {worker.rpartition(':')[0]}, once for each worker of "
                "this host"
            ) from None
        raise ConfigError(f"port {port} is not available ({reason}); use another --port") from None


def _load_decoders() -> None:
    """Load tensorflow-io's operations, if installed: graphs of the trainers may contain them."""
    flac = PrepareConfig(codec="flac")
    if not codecs.decodes(flac.codec):
        return
    # The library is loaded when one of its operations is first added to a graph.
    tf.function(lambda encoded: records.decode(encoded, flac)).get_concrete_function(
        tf.TensorSpec([], tf.string)
    )
