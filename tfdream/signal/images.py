"""Bilinear resizing of images, with a gradient as fast as the resizing itself.

The result is that of `tf.image.resize` with ``antialias=True``, computed as products with banded
matrices. A sequence of sizes is one product.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Size = tuple[int, int]
"""Height and width."""

# Rows of a resizing matrix in one product: fewer rows give many small products, more rows multiply
# more zeros.
_BLOCK_ROWS = 64


def resize(image: tf.Tensor, *sizes: Size) -> tf.Tensor:
    """Resize images.

    Args:
      image: float32 `[batch, height, width, channels]` with static height and width.
      sizes: sizes to resize to, one after the other.

    Returns:
      float32 `[batch, height, width, channels]` of the last size.

    >>> ramp = tf.reshape([0.0, 1.0, 2.0, 3.0], [1, 1, 4, 1])
    >>> resize(ramp, (1, 2))[0, 0, :, 0].numpy().round(3)
    array([0.714, 2.286], dtype=float32)
    """
    return spectra_to_images(tf.transpose(image, [0, 2, 1, 3]), *sizes)


def spectra_to_images(planes: tf.Tensor, *sizes: Size) -> tf.Tensor:
    """Transpose spectra to images, and resize these.

    Args:
      planes: float32 `[batch, frames, bins, channels]` with static frames and bins.
      sizes: sizes of the image to resize to, one after the other; by default bins and frames.

    Returns:
      float32 `[batch, height, width, channels]` of the last size.

    >>> spectra_to_images(tf.zeros([1, 101, 513, 1])).shape
    TensorShape([1, 513, 101, 1])
    >>> spectra_to_images(tf.zeros([1, 101, 513, 1]), (256, 256)).shape
    TensorShape([1, 256, 256, 1])
    """
    width, height = planes.shape[1:3]
    widths = (width, *(size[1] for size in sizes))
    heights = (height, *(size[0] for size in sizes))
    if len(set(widths)) == 1 and len(set(heights)) == 1:
        return tf.transpose(planes, [0, 2, 1, 3])
    along_width, along_height = _matrices(widths), _matrices(heights)
    images = []
    for channel in tf.unstack(planes, axis=3):
        narrow = _product(channel, *along_width)
        images.append(_transposed_product(narrow, *along_height))
    return tf.stack(images, axis=3)


class _Block(NamedTuple):
    """Consecutive rows of a matrix, without the columns that are zero in all of them."""

    start: int
    stop: int
    weights: NDArray[np.float32]
    """float32 `[rows, stop − start]`"""


_Matrix = tuple[_Block, ...]
_Gradient = Callable[[tf.Tensor], tf.Tensor]


def _product(planes: tf.Tensor, matrix: _Matrix, transpose: _Matrix) -> tf.Tensor:
    """Return M·X for planes X `[batch, inputs, any]`: `[batch, outputs, any]`."""

    def multiply(blocks: _Matrix, planes: tf.Tensor) -> tf.Tensor:
        products = [
            tf.matmul(block.weights, planes[:, block.start : block.stop]) for block in blocks
        ]
        return tf.concat(products, axis=1)

    @tf.custom_gradient
    def product(planes: tf.Tensor) -> tuple[tf.Tensor, _Gradient]:
        return multiply(matrix, planes), lambda gradient: multiply(transpose, gradient)

    return product(planes)


def _transposed_product(planes: tf.Tensor, matrix: _Matrix, transpose: _Matrix) -> tf.Tensor:
    """Return M·Xᵀ for planes X `[batch, any, inputs]`: `[batch, outputs, any]`."""

    @tf.custom_gradient
    def product(planes: tf.Tensor) -> tuple[tf.Tensor, _Gradient]:
        products = [
            tf.matmul(block.weights, planes[..., block.start : block.stop], transpose_b=True)
            for block in matrix
        ]
        return tf.concat(products, axis=1), gradient

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        products = [
            tf.matmul(
                upstream[:, block.start : block.stop],
                block.weights,
                transpose_a=True,
                transpose_b=True,
            )
            for block in transpose
        ]
        return tf.concat(products, axis=2)

    return product(planes)


@functools.cache  # a program uses few sizes
def _matrices(lengths: tuple[int, ...]) -> tuple[_Matrix, _Matrix]:
    """Return the matrix that resizes from length to length in turn, and its transpose."""
    with tf.init_scope():
        weights = tf.eye(lengths[0])
        for length in lengths[1:]:
            columns = weights[tf.newaxis, ..., tf.newaxis]
            weights = tf.image.resize(columns, (length, lengths[0]), antialias=True)[0, ..., 0]
    return _blocks(weights.numpy()), _blocks(weights.numpy().T)


def _blocks(weights: NDArray[np.float32]) -> _Matrix:
    blocks = []
    for first in range(0, len(weights), _BLOCK_ROWS):
        rows = weights[first : first + _BLOCK_ROWS]
        used = np.flatnonzero(rows.any(axis=0))
        start, stop = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
        blocks.append(_Block(start, stop, np.ascontiguousarray(rows[:, start:stop])))
    return tuple(blocks)
