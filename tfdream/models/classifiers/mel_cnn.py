"""A small convolutional network for few recordings, fast on a CPU.

It differs from Lil Data in these points: inputs are standardized for each band, so that weak high
bands count as much as loud low ones; it has batch normalization; an early stride reduces the pixels
that most layers process; and global pooling makes the output independent of position in time, where
a dense layer on a flattened image has separate weights for each position. After the convolutions,
frequency is averaged, then the mean and the maximum over time are concatenated: they represent
sustained and single events.

Source: the pooling is that of Kong et al., "PANNs", section II-A; the layers are tfdream's.
"""

from typing import Any

import keras
from keras import layers

from tfdream.config import Count, Share
from tfdream.models.parts.normalization import batch_normalization
from tfdream.models.parts.options import check_lengths
from tfdream.models.parts.outputs import add_outputs


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    widths: tuple[Count, ...] = (32, 64, 128, 256),
    convolutions: tuple[Count, ...] = (1, 1, 2, 1),
    kernel_size: Count = 3,
    entrance: Count = 5,
    dropout: Share = 0.3,
    momentum: Share = 0.9,
) -> keras.Model:
    """Build the model.

    Args:
      input_shape: height, width and channels of the image.
      classes: number of labels.
      widths: filters of the convolutions in each stage.
      convolutions: number of convolutions in each stage, ``conv1``, ``conv2``, …, each with batch
        normalization and ReLU; max pooling halves the image between stages.
      kernel_size: size of the convolutions, which are padded with zeros.
      entrance: kernel size of the first convolution, which has a stride of 2.
      dropout: share of ``embedding`` dropped in training.
      momentum: momentum of the moving statistics of batch normalization.
    """
    check_lengths("mel_cnn", widths=widths, convolutions=convolutions)
    normalize = batch_normalization(momentum)
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
            x = normalize(x, f"norm{number}")
            x = layers.ReLU(name=f"relu{number}")(x)
    x = _pool(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(image, add_outputs(x, classes), name="mel_cnn")


def _pool(x: Any) -> Any:
    """Map `[batch, frequency, time, filters]` to `[batch, 2 × filters]`."""
    x = layers.AveragePooling2D((x.shape[1], 1), name="mean_over_frequency")(x)
    mean = layers.GlobalAveragePooling2D(name="mean_over_time")(x)
    highest = layers.GlobalMaxPooling2D(name="max_over_time")(x)
    return layers.Concatenate(name="embedding")([mean, highest])
