"""Pooling over one axis of an image of any size."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("tfdream")
class MaxOverFrequency(keras.layers.Layer):
    """The maximum of each channel over frequency: `[batch, 1, time, channels]`.

    >>> MaxOverFrequency()(ops.ones((2, 5, 7, 3))).shape
    TensorShape([2, 1, 7, 3])
    """

    def call(self, inputs: Any) -> Any:
        """Pool images `[batch, frequency, time, channels]`."""
        return ops.max(inputs, axis=1, keepdims=True)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the output."""
        return (input_shape[0], 1, *input_shape[2:])
