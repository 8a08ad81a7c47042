"""Regularization of an ascent: shifts of the view and smoothing of the gradient."""

import functools
from collections.abc import Callable

import tensorflow as tf

from tfdream.config import GaussianSmoothingConfig, LaplacianSmoothingConfig, SmoothingConfig
from tfdream.signal.blur import blur
from tfdream.signal.graphs import compiled

Smoothing = Callable[[tf.Tensor, float], tf.Tensor]
"""A gradient `[batch, …]` and n / N at step n of N → a smoother gradient."""

_TINY = 1e-12
# Standard deviation of the blur before a pyramid level is subsampled by 2, in cells.
_PYRAMID_SIGMA = 1.0
# Standard deviations of a cascade's blurs, as multiples of its sigma.
_CASCADE = (0.5, 1.0, 2.0)


def shift(image: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """Roll a model's input circularly along time.

    Args:
      image: float32 `[batch, (height,) width, channels]`.
      share: shift as a share of the width, −1 to 1.

    >>> shift(tf.reshape(tf.range(4.0), (1, 4, 1)), tf.constant(0.25)).numpy().ravel().tolist()
    [3.0, 0.0, 1.0, 2.0]
    """
    axis = image.shape.rank - 2
    width = tf.cast(tf.shape(image)[axis], tf.float32)
    return tf.roll(image, tf.cast(tf.round(share * width), tf.int32), axis)


@functools.cache  # a compiled function for each configuration, not for each ascent
def smoothing(config: SmoothingConfig | None) -> Smoothing:
    """Return the smoothing of a configuration; without one, gradients stay unchanged.

    Gradients `[batch, samples]` are smoothed along time, `[batch, frames, bins]` and
    `[batch, frames, bins, parts]` along time and frequency, each part separately.
    """
    if isinstance(config, GaussianSmoothingConfig):
        return _on_images(_Cascade(config))
    if isinstance(config, LaplacianSmoothingConfig):
        return _on_images(_Pyramid(config))
    return lambda gradient, done: gradient


class _Cascade:
    """The mean of several Gaussian blurs, which widen during the ascent."""

    def __init__(self, config: GaussianSmoothingConfig) -> None:
        self.config = config

    def __call__(self, image: tf.Tensor, done: tf.Tensor) -> tf.Tensor:
        sigma = self.config.sigma + self.config.growth * done
        widest = max(_CASCADE) * (self.config.sigma + self.config.growth)
        blurs = [blur(image, (sigma * wide, sigma * wide), widest) for wide in _CASCADE]
        return tf.add_n(blurs) / len(blurs)


class _Pyramid:
    """A Laplacian pyramid whose levels are normalized to the same strength."""

    def __init__(self, config: LaplacianSmoothingConfig) -> None:
        self.levels = config.levels

    def __call__(self, image: tf.Tensor, done: tf.Tensor) -> tf.Tensor:
        details = []
        for _ in range(self.levels - 1):
            coarse = _blurred(image)[:, ::2, ::2]
            details.append(image - _upsampled(coarse, image))
            image = coarse
        merged = _normalized(image)
        for detail in reversed(details):
            merged = _upsampled(merged, detail) + _normalized(detail)
        return merged


def _on_images(smooth: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> Smoothing:
    """Extend a smoothing of images `[batch, height, width, channels]` to gradients of any rank."""

    def on_gradient(gradient: tf.Tensor, done: tf.Tensor) -> tf.Tensor:
        image = gradient
        while image.shape.rank < 4:
            image = image[..., tf.newaxis]
        return tf.reshape(smooth(image, done), tf.shape(gradient))

    smoothed = compiled(on_gradient, any_shape=False)
    return lambda gradient, done: smoothed(gradient, tf.constant(done, tf.float32))


def _blurred(image: tf.Tensor) -> tf.Tensor:
    return blur(image, (_PYRAMID_SIGMA, _PYRAMID_SIGMA), _PYRAMID_SIGMA)


def _upsampled(coarse: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Upsample by 2 to the size of `like`; each coarse cell returns to where it was taken from."""
    for axis in (1, 2):
        if like.shape[axis] == 1:
            continue
        spread = tf.stack([2 * coarse, tf.zeros_like(coarse)], axis=axis + 1)
        shape = tf.tensor_scatter_nd_update(
            tf.shape(coarse), [[axis]], [2 * tf.shape(coarse)[axis]]
        )
        coarse = tf.reshape(spread, shape)
    shape = tf.shape(like)
    return _blurred(coarse[:, : shape[1], : shape[2]])


def _normalized(image: tf.Tensor) -> tf.Tensor:
    """Divide each example by its root mean square."""
    square = tf.reduce_mean(image**2, axis=[1, 2, 3], keepdims=True)
    return image / (tf.sqrt(square) + _TINY)
