"""CycleGAN: a generator of residual blocks and a discriminator of overlapping patches.

Source: Zhu et al., "Unpaired image-to-image translation using cycle-consistent adversarial
networks", appendix 7.2, and the authors' implementation where that is silent (biases, paddings);
for spectrograms, "Dreaming in Music", section III-E.
"""

import keras
from keras import layers
from pydantic import NonNegativeInt

from tfdream.config import Count
from tfdream.models.gan.base import GanNetworks, strided_convolutions
from tfdream.models.parts.blocks import ConvolutionOptions
from tfdream.models.parts.images import instance_normalization, resnet_generator


def build(
    input_shape: tuple[int, int, int],
    *,
    filters: Count = 64,
    blocks: NonNegativeInt = 9,
    discriminator_filters: Count = 64,
    discriminator_layers: NonNegativeInt = 3,
) -> GanNetworks:
    """Build the networks.

    Args:
      input_shape: height, width and channels of the image.
      filters: filters of the generator's first convolution.
      blocks: residual blocks of the generator: 9 for images of 256×256, 6 for 128×128.
      discriminator_filters: filters of the discriminator's first convolution.
      discriminator_layers: strided convolutions of the discriminator; 3 give patches of 70×70
        pixels, 2 of 34×34.
    """
    return GanNetworks(
        resnet_generator(input_shape, filters, blocks, _initialization()),
        _patch_discriminator(input_shape, discriminator_filters, discriminator_layers),
    )


def _initialization() -> ConvolutionOptions:
    # Serialized, so that each layer creates its own: a shared initializer gives equal weights.
    normal = keras.initializers.RandomNormal(stddev=0.02)
    return {"kernel_initializer": keras.initializers.serialize(normal)}


def _patch_discriminator(
    input_shape: tuple[int, int, int], filters: int, strided: int
) -> keras.Model:
    """Build a PatchGAN: one logit for each patch, float32 `[batch, height, width, 1]`.

    Source: Isola et al., "Image-to-image translation with conditional adversarial networks", 6.1.2.
    """
    image = keras.Input(input_shape, name="image")
    x = image
    convolutions = strided_convolutions(filters, strided, most_doublings=3)
    for number, (own, stride) in enumerate(convolutions, start=1):
        x = layers.ZeroPadding2D(1, name=f"conv{number}_pad")(x)
        x = layers.Conv2D(own, 4, stride, name=f"conv{number}", **_initialization())(x)
        if number > 1:
            x = instance_normalization(f"conv{number}")(x)
        x = layers.LeakyReLU(0.2, name=f"conv{number}_relu")(x)
    x = layers.ZeroPadding2D(1, name="logits_pad")(x)
    x = layers.Conv2D(1, 4, dtype="float32", name="logits", **_initialization())(x)
    return keras.Model(image, x, name="discriminator")
