"""One convolution over time with random weights; frequency bins are its channels.

Source: "Music generation using style transfer", the baseline CNN.
"""

from typing import Literal

import keras
from keras import layers, ops

from tfdream.config import Count


def build(
    input_shape: tuple[int, int, int],
    *,
    filters: Count = 4096,
    kernel_size: Count = 3,
    activation: Literal["relu", "linear"] = "relu",
    seed: int = 0,
) -> keras.Model:
    """Build the network; its layer is ``conv1``. It accepts any number of frames.

    Args:
      input_shape: bins, frames and one channel.
      filters: filters of the convolution, which is padded with zeros.
      kernel_size: width of the convolution in frames.
      activation: activation of the convolution; as published, it is linear.
      seed: seed of the weights, uniform in ±1/√(kernel_size · bins) as in PyTorch.
    """
    bins = input_shape[0]
    limit = (kernel_size * bins) ** -0.5
    image = keras.Input((bins, None, 1), name="image")
    frames = ops.transpose(image[..., 0], (0, 2, 1))
    activations = layers.Conv1D(
        filters,
        kernel_size,
        padding="same",
        activation=activation,
        kernel_initializer=keras.initializers.RandomUniform(-limit, limit, seed=seed),
        bias_initializer=keras.initializers.RandomUniform(-limit, limit, seed=seed + 1),
        name="conv1",
    )(frames)
    return keras.Model(image, activations, name="random_conv1d")
