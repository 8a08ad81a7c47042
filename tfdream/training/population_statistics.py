"""Statistics of batch normalization over all training clips, instead of moving averages."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdream.signal.graphs import compiled


class PopulationStatistics(keras.callbacks.Callback):
    """Sets the statistics of batch normalization after every epoch, before its validation.

    The time that it takes is counted as validation.

    Args:
      batches: the inputs float32 `[batch, …]` of all training clips.

    Source: "Music Style Classification and Transformation", section 4.2.1.
    """

    def __init__(self, batches: tf.data.Dataset) -> None:
        super().__init__()
        self.batches = batches
        self._layers: list[LayerStatistics] = []
        self._done = False

    def set_model(self, model: keras.Model) -> None:
        """Build the functions that compute the statistics, once for all epochs."""
        super().set_model(model)
        self._layers = _normalizations(model)

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
            _update(self._layers, self.batches)
            self._done = True


def set_population_statistics(model: keras.Model, batches: tf.data.Dataset) -> None:
    """Set mean and variance of every batch normalization to those of its input over all examples.

    The layers are updated in their order, each with the network before it in inference mode, so
    that the normalized activations of the examples have mean 0 and variance 1.

    Args:
      model: a functional model; it is changed.
      batches: inputs float32 `[batch, …]`, iterated once for each layer.
    """
    _update(_normalizations(model), batches)


class LayerStatistics:
    """Mean and variance of each channel of the input of a batch normalization.

    Args:
      model: the functional model with the layer.
      layer: the batch normalization.
    """

    def __init__(self, model: keras.Model, layer: keras.layers.BatchNormalization) -> None:
        self.layer = layer
        network = keras.Model(model.inputs, layer.input)

        def sums(inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            outputs = tf.cast(network(inputs, training=False), tf.float64)
            rows = tf.reshape(outputs, [-1, outputs.shape[-1]])
            # In float64, the difference of large sums of squares is exact enough.
            count = tf.cast(tf.shape(rows)[0], tf.float64)
            return count, tf.reduce_sum(rows, axis=0), tf.reduce_sum(rows**2, axis=0)

        self._sums = compiled(sums)

    def update(self, batches: tf.data.Dataset) -> None:
        """Set the statistics of the layer to those of all examples."""
        parts = zip(*map(self._sums, batches), strict=True)
        count, first, second = (sum(each) for each in parts)
        mean = (first / count).numpy()
        self.layer.moving_mean.assign(mean)
        self.layer.moving_variance.assign(np.maximum((second / count).numpy() - mean**2, 0.0))


def _normalizations(model: keras.Model) -> list[LayerStatistics]:
    return [
        LayerStatistics(model, layer)
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]


def _update(layers: list[LayerStatistics], batches: tf.data.Dataset) -> None:
    for layer in layers:
        layer.update(batches)
