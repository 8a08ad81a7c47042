"""Three strided convolutions and a dense layer on raw samples.

Source: "Music Style Classification and Transformation", section 4.2.1.
"""

from typing import Literal

import keras
from keras import layers

from tfdream.config import Count
from tfdream.models.parts.normalization import batch_normalization
from tfdream.models.parts.options import check_lengths
from tfdream.models.parts.outputs import add_outputs

# Batch normalization has neither gain nor offset in the thesis. It does not state the momentum;
# this is the default of Lasagne, which it used.
_normalize = batch_normalization(momentum=0.9, epsilon=1e-4, affine=False)

Initializer = Literal["glorot_uniform", "fan_in_uniform"]


def build(
    input_shape: tuple[int, int],
    classes: int,
    *,
    filters: tuple[Count, ...] = (8, 8, 8),
    kernel_sizes: tuple[Count, ...] = (8, 32, 128),
    strides: tuple[Count, ...] = (2, 4, 4),
    dense_units: Count = 256,
    initializer: Initializer = "glorot_uniform",
) -> keras.Model:
    """Build the model.

    Args:
      input_shape: number of samples, and one channel.
      classes: number of labels.
      filters: filters of each convolution ``conv1``, ``conv2``, …, which is not padded.
      kernel_sizes: width of each convolution, in samples of its input.
      strides: stride of each convolution; there is no pooling.
      dense_units: units of the layer ``embedding``.
      initializer: distribution of the first weights: Glorot's, or uniform from −1/√n to 1/√n, where
        n is the number of inputs of a unit.
    """
    check_lengths("raw_conv1d", filters=filters, kernel_sizes=kernel_sizes, strides=strides)
    # The variance of a uniform distribution from −1/√n to 1/√n is 1/(3n).
    initial = {
        "glorot_uniform": keras.initializers.GlorotUniform,
        "fan_in_uniform": lambda: keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform"),
    }[initializer]
    samples = keras.Input(input_shape, name="samples")
    x = _normalize(samples, "norm0")
    settings = zip(filters, kernel_sizes, strides, strict=True)
    for number, (count, kernel_size, stride) in enumerate(settings, start=1):
        x = layers.Conv1D(
            count,
            kernel_size,
            strides=stride,
            activation="relu",
            kernel_initializer=initial(),
            name=f"conv{number}",
        )(x)
        x = _normalize(x, f"norm{number}")
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(
        dense_units, activation="relu", kernel_initializer=initial(), name="embedding"
    )(x)
    outputs = add_outputs(x, classes, initializer=initial())
    return keras.Model(samples, outputs, name="raw_conv1d")
