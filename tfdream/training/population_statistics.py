"""Statistics of batch normalization over all training clips, instead of moving averages."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdream.signal.graphs import compiled

Sums = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]
"""Graph function: inputs `[batch, …]` → count, sum and sum of squares for each channel."""


class PopulationStatistics(keras.callbacks.Callback):
    """Sets the statistics of batch normalization after every epoch, before its validation.

    Mean and variance of every batch normalization become those of its input over all training
    clips. The layers are updated in their order, each with the network before it in inference mode,
    so that the normalized activations of the clips have mean 0 and variance 1. The time that it
    takes is counted as validation.

    Args:
      batches: the inputs float32 `[batch, …]` of all training clips, iterated once for each layer.

    Source: "Music Style Classification and Transformation", section 4.2.1.
    """

    def __init__(self, batches: tf.data.Dataset) -> None:
        super().__init__()
        self.batches = batches
        self._sums: list[tuple[keras.layers.BatchNormalization, Sums]] = []
        self._done = False

    def set_model(self, model: keras.Model) -> None:
        """Build the functions that compute the sums of a functional model, once for all epochs."""
        super().set_model(model)
        self._sums = [
            (layer, _sums(keras.Model(model.inputs, layer.input)))
            for layer in model.layers
            if isinstance(layer, keras.layers.BatchNormalization)
        ]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Make the statistics of the previous epoch invalid."""
        self._done = False

    def on_test_begin(self, logs: Any = None) -> None:
        """Compute the statistics before the validation."""
        self.update()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Compute the statistics if there is no validation."""
        self.update()

    def update(self) -> None:
        """Set the statistics of all layers, once in an epoch."""
        if self._done:
            return
        for layer, sums in self._sums:
            parts = zip(*map(sums, self.batches), strict=True)
            count, first, second = (sum(each) for each in parts)
            mean = (first / count).numpy()
            layer.moving_mean.assign(mean)
            layer.moving_variance.assign(np.maximum((second / count).numpy() - mean**2, 0.0))
        self._done = True


def _sums(network: keras.Model) -> Sums:
    """Return a compiled function for the count and the sums of a network's outputs.

    The sums are those of the values of each channel and of their squares, float64 `[channels]`.
    """

    def sums(inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        outputs = tf.cast(network(inputs, training=False), tf.float64)
        rows = tf.reshape(outputs, [-1, outputs.shape[-1]])
        # In float64, the difference of large sums of squares is exact enough.
        count = tf.cast(tf.shape(rows)[0], tf.float64)
        return count, tf.reduce_sum(rows, axis=0), tf.reduce_sum(rows**2, axis=0)

    return compiled(sums)
