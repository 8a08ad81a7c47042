"""Resizing of images, with a gradient that costs no more than the resizing itself.

Bilinear, and filtered when they shrink: what `tf.image.resize` computes with ``antialias=True``, as
products with banded matrices. Several sizes, one after the other, are one product.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

Size = tuple[int, int]
"""Height and width."""

# Rows of a resizing matrix that are multiplied together: fewer would be many small products, more
# would multiply with zeros.
_BLOCK_ROWS = 64


def resize(image: tf.Tensor, *sizes: Size) -> tf.Tensor:
    """Resize images.

    Args:
      image: float32 `[batch, height, width, channels]`; its height and width are known.
      sizes: heights and widths, one after the other.

    Returns:
      float32 `[batch, height, width, channels]` of the last size.
    """
    turned = tf.transpose(image, [0, 2, 1, 3])
    return turn(turned, *sizes)


def turn(planes: tf.Tensor, *sizes: Size) -> tf.Tensor:
    """Turn spectra, frame by frame, into images, and resize these.

    Args:
      planes: float32 `[batch, width, height, channels]`; width and height are known.
      sizes: of the image, one after the other; none to turn it only.

    Returns:
      float32 `[batch, height, width, channels]` of the last size.
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
        images.append(_turned_product(narrow, *along_height))
    return tf.stack(images, axis=3)


class _Block(NamedTuple):
    """Neighboring rows of a matrix, without the columns where all of them are zero."""

    start: int
    stop: int
    weights: np.ndarray
    """float32 `[rows, stop − start]`"""


_Matrix = tuple[_Block, ...]
_Gradient = Callable[[tf.Tensor], tf.Tensor]


def _product(planes: tf.Tensor, matrix: _Matrix, transpose: _Matrix) -> tf.Tensor:
    """M·X of planes X `[batch, inputs, any]`: `[batch, outputs, any]`."""

    def multiply(by: _Matrix, planes: tf.Tensor) -> tf.Tensor:
        products = [tf.matmul(block.weights, planes[:, block.start : block.stop]) for block in by]
        return tf.concat(products, axis=1)

    @tf.custom_gradient
    def product(planes: tf.Tensor) -> tuple[tf.Tensor, _Gradient]:
        return multiply(matrix, planes), lambda gradient: multiply(transpose, gradient)

    return product(planes)


def _turned_product(planes: tf.Tensor, matrix: _Matrix, transpose: _Matrix) -> tf.Tensor:
    """M·Xᵀ of planes X `[batch, any, inputs]`: `[batch, outputs, any]`."""

    @tf.custom_gradient
    def product(planes: tf.Tensor) -> tuple[tf.Tensor, _Gradient]:
        products = [
            tf.matmul(block.weights, planes[..., block.start : block.stop], transpose_b=True)
            for block in matrix
        ]
        return tf.concat(products, axis=1), back

    def back(gradient: tf.Tensor) -> tf.Tensor:
        products = [
            tf.matmul(
                gradient[:, block.start : block.stop],
                block.weights,
                transpose_a=True,
                transpose_b=True,
            )
            for block in transpose
        ]
        return tf.concat(products, axis=2)

    return product(planes)


@functools.cache  # the same few sizes again and again
def _matrices(lengths: tuple[int, ...]) -> tuple[_Matrix, _Matrix]:
    """The matrix that changes the first length into the last, by way of all, and its transpose."""
    with tf.init_scope():
        weights = tf.eye(lengths[0])
        for length in lengths[1:]:
            columns = weights[tf.newaxis, ..., tf.newaxis]
            weights = tf.image.resize(columns, (length, lengths[0]), antialias=True)[0, ..., 0]
    return _blocks(weights.numpy()), _blocks(weights.numpy().T)


def _blocks(weights: np.ndarray) -> _Matrix:
    blocks = []
    for first in range(0, len(weights), _BLOCK_ROWS):
        rows = weights[first : first + _BLOCK_ROWS]
        used = np.flatnonzero(rows.any(axis=0))
        start, stop = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
        blocks.append(_Block(start, stop, np.ascontiguousarray(rows[:, start:stop])))
    return tuple(blocks)
