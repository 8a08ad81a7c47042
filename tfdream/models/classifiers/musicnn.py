"""musicnn: filters for timbre and rhythm, then convolutions along time.

Timbral filters cover a large part of the frequency axis in a few frames; temporal filters cover one
band in up to two seconds. Of each, the maximum over frequency is used, so that neither depends on
pitch. The layers after that have no frequency axis.

Source: Pons et al., "End-to-end learning for music audio tagging at scale" (architecture); Pons and
Serra, "musicnn: Pre-trained convolutional neural networks for music audio tagging" (sizes).
"""

from typing import Any

import keras
from keras import layers

from tfdream.config import Count, Share
from tfdream.models.parts.normalization import TENSORFLOW_MOMENTUM, batch_normalization
from tfdream.models.parts.outputs import add_outputs
from tfdream.models.parts.pooling import MaxOverFrequency
from tfdream.models.parts.tall import TallConvolution

# Frames of timbral filters and of the convolutions along time; the padding keeps the length.
_SHORT = 7
# Share of the frequency axis that timbral filters cover.
_HEIGHTS = (0.4, 0.7)
# Frames of the temporal filters.
_LENGTHS = (128, 64, 32)
_normalize = batch_normalization(TENSORFLOW_MOMENTUM)


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    timbral_filters: Count = 204,
    temporal_filters: Count = 51,
    filters: Count = 64,
    dense_units: Count = 200,
    dropout: Share = 0.5,
    multi_label: bool = False,
) -> keras.Model:
    """Build the model.

    Two timbral convolutions, ``conv1`` and ``conv2``, three temporal ones, ``conv3`` … ``conv5``,
    and three along time, ``conv6`` … ``conv8``, have ReLU, then batch normalization ``norm1``, ….
    Blocks are ``timbral`` and ``temporal``, the maxima over frequency; ``norm6``, ``block2`` and
    ``block3``, along time; and ``features``, all of these side by side.

    Args:
      input_shape: mel bands, frames and channels of the image.
      classes: number of labels.
      timbral_filters: filters of each timbral convolution.
      temporal_filters: filters of each temporal convolution.
      filters: filters of each of the three convolutions along time.
      dense_units: units of the layers ``dense`` and ``embedding``, its batch normalization.
      dropout: share of the pooled features, and of ``embedding``, dropped in training.
      multi_label: give each label a probability of its own (sigmoid).
    """

    def convolve(number: int, x: Any, count: int, kernel_size: tuple[int, int]) -> Any:
        timbral = kernel_size[0] > 1
        layer_type = TallConvolution if timbral else layers.Conv2D
        x = layer_type(
            count,
            kernel_size,
            padding="valid" if timbral else "same",
            activation="relu",
            name=f"conv{number}",
        )(x)
        return _normalize(x, f"norm{number}")

    def highest(number: int, x: Any, count: int, kernel_size: tuple[int, int]) -> Any:
        x = convolve(number, x, count, kernel_size)
        return MaxOverFrequency(name=f"highest{number}")(x)

    image = keras.Input(input_shape, name="image")
    x = _normalize(image, "norm0")
    padded = layers.ZeroPadding2D((0, _SHORT // 2), name="padding")(x)
    heights = [max(2, int(share * input_shape[0])) for share in _HEIGHTS]
    timbral = [
        highest(number, padded, timbral_filters, (height, _SHORT))
        for number, height in enumerate(heights, start=1)
    ]
    temporal = [
        highest(number, x, temporal_filters, (1, length))
        for number, length in enumerate(_LENGTHS, start=3)
    ]
    front = layers.Concatenate(name="front")(
        [
            layers.Concatenate(name="timbral")(timbral),
            layers.Concatenate(name="temporal")(temporal),
        ]
    )
    blocks = [front, convolve(6, front, filters, (1, _SHORT))]
    for block, number in ((2, 7), (3, 8)):
        convolved = convolve(number, blocks[-1], filters, (1, _SHORT))
        blocks.append(layers.Add(name=f"block{block}")([convolved, blocks[-1]]))
    x = layers.Concatenate(name="features")(blocks)
    pooled = [
        layers.GlobalMaxPooling2D(name="max_over_time")(x),
        layers.GlobalAveragePooling2D(name="mean_over_time")(x),
    ]
    x = _normalize(layers.Concatenate(name="pooled")(pooled), "norm_pooled")
    x = layers.Dropout(dropout, name="dropout1")(x)
    x = layers.Dense(dense_units, activation="relu", name="dense")(x)
    x = _normalize(x, "embedding")
    x = layers.Dropout(dropout, name="dropout2")(x)
    return keras.Model(image, add_outputs(x, classes, multi_label), name="musicnn")
