"""Two convolutions along a vector of hand-made features.

Source: "Music generation using style transfer", the classifier on features.
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

# Defaults of PyTorch's LeakyReLU and batch normalization, which the document used.
_SLOPE = 0.01
_normalize = batch_normalization(PYTORCH_MOMENTUM, PYTORCH_EPSILON)


def build(
    input_shape: tuple[int, int],
    classes: int,
    *,
    filters: tuple[Count, Count] = (32, 64),
    kernel_sizes: tuple[Count, Count] = (4, 3),
    pool_size: Count = 2,
    dropout: tuple[Share, Share] = (0.2, 0.5),
    dense_units: tuple[Count, Count] = (256, 64),
    standardize: bool = True,
) -> keras.Model:
    """Build the model.

    Args:
      input_shape: number of features, and one channel.
      classes: number of labels.
      filters: filters of the convolutions ``conv1`` and ``conv2``.
      kernel_sizes: widths of the convolutions, which are not padded.
      pool_size: width of the max pooling after the first convolution.
      dropout: share of each convolution's activations dropped in training.
      dense_units: units of the dense layers; ``embedding`` is the activation of the second one.
      standardize: scale each feature to mean 0 and deviation 1, computed from the training clips
        (identity before that), because features have different units.
    """
    features = keras.Input(input_shape, name="features")
    x = features
    if standardize:
        # float32 even in mixed precision: thousands of Hz have few digits in float16.
        x = layers.Normalization(axis=1, name="standardize", dtype="float32")(x)
    x = layers.Conv1D(filters[0], kernel_sizes[0], name="conv1")(x)
    x = layers.LeakyReLU(_SLOPE, name="leaky1")(x)
    x = _normalize(x, "norm1")
    x = layers.MaxPooling1D(pool_size, name="pool1")(x)
    x = layers.Dropout(dropout[0], name="dropout1")(x)
    x = layers.Conv1D(filters[1], kernel_sizes[1], name="conv2")(x)
    x = layers.LeakyReLU(_SLOPE, name="leaky2")(x)
    x = _normalize(x, "norm2")
    x = layers.Dropout(dropout[1], name="dropout2")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(dense_units[0], name="dense")(x)
    x = layers.LeakyReLU(_SLOPE, name="leaky3")(x)
    x = layers.Dense(dense_units[1], name="dense_embedding")(x)
    x = layers.LeakyReLU(_SLOPE, name="embedding")(x)
    return keras.Model(features, add_outputs(x, classes), name="feature_cnn")
