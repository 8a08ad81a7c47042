"""A perceptron on statistics of the texture of a sound.

It is for sounds that last, or repeat, and for small collections: the statistics, which have no
weights, replace the convolutions that would be trained, and are independent of the position of an
event in time.

Source: the statistics are those of `tfdream.models.parts.texture`; the layers are tfdream's.
"""

import keras
from keras import layers

from tfdream.config import Count, Share
from tfdream.models.parts.normalization import batch_normalization
from tfdream.models.parts.outputs import add_outputs
from tfdream.models.parts.texture import TextureStatistics


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    units: Count = 128,
    dropout: tuple[Share, Share] = (0.2, 0.5),
    momentum: Share = 0.9,
) -> keras.Model:
    """Build the model.

    Args:
      input_shape: bands, frames and channels of the image, which has one channel.
      classes: number of labels.
      units: units of the dense layer, whose activations are ``embedding``.
      dropout: share of the statistics, and of ``embedding``, dropped in training.
      momentum: momentum of the moving statistics of batch normalization.
    """
    image = keras.Input(input_shape, name="image")
    x = TextureStatistics(name="texture")(image)
    x = layers.Normalization(axis=1, name="standardize", dtype="float32")(x)
    x = layers.Dropout(dropout[0], name="dropout1")(x)
    x = layers.Dense(units, use_bias=False, name="dense")(x)
    x = batch_normalization(momentum)(x, "norm")
    x = layers.ReLU(name="embedding")(x)
    x = layers.Dropout(dropout[1], name="dropout2")(x)
    return keras.Model(image, add_outputs(x, classes), name="texture_mlp")
