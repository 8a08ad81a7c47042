"""Convolutions of few channels, computed where processors are fast: on many."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

_BLOCK = 4
# More channels than this are enough as they are.
_FEW_OUT, _FEW = 4, 64


def convolution(channels: int, filters: int, kernel_size: int, **how: Any) -> layers.Conv2D:
    """A convolution with a stride of one and without padding, by blocks where that is faster.

    Args:
      channels: of its input.
      filters: of its output.
      kernel_size: of its square kernel.
      how: arguments of the layer.
    """
    few = filters <= _FEW_OUT or channels * filters <= _FEW
    kind = BlockConvolution if kernel_size > _BLOCK and few else layers.Conv2D
    return kind(filters, kernel_size, **how)


@keras.saving.register_keras_serializable("tfdream")
class BlockConvolution(layers.Conv2D):
    """What Conv2D computes with its weights, as a convolution of blocks of 4×4 pixels.

    A block's pixels become channels, of the input and of the output. The kernel of blocks holds the
    small one at every place that it takes in a block, and zeros: three times the products, but
    of matrices that are sixteen times as wide. Convolutions of 7×7 pixels from or to one
    channel are three to five times as fast. The stride is one, there is no padding, and height and
    width are known.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Images `[batch, height, width, channels]`."""
        size = self.kernel_size[0]
        window = -(-(size + _BLOCK - 1) // _BLOCK)  # blocks that a block's kernel reaches over
        outputs = [length - size + 1 for length in inputs.shape[1:3]]
        blocks = [-(-length // _BLOCK) for length in outputs]
        missing = [
            (count + window - 1) * _BLOCK - length
            for count, length in zip(blocks, inputs.shape[1:3], strict=True)
        ]
        padded = tf.pad(inputs, [[0, 0], [0, missing[0]], [0, missing[1]], [0, 0]])
        kernel = self._kernel_of_blocks(tf.cast(self.kernel, inputs.dtype), window)
        found = tf.nn.conv2d(tf.nn.space_to_depth(padded, _BLOCK), kernel, 1, "VALID")
        pixels = tf.nn.depth_to_space(found, _BLOCK)[:, : outputs[0], : outputs[1]]
        return pixels + tf.cast(self.bias, pixels.dtype) if self.use_bias else pixels

    def _kernel_of_blocks(self, kernel: tf.Tensor, window: int) -> tf.Tensor:
        """`[size, size, in, out]` → `[window, window, 16 × in, 16 × out]`."""
        size, _, channels, filters = kernel.shape
        spare = window * _BLOCK - size
        places = [
            tf.pad(kernel, [[down, spare - down], [right, spare - right], [0, 0], [0, 0]])
            for down in range(_BLOCK)
            for right in range(_BLOCK)
        ]
        of_pixels = tf.reshape(
            tf.stack(places, axis=3),
            [window, _BLOCK, window, _BLOCK, channels, len(places) * filters],
        )
        of_blocks = tf.transpose(of_pixels, [0, 2, 1, 3, 4, 5])
        return tf.reshape(
            of_blocks, [window, window, len(places) * channels, len(places) * filters]
        )
