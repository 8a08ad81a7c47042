"""Keras models that measure how long they wait for data, and the devices they run on."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import keras
import tensorflow as tf

from tfdream.errors import ConfigError
from tfdream.models.parts.processor import warn_of_slow_bfloat16
from tfdream.signal.graphs import compiled

Extra = TypeVar("Extra")

PRIVATE_MEMBERS = (
    "_distribute_strategy",
    "_get_metrics_result_or_logs",
    "_maybe_symbolic_build",
    "_symbolic_build",
)
"""Private members of `keras.Model` that `TimedModel` overrides or calls."""


def strategy() -> tf.distribute.Strategy:
    """Return a strategy that mirrors the model over all GPUs, or over all logical CPUs.

    GPUs are mirrored even if there is only one, so that training runs the same code on any number.
    A single CPU gets the default strategy: MirroredStrategy computes the same results there, but
    takes a quarter more time.
    """
    gpus = tf.config.list_logical_devices("GPU")
    devices = gpus or tf.config.list_logical_devices("CPU")
    if not gpus and len(devices) == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def check_batch_size(clips: int, devices: int) -> None:
    """Check that a training batch splits equally over the devices.

    Raises:
      ConfigError: if it does not; TensorFlow cannot add gradients of unequal slices.
    """
    if clips % devices:
        raise ConfigError(
            f"a batch of {clips} clips cannot be split equally over {devices} devices; "
            f"set training.batch_size to a multiple of {devices}"
        )


@contextmanager
def precision(mixed: bool) -> Iterator[None]:
    """Set the precision of the networks that are built inside the block.

    Args:
      mixed: use float16 on GPUs and bfloat16 elsewhere; False for float32.
    """
    before = keras.config.dtype_policy()
    if mixed:
        warn_of_slow_bfloat16("training.mixed_precision=true")
        gpu = tf.config.list_logical_devices("GPU")
        keras.config.set_dtype_policy("mixed_float16" if gpu else "mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def differentiate(
    optimizer: keras.Optimizer,
    compute: Callable[[], tuple[tf.Tensor, Extra]],
    weights: Sequence[keras.Variable],
) -> tuple[list[tf.Tensor], tf.Tensor, Extra]:
    """Compute the gradients for a step of an optimizer on one replica.

    Args:
      optimizer: it may scale the loss; the gradients of all replicas are added.
      compute: returns the loss, a scalar, and anything else.
      weights: trainable weights.

    Returns:
      The gradients of the weights, and the result of `compute`.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    with tf.GradientTape() as tape:
        loss, extra = compute()
        scaled = optimizer.scale_loss(loss / replicas)
    return tape.gradient(scaled, weights), loss, extra


