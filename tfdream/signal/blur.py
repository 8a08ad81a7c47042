"""Gaussian blurs of images, in the graph."""

import math

import tensorflow as tf


def blur(
    image: tf.Tensor, sigmas: tuple[tf.Tensor | float, tf.Tensor | float], widest: float
) -> tf.Tensor:
    """Blur images along height and width; what lies outside counts as zero.

    Args:
      image: float32 `[batch, height, width, channels]`.
      sigmas: standard deviations along height and width, in cells; 0 for none.
      widest: at least as large as both; it sets how far the kernel reaches.
    """
    radius = math.ceil(3 * widest)
    # One channel at a time: that is the convolution that is fast on a CPU.
    channels = [channel[..., tf.newaxis] for channel in tf.unstack(image, axis=3)]
    for axis, sigma in enumerate(sigmas):
        size = image.shape[1 + axis]
        if size == 1 or (isinstance(sigma, float | int) and not sigma):
            continue
        # What lies further away than the image is large is outside of it.
        kernel = _kernel(sigma, radius if size is None else min(radius, size), axis)
        channels = [tf.nn.conv2d(channel, kernel, 1, "SAME") for channel in channels]
    return tf.concat(channels, axis=3)


def _kernel(sigma: tf.Tensor | float, radius: int, axis: int) -> tf.Tensor:
    offsets = tf.range(-radius, radius + 1, dtype=tf.float32)
    weights = tf.exp(-((offsets / sigma) ** 2) / 2)
    shape = [1, 1, 1, 1]
    shape[axis] = -1
    return tf.reshape(weights / tf.reduce_sum(weights), shape)
