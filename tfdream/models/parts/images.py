"""Parts of networks that turn an image into another one of its size."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfdream.models.parts.blocks import convolution

_EPSILON = 1e-5


@keras.saving.register_keras_serializable("tfdream")
class InstanceNormalization(layers.Layer):
    """Every channel of every image gets mean 0 and variance 1; no weights.

    Source: Ulyanov, Vedaldi and Lempitsky, "Instance normalization: the missing ingredient for fast
    stylization".
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Images `[batch, height, width, channels]`, the same shape; moments are float32."""
        images = tf.cast(inputs, tf.float32)
        mean, variance = tf.nn.moments(images, axes=[1, 2], keepdims=True)
        return tf.cast((images - mean) * tf.math.rsqrt(variance + _EPSILON), inputs.dtype)


@keras.saving.register_keras_serializable("tfdream")
class ReflectionPadding(layers.Layer):
    """Images get a border that mirrors what lies within.

    Args:
      size: of the border, in pixels.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Images `[batch, height, width, channels]`, larger by twice the border."""
        border = [self.size, self.size]
        return tf.pad(inputs, [[0, 0], border, border, [0, 0]], mode="REFLECT")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """What `call` makes of a shape.

        Raises:
          ValueError: if an image is too small to be mirrored.
        """
        batch, height, width, channels = input_shape
        if any(side is not None and side <= self.size for side in (height, width)):
            raise ValueError(f"a border of {self.size} cannot mirror {height}x{width} pixels")
        border = 2 * self.size
        return batch, height and height + border, width and width + border, channels

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "size": self.size}


def reflected_convolution(x: Any, filters: int, kernel_size: int, name: str, **how: Any) -> Any:
    """A convolution whose output has the size of its input, of images with mirrored borders."""
    x = ReflectionPadding(kernel_size // 2, name=f"{name}_pad")(x)
    return convolution(x.shape[-1], filters, kernel_size, name=name, **how)(x)


def normalize(x: Any, name: str, relu: bool = True) -> Any:
    """Instance normalization and, unless told otherwise, ReLU."""
    x = InstanceNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def halve(x: Any, filters: int, name: str, **how: Any) -> Any:
    """A convolution of 3×3 that halves height and width, rounding up."""
    x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    return normalize(layers.Conv2D(filters, 3, 2, name=name, **how)(x), name)


def double(x: Any, filters: int, size: tuple[int, int], name: str, **how: Any) -> Any:
    """The transpose of `halve`, to the size that was halved.

    As torch.nn.ConvTranspose2d with padding 1, whose output_padding is 1 where the size is even.
    """
    height, width = (2 * length + 1 for length in x.shape[1:3])
    x = layers.Conv2DTranspose(filters, 3, 2, name=name, **how)(x)
    crop = (1, height - 1 - size[0]), (1, width - 1 - size[1])
    return normalize(layers.Cropping2D(crop, name=f"{name}_crop")(x), name)


def residual_block(x: Any, name: str, **how: Any) -> Any:
    """Two convolutions of 3×3, and a way around them.

    Source: Johnson, Alahi and Fei-Fei, "Perceptual losses for real-time style transfer and
    super-resolution", supplementary material.
    """
    filters = x.shape[-1]
    changed = normalize(reflected_convolution(x, filters, 3, f"{name}_conv1", **how), f"{name}_1")
    changed = reflected_convolution(changed, filters, 3, f"{name}_conv2", **how)
    return layers.Add(name=name)([x, normalize(changed, f"{name}_2", relu=False)])


def translator(
    input_shape: tuple[int, int, int], filters: int, blocks: int, name: str, **how: Any
) -> keras.Model:
    """Encoder, residual blocks and decoder: images in [-1, 1] to images of the same size.

    Args:
      input_shape: height, width and channels of the image.
      filters: of the first convolution; the next two have twice and four times as many.
      blocks: residual ones, at a quarter of the size.
      name: of the model.
      how: arguments of every convolution.
    """
    image = keras.Input(input_shape, name="image")
    x = normalize(reflected_convolution(image, filters, 7, "conv1", **how), "conv1")
    sizes = []
    for number in (2, 3):
        sizes.append(x.shape[1:3])
        filters *= 2
        x = halve(x, filters, f"conv{number}", **how)
    for number in range(1, blocks + 1):
        x = residual_block(x, f"block{number}", **how)
    for number in (4, 5):
        filters //= 2
        x = double(x, filters, sizes.pop(), f"conv{number}", **how)
    x = reflected_convolution(x, input_shape[2], 7, "conv6", **how)
    translated = layers.Activation("tanh", dtype="float32", name="translated")(x)
    return keras.Model(image, translated, name=name)
