"""Masks along one axis of an image, shared by `time_mask` and `frequency_mask`."""

from typing import Annotated, Literal

import tensorflow as tf
from pydantic import Field

from tfdream.config import Count, ImageAugmentationConfig, Share
from tfdream.datasets.augmentation.base import split


class AxisMaskConfig(ImageAugmentationConfig):
    """Size, number and brightness of the masks."""

    width: Annotated[Share, Field(gt=0)] = 0.2
    """Largest width of a mask, as a share of the axis."""
    count: Count = 1
    fill: Literal["black", "mean"] = "black"
    """Value of masked cells: 0, or the image's mean, which a standardized input maps to 0."""


def mask(image: tf.Tensor, seed: tf.Tensor, config: AxisMaskConfig, axis: int) -> tf.Tensor:
    """Mask random stretches of an axis.

    Source: Park et al., "SpecAugment", section 2; distributed as in `tfio.audio.time_mask` and
    `tfio.audio.freq_mask`.
    """
    width_seed, start_seed = split(seed, 2)
    size = image.shape[axis]
    widest = max(1, round(config.width * size))
    shape = [tf.shape(image)[0], config.count, 1]
    width = tf.random.stateless_uniform(shape, width_seed, 0, widest + 1, tf.int32)
    start = tf.random.stateless_uniform(shape, start_seed) * tf.cast(size - width, tf.float32)
    start = tf.cast(start, tf.int32)
    place = tf.range(size)
    masked = tf.reduce_any((place >= start) & (place < start + width), axis=1)
    along = [-1, 1, 1, 1]
    along[axis] = size
    masked = tf.reshape(masked, along)
    if config.fill == "black":
        return tf.where(masked, tf.zeros_like(image), image)
    return tf.where(masked, tf.reduce_mean(image, axis=[1, 2, 3], keepdims=True), image)
