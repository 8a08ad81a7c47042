"""Random upper limit of the frequencies, as low sample rates and lossy codecs have it."""

from typing import Annotated, Literal

import tensorflow as tf
from pydantic import Field, model_validator

from tfdream.config import ImageAugmentationConfig, Share
from tfdream.datasets.augmentation.base import FREQUENCY, check_range, draw, per_example, split


class BandLimitConfig(ImageAugmentationConfig):
    """The rows above a random one are black, as where a recording has no energy."""

    kind: Literal["band_limit"]
    probability: Annotated[Share, Field(gt=0)] = 0.5
    lowest: Annotated[Share, Field(gt=0)] = 0.6
    """Lowest limit, as a share of the frequency axis."""
    highest: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Highest limit."""

    @model_validator(mode="after")
    def _range_is_valid(self) -> "BandLimitConfig":
        check_range("lowest", self.lowest, "highest", self.highest)
        return self


def augment(image: tf.Tensor, seed: tf.Tensor, config: BandLimitConfig) -> tf.Tensor:
    """Set the rows above the limit of each image to 0."""
    choice_seed, limit_seed = split(seed, 2)
    limit = draw(image, limit_seed, config.lowest, config.highest)
    limit = tf.where(draw(image, choice_seed, 0.0, 1.0) < config.probability, limit, 1.0)
    rows = tf.cast(image.shape[FREQUENCY], tf.float32)
    place = tf.range(image.shape[FREQUENCY])[tf.newaxis, :, tf.newaxis, tf.newaxis]
    return tf.where(tf.cast(place, tf.float32) < per_example(limit * rows, image), image, 0.0)
