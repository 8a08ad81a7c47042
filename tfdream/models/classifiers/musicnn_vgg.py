"""The baseline of musicnn in the style of VGG: five convolutions of 3×3 pixels and a dense layer.

Source: Choi et al., "Automatic tagging using deep convolutional neural networks" (architecture);
Pons and Serra, "musicnn: Pre-trained convolutional neural networks for music audio tagging" (the
trained networks, which differ in their pooling).
"""

from typing import Literal

import keras
from keras import layers

from tfdream.config import Count, Share
from tfdream.models.parts.normalization import TENSORFLOW_MOMENTUM, batch_normalization
from tfdream.models.parts.outputs import add_outputs

# Size and strides (frequency, time) of the max pooling after each convolution. The networks of the
# two collections differ in the first layers; these are the values in their stored graphs.
_Pool = tuple[tuple[int, int], tuple[int, int]]
_LAST: tuple[_Pool, ...] = (((2, 2), (2, 2)), ((2, 2), (2, 2)), ((4, 4), (4, 4)))
_POOLS: dict[str, tuple[_Pool, ...]] = {
    "magnatagatune": (((1, 4), (2, 2)), ((2, 2), (2, 2)), *_LAST),
    "million_song": (((1, 4), (1, 4)), ((4, 1), (4, 1)), *_LAST),
}
_normalize = batch_normalization(TENSORFLOW_MOMENTUM)


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    filters: Count = 128,
    pools: Literal["magnatagatune", "million_song"] = "magnatagatune",
    dropout: tuple[Share, Share] = (0.25, 0.5),
    multi_label: bool = False,
) -> keras.Model:
    """Build the model.

    Args:
      input_shape: mel bands, frames and channels of the image.
      classes: number of labels.
      filters: filters of each convolution ``conv1`` … ``conv5``, with ReLU; batch normalization
        ``norm1``, … and max pooling ``pool1``, … follow.
      pools: sizes of the pooling: those of the network trained on MagnaTagATune or on the Million
        Song Dataset.
      dropout: share of activations dropped in training after each pooling but the last, and of
        ``embedding``, the flattened last one.
      multi_label: give each label a probability of its own (sigmoid).
    """

    image = keras.Input(input_shape, name="image")
    x = _normalize(image, "norm0")
    for number, (size, strides) in enumerate(_POOLS[pools], start=1):
        if number > 1:
            x = layers.Dropout(dropout[0], name=f"dropout{number - 1}")(x)
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        x = _normalize(x, f"norm{number}")
        x = layers.MaxPooling2D(size, strides, name=f"pool{number}")(x)
    x = layers.Flatten(name="embedding")(x)
    x = layers.Dropout(dropout[1], name="dropout5")(x)
    return keras.Model(image, add_outputs(x, classes, multi_label), name="musicnn_vgg")
