"""Gaussian blur of images and of the cells of an STFT, as TensorFlow operations."""

import math

import tensorflow as tf

from tfdream.config import StftSpec


def blur(
    image: tf.Tensor, sigmas: tuple[tf.Tensor | float, tf.Tensor | float], widest: float
) -> tf.Tensor:
    """Blur images along height and width, with zeros outside of the image.

    The kernel has a sum of 1 within the image's size in both directions: an image that is smaller
    than three deviations loses less than half of its sum.

    Args:
      image: float32 `[batch, height, width, channels]`.
      sigmas: standard deviations along height and width, in pixels; 0 disables the axis.
      widest: upper bound of both; the kernel's radius is three times this.

    >>> impulse = tf.reshape([0.0, 0.0, 1.0, 0.0, 0.0], [1, 1, 5, 1])
    >>> blur(impulse, (0, 0.5), widest=0.5)[0, 0, :, 0].numpy().round(3)
    array([0.   , 0.106, 0.787, 0.106, 0.   ], dtype=float32)
    """
    radius = math.ceil(3 * widest)
    # On a CPU, convolutions of single channels are the fastest.
    channels = [channel[..., tf.newaxis] for channel in tf.unstack(image, axis=3)]
    for axis, sigma in enumerate(sigmas):
        size = image.shape[1 + axis]
        if size == 1 or (isinstance(sigma, float | int) and not sigma):
            continue
        # Weights beyond the image's size are only multiplied by zeros.
        kernel = _kernel(sigma, radius if size is None else min(radius, size), axis)
        channels = [tf.nn.conv2d(channel, kernel, 1, "SAME") for channel in channels]
    return tf.concat(channels, axis=3)


class CellBlur:
    """A blur of values of the cells of an STFT; it does nothing where both deviations are 0.

    Args:
      seconds: standard deviation in time.
      hertz: standard deviation in frequency.
      spec: the transform.
      sample_rate: sample rate of the waveforms, in Hz.

    >>> blurred = CellBlur(0.02, 10, StftSpec(n_fft=2048, hop_samples=512), sample_rate=22050)
    >>> tuple(round(sigma, 3) for sigma in blurred.sigmas)
    (0.861, 0.929)
    """

    def __init__(self, seconds: float, hertz: float, spec: StftSpec, sample_rate: int) -> None:
        self.sigmas = spec.extent(seconds, hertz, sample_rate)

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        """Blur float32 `[batch, frames, bins]`."""
        if not any(self.sigmas):
            return values
        return blur(values[..., tf.newaxis], self.sigmas, max(self.sigmas))[..., 0]


def _kernel(sigma: tf.Tensor | float, radius: int, axis: int) -> tf.Tensor:
    offsets = tf.range(-radius, radius + 1, dtype=tf.float32)
    weights = tf.exp(-((offsets / sigma) ** 2) / 2)
    shape = [1, 1, 1, 1]
    shape[axis] = -1
    return tf.reshape(weights / tf.reduce_sum(weights), shape)