def _clipped(gradients: list[tf.Tensor], norm: tf.Tensor) -> list[tf.Tensor]:
    """Scale the gradients of a replica so that the norm of those of all together is at most `norm`.

    Keras' optimizers would clip the gradients of each replica before they add them.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if replicas == 1:
        return list(tf.clip_by_global_norm(gradients, norm)[0])
    total = tf.distribute.get_replica_context().all_reduce("sum", gradients)
    return [each / replicas for each in tf.clip_by_global_norm(total, norm)[0]]


class TimedModel:
    """A base beside `keras.Model`: fetches each batch outside the compiled step and times the wait.

    Keras fetches the next batch inside the compiled step, where waiting and computing cannot be
    separated. Its `fit` also fails under MultiWorkerMirroredStrategy in two places, which the
    overrides below replace. `PRIVATE_MEMBERS` lists what they rely on.

    This class does not inherit from `keras.Model`, because Keras rewrites the bases of functional
    models: other subclasses would become functional too.
    """

    data_wait_seconds = 0.0
    gradient_norm: float | None = None
    """Largest norm of the gradient of a batch in `minimize`; None does not limit it."""
    train_function: Callable[[Any], dict[str, tf.Tensor]] | None
    test_function: Callable[[Any], dict[str, tf.Tensor]] | None
    train_step: Callable[[Any], dict[str, tf.Tensor]]
    test_step: Callable[[Any], dict[str, tf.Tensor]]
    fit: Callable[..., Any]
    distribute_strategy: tf.distribute.Strategy
    _distribute_strategy: tf.distribute.Strategy | None
    _symbolic_build: Callable[..., None]
    get_metrics_result: Callable[[], dict[str, tf.Tensor]]
    optimizer: keras.Optimizer
    trainable_variables: list[keras.Variable]

    @property
    def symbolic_batch(self) -> Any:
        """Symbolic batch from which Keras builds metrics and loss; None if they are built."""
        return None

    def build_optimizers(self) -> None:
        """Create the optimizer's variables, so that a state can be loaded into them."""
        self.optimizer.build(self.trainable_variables)

    def minimize(
        self, compute: Callable[[], tuple[tf.Tensor, Extra]], weights: Sequence[keras.Variable]
    ) -> tuple[tf.Tensor, Extra]:
        """Make one step of the optimizer on one replica.

        Args:
          compute: returns the loss, a scalar, and anything else.
          weights: trainable weights.

        Returns:
          The result of `compute`.
        """
        gradients, loss, extra = differentiate(self.optimizer, compute, weights)
        if self.gradient_norm is not None:
            gradients = _clipped(
                gradients, self.optimizer.scale_loss(tf.constant(self.gradient_norm))
            )
        self.optimizer.apply(gradients, weights)
        return loss, extra

    def make_train_function(self, force: bool = False) -> None:
        """Wrap the compiled training step; Keras calls this at the start of `fit`."""
        if self.train_function is not None and not force:
            return
        if self._is_multi_worker:
            step = self._compile_for_replicas(self.train_step)
        else:
            keras.Model.make_train_function(self, force)
            compiled = self.train_function
            assert compiled is not None

            def step(batch: Any) -> dict[str, tf.Tensor]:
                return compiled([batch])

        def fetch_and_step(batches: Iterator[Any]) -> dict[str, tf.Tensor]:
            started = time.perf_counter()
            batch = next(batches)
            self.data_wait_seconds += time.perf_counter() - started
            return step(batch)

        self.train_function = fetch_and_step

    def make_test_function(self, force: bool = False) -> None:
        """Compile the validation step; Keras calls this at the start of validation."""
        if not self._is_multi_worker:
            keras.Model.make_test_function(self, force)
        elif self.test_function is None or force:
            step = self._compile_for_replicas(self.test_step)
            self.test_function = lambda batches: step(next(batches))

    def _get_metrics_result_or_logs(self, logs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Return metrics summed over all machines; Keras may return the last step's own values."""
        if not self._is_multi_worker:
            result: dict[str, tf.Tensor] = keras.Model._get_metrics_result_or_logs(self, logs)
            return result
        results = self.get_metrics_result()
        return {name: results[name] for name in logs}

    @property
    def _is_multi_worker(self) -> bool:
        return isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy)

    def _compile_for_replicas(
        self, step: Callable[[Any], dict[str, tf.Tensor]]
    ) -> Callable[[Any], dict[str, tf.Tensor]]:
        """Compile a step whose result is that of the first local replica.

        Keras would reduce scalars over the machines along a missing axis. Metrics are summed over
        all replicas at the end of an epoch.
        """
        strategy = self.distribute_strategy

        def replicated_step(batch: Any) -> dict[str, tf.Tensor]:
            results = strategy.run(step, args=(batch,))
            local: dict[str, tf.Tensor] = tf.nest.map_structure(
                lambda result: strategy.experimental_local_results(result)[0], results
            )
            return local

        return compiled(replicated_step)

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Build metrics and loss without a batch; Keras fails on batches of several machines."""
        if self._distribute_strategy is not None:
            with self._distribute_strategy.scope():
                self._symbolic_build(data_batch=self.symbolic_batch)
