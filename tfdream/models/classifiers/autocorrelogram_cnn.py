"""One convolution along an autocorrelogram.

Source: "Music generation using style transfer", the classifier on autocorrelograms.
"""

import keras
from keras import layers

from tfdream.config import Count, Share
from tfdream.models.parts.normalization import (
    PYTORCH_EPSILON,
    PYTORCH_MOMENTUM,
    batch_normalization,
)
from tfdream.models.parts.outputs import add_outputs

# Defaults of PyTorch, which the document used.
_normalize = batch_normalization(PYTORCH_MOMENTUM, PYTORCH_EPSILON)


def build(
    input_shape: tuple[int, int],
    classes: int,
    *,
    filters: Count = 32,
    kernel_size: Count = 4,
    dropout: Share = 0.2,
    dense_units: tuple[Count, Count] = (128, 64),
) -> keras.Model:
    """Build the model.

    Args:
      input_shape: number of lags, and one channel.
      classes: number of labels.
      filters: filters of the convolution ``conv1``.
      kernel_size: width of the convolution, which is not padded.
      dropout: share of its activations dropped in training.
      dense_units: units of the layers ``dense`` and ``embedding``.
    """
    lags = keras.Input(input_shape, name="lags")
    x = layers.Conv1D(filters, kernel_size, activation="tanh", name="conv1")(lags)
    x = _normalize(x, "norm1")
    x = layers.Dropout(dropout, name="dropout1")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(dense_units[0], activation="tanh", name="dense")(x)
    x = layers.Dense(dense_units[1], activation="tanh", name="embedding")(x)
    return keras.Model(lags, add_outputs(x, classes), name="autocorrelogram_cnn")
