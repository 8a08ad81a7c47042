"""CycleGAN: a generator of residual blocks and a discriminator of overlapping patches.

Source: Zhu et al., "Unpaired image-to-image translation using cycle-consistent adversarial
networks", appendix 7.2, and the authors' implementation where that is silent (biases, paddings);
for spectrograms, "Dreaming in Music", section III-E.
"""

from typing import Any

import keras
from keras import layers

from tfdream.models.gan import GanNetworks
from tfdream.models.parts.images import InstanceNormalization, translator


def build(
    input_shape: tuple[int, int, int],
    *,
    filters: int = 64,
    blocks: int = 9,
    discriminator_filters: int = 64,
    discriminator_layers: int = 3,
) -> GanNetworks:
    """Build the pair.

    Args:
      input_shape: height, width and channels of the image.
      filters: of the generator's first convolution.
      blocks: residual blocks of the generator: 9 for images of 256×256, 6 for 128×128.
      discriminator_filters: of the discriminator's first convolution.
      discriminator_layers: its strided convolutions; 3 make patches of 70×70 pixels, 2 of 34×34.
    """
    generator = translator(input_shape, filters, blocks, "generator", **_initialized())
    return GanNetworks(
        generator, _patches(input_shape, discriminator_filters, discriminator_layers)
    )


def _initialized() -> dict[str, Any]:
    # As a description, of which each layer makes its own: one initializer gives all the same.
    normal = keras.initializers.RandomNormal(stddev=0.02)
    return {"kernel_initializer": keras.initializers.serialize(normal)}


def _patches(input_shape: tuple[int, int, int], filters: int, strided: int) -> keras.Model:
    """PatchGAN: whether each patch is real, float32 `[batch, height, width, 1]`.

    Source: Isola et al., "Image-to-image translation with conditional adversarial networks", 6.1.2.
    """
    image = keras.Input(input_shape, name="image")
    x = image
    for number in range(1, strided + 2):
        x = layers.ZeroPadding2D(1, name=f"conv{number}_pad")(x)
        stride = 2 if number <= strided else 1
        x = layers.Conv2D(
            filters * 2 ** min(number - 1, 3), 4, stride, name=f"conv{number}", **_initialized()
        )(x)
        if number > 1:
            x = InstanceNormalization(name=f"conv{number}_norm")(x)
        x = layers.LeakyReLU(0.2, name=f"conv{number}_relu")(x)
    x = layers.ZeroPadding2D(1, name="judgement_pad")(x)
    x = layers.Conv2D(1, 4, dtype="float32", name="judgement", **_initialized())(x)
    return keras.Model(image, x, name="discriminator")
