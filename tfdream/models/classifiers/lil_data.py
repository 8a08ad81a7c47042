"""Lil Data: four convolutions and a dense layer.

Source: "On the Generation of Music", section 4 and figure 2.
"""

import keras
from keras import layers

from tfdream.config import Count, Share
from tfdream.models.parts import imagenet
from tfdream.models.parts.outputs import add_outputs


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    filters: tuple[Count, ...] = (8, 16, 32, 64),
    kernel_size: Count = 3,
    pool_size: Count = 4,
    dense_units: Count = 48,
    dropout: Share = 0.5,
    imagenet_center: bool = False,
) -> keras.Model:
    """Build the model.

    Args:
      input_shape: height, width and channels of the image.
      classes: number of labels.
      filters: filters of each convolution ``conv1``, ``conv2``, …; max pooling follows each.
      kernel_size: size of the convolutions, which are padded with zeros.
      pool_size: size of the pooling, which drops an incomplete border.
      dense_units: units of the layer ``embedding``.
      dropout: share of ``embedding`` dropped in training.
      imagenet_center: center the image as Keras centers that of ResNet-50: 255 × gray minus the
        mean of ImageNet, here that of all three channels.
    """
    image = keras.Input(input_shape, name="image")
    x = image
    if imagenet_center:
        x = layers.Rescaling(255.0, offset=-imagenet.GRAY_MEAN, name="center")(x)
    for number, count in enumerate(filters, start=1):
        x = layers.Conv2D(
            count, kernel_size, padding="same", activation="relu", name=f"conv{number}"
        )(x)
        x = layers.MaxPooling2D(pool_size, name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(dense_units, activation="relu", name="embedding")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(image, add_outputs(x, classes), name="lil_data")
