"""A small CycleGAN for whole spectrograms: three residual blocks, one logit for each image.

Source: "Music Generation Using Style Transfer", section 3.3. Its table prints 8 channels for the
residual blocks, where the layers around them have 16.
"""

import keras
from keras import layers
from pydantic import NonNegativeInt

from tfdream.config import Count
from tfdream.models.gan.base import GanNetworks
from tfdream.models.parts.images import ReflectionPadding, resnet_generator


def build(
    input_shape: tuple[int, int, int],
    *,
    filters: Count = 4,
    blocks: NonNegativeInt = 3,
    discriminator_filters: Count = 8,
    units: Count = 512,
) -> GanNetworks:
    """Build the networks.

    Args:
      input_shape: height, width and channels of the image.
      filters: filters of the generator's first convolution.
      blocks: residual blocks of the generator.
      discriminator_filters: filters of the discriminator's first convolution.
      units: units of the discriminator's dense layer.
    """
    generator = resnet_generator(input_shape, filters, blocks)
    return GanNetworks(generator, _discriminator(input_shape, discriminator_filters, units))


def _discriminator(input_shape: tuple[int, int, int], filters: int, units: int) -> keras.Model:
    """Build the discriminator: a logit float32 `[batch, 1]`; the loss applies the sigmoid."""
    image = keras.Input(input_shape, name="image")
    x = ReflectionPadding(1, name="conv1_reflected")(image)
    for number, (kernel_size, padding) in enumerate([(4, 1), (3, 2), (3, 2)], start=1):
        x = layers.ZeroPadding2D(padding, name=f"conv{number}_pad")(x)
        x = layers.Conv2D(filters * 2 ** (number - 1), kernel_size, 2, name=f"conv{number}")(x)
        if number < 3:
            x = layers.ReLU(name=f"conv{number}_relu")(x)
        x = layers.MaxPooling2D(3, 2, name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(units, activation="relu", name="dense")(x)
    x = layers.Dense(1, dtype="float32", name="logits")(x)
    return keras.Model(image, x, name="discriminator")
