"""A small convolutional network that learns well from few recordings on a CPU.

What it has that Lil Data lacks: inputs standardized band by band, so that weak high bands count as
much as loud low ones; batch normalization; an early stride, so that most of its work is done on few
pixels; and a judgement that leaves time out, where dense layers on a flattened image learn each
place anew. After the convolutions frequency is averaged, then time is summed up by its mean and its
maximum: what lasts, and what happens once.

Source: the pooling is that of Kong et al., "PANNs", section II-A; the layers are our own.
"""

from typing import Any

import keras
from keras import layers


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    widths: tuple[int, ...] = (32, 64, 128, 256),
    convolutions: tuple[int, ...] = (1, 1, 2, 1),
    kernel_size: int = 3,
    entrance: int = 5,
    dropout: float = 0.3,
    momentum: float = 0.9,
) -> keras.Model:
    """Build it.

    Args:
      input_shape: height, width and channels of the image.
      classes: number of labels.
      widths: filters of each stage.
      convolutions: of each stage, ``conv1``, ``conv2``, …, each with batch normalization and ReLU;
        max pooling halves the image between stages.
      kernel_size: of the convolutions, which are padded with zeros.
      entrance: kernel size of the first one, which halves the image.
      dropout: the share of ``embedding`` left out in training.
      momentum: of the moving statistics of the batch normalization.
    """
    image = keras.Input(input_shape, name="image")
    x = layers.Normalization(axis=1, name="standardize", dtype="float32")(image)
    number = 0
    for stage, (filters, count) in enumerate(zip(widths, convolutions, strict=True)):
        if stage:
            x = layers.MaxPooling2D(2, name=f"pool{stage}")(x)
        for _ in range(count):
            number += 1
            first = number == 1
            x = layers.Conv2D(
                filters,
                entrance if first else kernel_size,
                strides=2 if first else 1,
                padding="same",
                use_bias=False,
                kernel_initializer="he_normal",
                name=f"conv{number}",
            )(x)
            x = layers.BatchNormalization(
                momentum=momentum, synchronized=True, name=f"norm{number}"
            )(x)
            x = layers.ReLU(name=f"relu{number}")(x)
    x = _sum_up(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    logits = layers.Dense(classes, name="logits", dtype="float32")(x)
    probabilities = layers.Softmax(name="probabilities", dtype="float32")(logits)
    return keras.Model(image, probabilities, name="mel_cnn")


def _sum_up(x: Any) -> Any:
    """`[batch, frequency, time, filters]` → `[batch, 2 × filters]`."""
    x = layers.AveragePooling2D((x.shape[1], 1), name="mean_over_frequency")(x)
    mean = layers.GlobalAveragePooling2D(name="mean_over_time")(x)
    highest = layers.GlobalMaxPooling2D(name="max_over_time")(x)
    return layers.Concatenate(name="embedding")([mean, highest])
