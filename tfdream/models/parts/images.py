"""Parts of networks that map an image to an image of the same size."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfdream.models.parts.blocks import ConvolutionOptions, convolution

_EPSILON = 1e-5


@keras.saving.register_keras_serializable("tfdream")
class ReflectionPadding(layers.Layer):
    """Pads images by reflection.

    Args:
      size: width of the border in pixels.

    >>> ReflectionPadding(1)(tf.reshape(tf.range(4.0), [1, 2, 2, 1]))[0, :, :, 0].numpy()
    array([[3., 2., 3., 2.],
           [1., 0., 1., 0.],
           [3., 2., 3., 2.],
           [1., 0., 1., 0.]], dtype=float32)
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Pad images `[batch, height, width, channels]`."""
        border = [self.size, self.size]
        return tf.pad(inputs, [[0, 0], border, border, [0, 0]], mode="REFLECT")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the padded images.

        Raises:
          ValueError: if an image is too small to be reflected.
        """
        batch, height, width, channels = input_shape
        if any(side is not None and side <= self.size for side in (height, width)):
            raise ValueError(
                f"a border of {self.size} pixels is too large for images of {height}x{width} pixels"
            )
        border = 2 * self.size
        return batch, height and height + border, width and width + border, channels

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), "size": self.size}


def reflected_convolution(
    x: Any, filters: int, kernel_size: int, name: str, options: ConvolutionOptions
) -> Any:
    """Apply a convolution to images padded by reflection: the output has the input's size."""
    x = ReflectionPadding(kernel_size // 2, name=f"{name}_pad")(x)
    return convolution(x.shape[-1], filters, kernel_size, name, options)(x)


def instance_normalization(name: str) -> layers.GroupNormalization:
    """Create a layer that scales each channel of each image to mean 0 and variance 1.

    Source: Ulyanov, Vedaldi and Lempitsky, "Instance normalization: the missing ingredient for fast
    stylization".
    """
    return layers.GroupNormalization(
        groups=-1, epsilon=_EPSILON, center=False, scale=False, name=f"{name}_norm"
    )


def normalize(x: Any, name: str, relu: bool = True) -> Any:
    """Apply instance normalization and, unless `relu` is false, ReLU."""
    x = instance_normalization(name)(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def downsample(x: Any, filters: int, name: str, options: ConvolutionOptions) -> Any:
    """Apply a convolution of 3×3 that halves height and width, rounding up."""
    x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    return normalize(layers.Conv2D(filters, 3, 2, name=name, **options)(x), name)


def upsample(
    x: Any, filters: int, size: tuple[int, int], name: str, options: ConvolutionOptions
) -> Any:
    """Apply the transpose of the convolution of `downsample`, whose input had the given size.

    This is torch.nn.ConvTranspose2d with padding=1, and output_padding=1 where the size is even.
    """
    height, width = (2 * length + 1 for length in x.shape[1:3])
    x = layers.Conv2DTranspose(filters, 3, 2, name=name, **options)(x)
    crop = (1, height - 1 - size[0]), (1, width - 1 - size[1])
    return normalize(layers.Cropping2D(crop, name=f"{name}_crop")(x), name)


def residual_block(x: Any, name: str, options: ConvolutionOptions) -> Any:
    """Add to an image the output of two convolutions of 3×3.

    Source: Johnson, Alahi and Fei-Fei, "Perceptual losses for real-time style transfer and
    super-resolution", supplementary material.
    """
    filters = x.shape[-1]
    residual = reflected_convolution(x, filters, 3, f"{name}_conv1", options)
    residual = normalize(residual, f"{name}_1")
    residual = reflected_convolution(residual, filters, 3, f"{name}_conv2", options)
    return layers.Add(name=name)([x, normalize(residual, f"{name}_2", relu=False)])


def resnet_generator(
    input_shape: tuple[int, int, int],
    filters: int,
    blocks: int,
    options: ConvolutionOptions | None = None,
) -> keras.Model:
    """Build a generator of images in [-1, 1]: encoder, residual blocks and decoder.

    Args:
      input_shape: height, width and channels of the image; the output has the same shape.
      filters: filters of the first convolution; the next two have twice and four times as many.
      blocks: number of residual blocks, at a quarter of the image's size.
      options: arguments of every convolution.
    """
    options = options or {}
    image = keras.Input(input_shape, name="image")
    x = normalize(reflected_convolution(image, filters, 7, "conv1", options), "conv1")
    sizes = []
    for number in (2, 3):
        sizes.append(x.shape[1:3])
        filters *= 2
        x = downsample(x, filters, f"conv{number}", options)
    for number in range(1, blocks + 1):
        x = residual_block(x, f"block{number}", options)
    for number in (4, 5):
        filters //= 2
        x = upsample(x, filters, sizes.pop(), f"conv{number}", options)
    x = reflected_convolution(x, input_shape[2], 7, "conv6", options)
    translated = layers.Activation("tanh", dtype="float32", name="translated")(x)
    return keras.Model(image, translated, name="generator")
