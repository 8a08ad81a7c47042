"""Three strided convolutions and a dense layer on the samples themselves.

Source: "Music Style Classification and Transformation", section 4.2.1.
"""

import keras
from keras import layers

# Of each batch normalization, which has neither gain nor offset there. The momentum is that of
# Lasagne, which the thesis used, and of which it says nothing else.
_EPSILON = 1e-4
_MOMENTUM = 0.9


def build(
    input_shape: tuple[int, int],
    classes: int,
    *,
    filters: tuple[int, ...] = (8, 8, 8),
    kernel_sizes: tuple[int, ...] = (8, 32, 128),
    strides: tuple[int, ...] = (2, 4, 4),
    dense_units: int = 256,
) -> keras.Model:
    """Build it.

    Args:
      input_shape: samples and one channel.
      classes: number of labels.
      filters: of each convolution ``conv1``, ``conv2``, …, which is not padded.
      kernel_sizes: of each, in samples of its input.
      strides: of each; there is no pooling.
      dense_units: of the layer ``embedding``.
    """
    samples = keras.Input(input_shape, name="samples")
    x = _normalize("norm0")(samples)
    settings = zip(filters, kernel_sizes, strides, strict=True)
    for number, (count, kernel_size, stride) in enumerate(settings, start=1):
        x = layers.Conv1D(
            count, kernel_size, strides=stride, activation="relu", name=f"conv{number}"
        )(x)
        x = _normalize(f"norm{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(dense_units, activation="relu", name="embedding")(x)
    logits = layers.Dense(classes, name="logits", dtype="float32")(x)
    probabilities = layers.Softmax(name="probabilities", dtype="float32")(logits)
    return keras.Model(samples, probabilities, name="raw_conv1d")


def _normalize(name: str) -> keras.Layer:
    return layers.BatchNormalization(
        momentum=_MOMENTUM,
        epsilon=_EPSILON,
        center=False,
        scale=False,
        synchronized=True,
        name=name,
    )
