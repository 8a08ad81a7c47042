"""Two convolutions along a vector of hand-made features.

Source: "Music generation using style transfer", the classifier on features.
"""

import keras
from keras import layers

# PyTorch's own settings, which the document used: of its LeakyReLU, and of its batch
# normalization, whose momentum of 0.1 is what Keras calls 0.9.
_SLOPE = 0.01
_MOMENTUM = 0.9
_EPSILON = 1e-5


def build(
    input_shape: tuple[int, int],
    classes: int,
    *,
    filters: tuple[int, int] = (32, 64),
    kernel_sizes: tuple[int, int] = (4, 3),
    pool_size: int = 2,
    dropout: tuple[float, float] = (0.2, 0.5),
    dense_units: tuple[int, int] = (256, 64),
    standardize: bool = True,
) -> keras.Model:
    """Build it.

    Args:
      input_shape: features and one channel.
      classes: number of labels.
      filters: of the convolutions ``conv1`` and ``conv2``.
      kernel_sizes: of the convolutions, which are not padded.
      pool_size: of the max pooling behind the first convolution.
      dropout: the share of each convolution's activations left out in training.
      dense_units: of the dense layers; the second one is ``embedding`` behind its activation.
      standardize: bring every feature to mean 0 and deviation 1, as learnt from the training clips
        (an identity until then): Hz stand beside shares of one.
    """
    features = keras.Input(input_shape, name="features")
    x = features
    if standardize:
        # float32 even in mixed precision: thousands of Hz have few digits left in float16.
        x = layers.Normalization(axis=1, name="standardize", dtype="float32")(x)
    x = layers.Conv1D(filters[0], kernel_sizes[0], name="conv1")(x)
    x = layers.LeakyReLU(_SLOPE, name="leaky1")(x)
    x = _normalize("norm1")(x)
    x = layers.MaxPooling1D(pool_size, name="pool1")(x)
    x = layers.Dropout(dropout[0], name="dropout1")(x)
    x = layers.Conv1D(filters[1], kernel_sizes[1], name="conv2")(x)
    x = layers.LeakyReLU(_SLOPE, name="leaky2")(x)
    x = _normalize("norm2")(x)
    x = layers.Dropout(dropout[1], name="dropout2")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(dense_units[0], name="dense")(x)
    x = layers.LeakyReLU(_SLOPE, name="leaky3")(x)
    x = layers.Dense(dense_units[1], name="dense_embedding")(x)
    x = layers.LeakyReLU(_SLOPE, name="embedding")(x)
    logits = layers.Dense(classes, name="logits", dtype="float32")(x)
    probabilities = layers.Softmax(name="probabilities", dtype="float32")(logits)
    return keras.Model(features, probabilities, name="feature_cnn")


def _normalize(name: str) -> keras.Layer:
    return layers.BatchNormalization(
        momentum=_MOMENTUM, epsilon=_EPSILON, synchronized=True, name=name
    )
