"""Convolutions over time whose channels are frequency bands; the generator predicts gains.

The output is the input plus a bounded change, so that an untrained generator changes nothing and
the notes of a recording remain where they are. The discriminator's convolutions have spectral
normalization.

Source: convolutions over time as in Kaneko and Kameoka, "CycleGAN-VC: non-parallel voice conversion
using cycle-consistent adversarial networks"; spectral normalization as in Miyato et al., "Spectral
normalization for generative adversarial networks"; the bounded change is our own.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import layers
from pydantic import NonNegativeInt

from tfdream.config import Count, Positive
from tfdream.models.gan.base import GanNetworks, strided_convolutions
from tfdream.models.parts.frames import SpectralConvolution, stack_blocks


@keras.saving.register_keras_serializable("tfdream")
class BoundedChange(layers.Layer):
    """Adds a bounded change to an image of levels, and moves its maximum to 1.

    Silence, an image of −1, stays as it is.

    Args:
      bound: largest change of a cell before the maximum is moved, as a share of the image's range.
    """

    def __init__(self, bound: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bound = bound

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Return image plus change, float32 `[batch, bands, frames, channels]` in [−1, 1]."""
        image, change = (tf.cast(each, tf.float32) for each in inputs)
        levels = image + 2 * self.bound * tf.tanh(change)
        levels -= _maximum(levels) - 1
        return tf.where(_maximum(image) > -1, tf.maximum(levels, -1.0), image)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), "bound": self.bound}


def build(
    input_shape: tuple[int, int, int],
    *,
    filters: Count = 128,
    blocks: NonNegativeInt = 4,
    kernel: Count = 5,
    bound: Positive = 0.35,
    discriminator_filters: Count = 96,
    discriminator_layers: NonNegativeInt = 3,
) -> GanNetworks:
    """Build the networks.

    Args:
      input_shape: bands, frames and channels of the image.
      filters: channels of the generator.
      blocks: residual blocks of the generator.
      kernel: frames of each convolution but the last of the discriminator, which has three.
      bound: largest change of a level, apart from the move of the maximum to 1, as a share of the
        image's range.
      discriminator_filters: channels of the discriminator's first convolution; each strided
        convolution doubles them, up to twice as many.
      discriminator_layers: strided convolutions of the discriminator.
    """
    return GanNetworks(
        _generator(input_shape, filters, blocks, kernel, bound),
        _discriminator(input_shape, discriminator_filters, discriminator_layers, kernel),
    )


def _generator(
    input_shape: tuple[int, int, int], filters: int, blocks: int, kernel: int, bound: float
) -> keras.Model:
    image = keras.Input(input_shape, name="image")
    bands, frames, channels = input_shape
    x = stack_blocks(_to_frames(image), filters, blocks, kernel, "trunk")
    x = layers.Dense(
        bands * channels, kernel_initializer="zeros", dtype="float32", name="change_of_frames"
    )(x)
    x = layers.Reshape((frames, bands, channels), name="change_of_bands")(x)
    change = layers.Permute((2, 1, 3), name="change")(x)
    translated = BoundedChange(bound, dtype="float32", name="translated")([image, change])
    return keras.Model(image, translated, name="generator")


def _discriminator(
    input_shape: tuple[int, int, int], filters: int, strided: int, kernel: int
) -> keras.Model:
    """Build the discriminator: one logit for each part of some frames, `[batch, parts, 1]`."""
    image = keras.Input(input_shape, name="image")
    x = _to_frames(image)
    convolutions = strided_convolutions(filters, strided, most_doublings=1)
    for number, (own, stride) in enumerate(convolutions, start=1):
        x = SpectralConvolution(own, kernel, stride, padding="same", name=f"conv{number}")(x)
        x = layers.LeakyReLU(0.2, name=f"conv{number}_relu")(x)
    x = SpectralConvolution(1, 3, padding="same", dtype="float32", name="logits")(x)
    return keras.Model(image, x, name="discriminator")


def _maximum(images: tf.Tensor) -> tf.Tensor:
    return tf.reduce_max(images, axis=[1, 2, 3], keepdims=True)


def _to_frames(image: Any) -> Any:
    """Return frames `[batch, frames, bands × channels]` of images."""
    bands, frames, channels = image.shape[1:]
    x = layers.Permute((2, 1, 3), name="frames_first")(image)
    return layers.Reshape((frames, bands * channels), name="frames")(x)
