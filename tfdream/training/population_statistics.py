"""Statistics of batch normalization over all training clips, instead of moving averages."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream.signal.graphs import compiled


class PopulationStatistics(keras.callbacks.Callback):
    """Sets the statistics of batch normalization after every epoch, before its validation.

    The time that it takes is counted as validation.

    Args:
      batches: makes an iterable of the inputs float32 `[batch, …]` of all training clips.

    Source: "Music Style Classification and Transformation", section 4.2.1.
    """

    def __init__(self, batches: Callable[[], tf.data.Dataset]) -> None:
        super().__init__()
        self.batches = batches
        self._done = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Make the statistics of the previous epoch invalid."""
        self._done = False

    def on_test_begin(self, logs: Any = None) -> None:
        """Compute the statistics before the validation."""
        self._update()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Compute the statistics if there is no validation."""
        self._update()

    def _update(self) -> None:
        if not self._done:
            set_population_statistics(self.model, self.batches())
            self._done = True


def set_population_statistics(model: keras.Model, batches: tf.data.Dataset) -> None:
    """Set mean and variance of every batch normalization to those of its input over all examples.

    The layers are updated in their order, each with the network before it in inference mode, so
    that the normalized activations of the examples have mean 0 and variance 1.

    Args:
      model: a functional model; it is changed.
      batches: inputs float32 `[batch, …]`, iterated once for each layer.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            mean, variance = _moments(keras.Model(model.inputs, layer.input), batches)
            layer.moving_mean.assign(mean)
            layer.moving_variance.assign(variance)


def _moments(
    network: keras.Model, batches: tf.data.Dataset
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and variance of each channel of a network's output over all examples."""

    @compiled
    def sums(inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        outputs = tf.cast(network(inputs, training=False), tf.float64)
        rows = tf.reshape(outputs, [-1, outputs.shape[-1]])
        # In float64, the difference of large sums of squares is exact enough.
        count = tf.cast(tf.shape(rows)[0], tf.float64)
        return count, tf.reduce_sum(rows, axis=0), tf.reduce_sum(rows**2, axis=0)

    count, first, second = (sum(parts) for parts in zip(*map(sums, batches), strict=True))
    mean = (first / count).numpy()
    return mean, np.maximum((second / count).numpy() - mean**2, 0.0)
