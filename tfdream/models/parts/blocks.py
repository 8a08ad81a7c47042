"""Fast convolutions of few channels: blocks of pixels become channels."""

from typing import Any, TypedDict

import keras
import tensorflow as tf
from keras import layers

_BLOCK = 4
# Blocks are faster up to so many filters, or products of channels and filters.
_MOST_FILTERS, _MOST_PRODUCTS = 4, 64


class ConvolutionOptions(TypedDict, total=False):
    """Arguments of every convolution of a network."""

    kernel_initializer: dict[str, Any] | str


def convolution(
    channels: int,
    filters: int,
    kernel_size: int,
    name: str | None = None,
    options: ConvolutionOptions | None = None,
) -> layers.Conv2D:
    """Create a convolution of stride 1 without padding, computed in blocks where that is faster.

    Args:
      channels: channels of the input.
      filters: channels of the output.
      kernel_size: height and width of the kernel.
      name: name of the layer.
      options: further arguments of the layer.

    >>> type(convolution(channels=1, filters=64, kernel_size=7)).__name__
    'BlockConvolution'
    >>> type(convolution(channels=64, filters=64, kernel_size=7)).__name__
    'Conv2D'
    """
    few = filters <= _MOST_FILTERS or channels * filters <= _MOST_PRODUCTS
    layer_type = BlockConvolution if kernel_size > _BLOCK and few else layers.Conv2D
    return layer_type(filters, kernel_size, name=name, **(options or {}))


@keras.saving.register_keras_serializable("tfdream")
class BlockConvolution(layers.Conv2D):
    """Computes the outputs of Conv2D, with its weights, as a convolution of blocks of 4×4 pixels.

    The pixels of a block become channels of the input and of the output. The kernel for blocks
    contains the original kernel at each of its positions in a block, and zeros elsewhere. This
    takes three times as many products, but of matrices that are sixteen times as wide: convolutions
    of 7×7 pixels from or to one channel are three to five times as fast. The stride must be 1,
    padding "valid", and the height and width of the input static.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Convolve images `[batch, height, width, channels]`."""
        size = self.kernel_size[0]
        window = -(-(size + _BLOCK - 1) // _BLOCK)  # blocks that the kernel for blocks covers
        outputs = [length - size + 1 for length in inputs.shape[1:3]]
        blocks = [-(-length // _BLOCK) for length in outputs]
        missing = [
            (count + window - 1) * _BLOCK - length
            for count, length in zip(blocks, inputs.shape[1:3], strict=True)
        ]
        padded = tf.pad(inputs, [[0, 0], [0, missing[0]], [0, missing[1]], [0, 0]])
        kernel = self._block_kernel(tf.cast(self.kernel, inputs.dtype), window)
        convolved = tf.nn.conv2d(tf.nn.space_to_depth(padded, _BLOCK), kernel, 1, "VALID")
        pixels = tf.nn.depth_to_space(convolved, _BLOCK)[:, : outputs[0], : outputs[1]]
        if self.use_bias:
            pixels += tf.cast(self.bias, pixels.dtype)
        return self.activation(pixels)

    def _block_kernel(self, kernel: tf.Tensor, window: int) -> tf.Tensor:
        """Convert `[size, size, in, out]` to `[window, window, 16 × in, 16 × out]`."""
        size, _, channels, filters = kernel.shape
        margin = window * _BLOCK - size
        shifted = [
            tf.pad(kernel, [[down, margin - down], [right, margin - right], [0, 0], [0, 0]])
            for down in range(_BLOCK)
            for right in range(_BLOCK)
        ]
        by_pixel = tf.reshape(
            tf.stack(shifted, axis=3),
            [window, _BLOCK, window, _BLOCK, channels, len(shifted) * filters],
        )
        by_block = tf.transpose(by_pixel, [0, 2, 1, 3, 4, 5])
        return tf.reshape(
            by_block, [window, window, len(shifted) * channels, len(shifted) * filters]
        )
