"""Statistics of batch normalization over given inputs, in place of moving averages."""

from collections.abc import Callable, Iterable

import keras
import tensorflow as tf

from tfdream.signal.graphs import compiled

Sums = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]
"""Graph function: inputs `[batch, …]` → count, sum and sum of squares for each channel."""


class NormalizationStatistics:
    """Sets mean and variance of every batch normalization of a network.

    The functions that compute them are built once, for any number of updates.

    Args:
      network: a functional model.
    """

    def __init__(self, network: keras.Model) -> None:
        self._sums: list[tuple[keras.layers.BatchNormalization, Sums]] = [
            (layer, _sums(keras.Model(network.inputs, layer.input)))
            for layer in network.layers
            if isinstance(layer, keras.layers.BatchNormalization)
        ]

    @property
    def layers(self) -> int:
        """The number of batch normalizations."""
        return len(self._sums)

    def update(self, batches: Iterable[tf.Tensor], weight: float = 1.0) -> None:
        """Set mean and variance of each layer to those of its input over all examples.

        The layers are updated in their order, each with the network before it in inference mode, so
        that the normalized activations of the examples have mean 0 and variance 1.

        Args:
          batches: inputs float32 `[batch, …]`, iterated once for each layer.
          weight: weight of the new statistics; that of the present ones is 1 − `weight`.
        """
        for layer, sums in self._sums:
            parts = zip(*map(sums, batches), strict=True)
            count, first, second = (sum(each) for each in parts)
            mean = first / count
            variance = tf.maximum(second / count - mean**2, 0)
            for present, new in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
                blend = weight * new + (1 - weight) * tf.cast(present.value, tf.float64)
                present.assign(tf.cast(blend, present.dtype))


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
