"""Random curve along frequency: another room or microphone."""

from typing import Annotated, Literal

import tensorflow as tf
from pydantic import Field

from tfdream.config import ImageAugmentationConfig, Positive
from tfdream.datasets.augmentation.base import FREQUENCY


class EqualizerConfig(ImageAugmentationConfig):
    """Bands are raised and lowered along a random curve."""

    kind: Literal["equalizer"]
    deviation: Positive = 0.05
    """Standard deviation of the curve at its knots, in the image's unit; black stays black."""
    knots: Annotated[int, Field(ge=2)] = 5
    """Number of knots, evenly spaced over the frequency axis and joined by straight lines."""


def augment(image: tf.Tensor, seed: tf.Tensor, config: EqualizerConfig) -> tf.Tensor:
    """Add a random curve along frequency to every cell that is not black."""
    shape = [tf.shape(image)[0], config.knots]
    heights = tf.random.stateless_normal(shape, seed, 0.0, config.deviation)
    rows = image.shape[FREQUENCY]
    # Weight of each knot in each row: a triangle around the knot.
    place = tf.linspace(0.0, config.knots - 1.0, rows)[:, tf.newaxis]
    shares = tf.maximum(0.0, 1 - tf.abs(place - tf.range(config.knots, dtype=tf.float32)))
    curve = tf.matmul(heights, shares, transpose_b=True)
    return tf.where(image > 0, image + curve[:, :, tf.newaxis, tf.newaxis], image)
