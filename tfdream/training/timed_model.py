"""Where training runs: all devices of a process, and how long they wait for data."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from tfdream.errors import ConfigError
from tfdream.models.parts.processor import warn_of_slow_bfloat16


def strategy() -> tf.distribute.Strategy:
    """Mirror the model over all GPUs, or over the logical CPUs where there is none.

    A single device needs no mirror: MirroredStrategy computes the same there, but takes a quarter
    more time.
    """
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def check_batch_size(clips: int, devices: int) -> None:
    """See that every device gets the same share of a training batch.

    Raises:
      ConfigError: if not; TensorFlow cannot add up gradients of shares that differ.
    """
    if clips % devices:
        raise ConfigError(
            f"a batch of {clips} clips cannot be shared equally by {devices} devices; "
            f"set training.batch_size to a multiple of {devices}"
        )


@contextmanager
def precision(mixed: bool) -> Iterator[None]:
    """The precision of the networks that are built meanwhile.

    Args:
      mixed: products in float16 where GPUs compute fast with it, in bfloat16 elsewhere; float32
        without.
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


class FitModel:
    """Beside `keras.Model`, a base of models that fetch each batch themselves and note the wait.

    Keras fetches the next batch inside the compiled step, where waiting cannot be told from
    computing. This is no `keras.Model` itself, because Keras changes the bases of all from which a
    functional model descends: what else descends from them would then be functional too.
    """

    data_wait_seconds = 0.0
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
        """What batches are like, from which Keras makes metrics and loss; None if they are made."""
        return None

    def build_optimizers(self) -> None:
        """Make their variables, so that a state can be loaded into them."""
        self.optimizer.build(self.trainable_variables)

    def make_train_function(self, force: bool = False) -> None:
        """Wrap the compiled step; Keras calls this at the start of `fit`."""
        if self.train_function is not None and not force:
            return
        if self._has_other_machines:
            step = self._on_every_device(self.train_step)
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
        """Compile the step of validation; Keras calls this at its start."""
        if not self._has_other_machines:
            keras.Model.make_test_function(self, force)
        elif self.test_function is None or force:
            step = self._on_every_device(self.test_step)
            self.test_function = lambda batches: step(next(batches))

    def _get_metrics_result_or_logs(self, logs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """What steps tell, added up over all machines; Keras may take the last step's own."""
        if not self._has_other_machines:
            told: dict[str, tf.Tensor] = keras.Model._get_metrics_result_or_logs(self, logs)
            return told
        results = self.get_metrics_result()
        return {name: results[name] for name in logs}

    @property
    def _has_other_machines(self) -> bool:
        return isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy)

    def _on_every_device(
        self, step: Callable[[Any], dict[str, tf.Tensor]]
    ) -> Callable[[Any], dict[str, tf.Tensor]]:
        """A compiled step whose result is the first own device's.

        Keras would take the mean over machines, along an axis that scalars do not have. Metrics of
        an epoch are added up over all devices when it ends.
        """
        strategy = self.distribute_strategy

        @tf.function(reduce_retracing=True)
        def compiled(batch: Any) -> dict[str, tf.Tensor]:
            results = strategy.run(step, args=(batch,))
            return tf.nest.map_structure(
                lambda result: strategy.experimental_local_results(result)[0], results
            )

        return compiled

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Make metrics and loss without a batch; Keras fails at those of several machines."""
        if self._distribute_strategy is not None:
            with self._distribute_strategy.scope():
                self._symbolic_build(data_batch=self.symbolic_batch)
