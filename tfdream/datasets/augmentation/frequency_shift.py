"""Random shift of an image along frequency."""

from typing import Literal

import tensorflow as tf

from tfdream.config import Count, ImageAugmentationConfig
from tfdream.datasets.augmentation.base import FREQUENCY, draw


class FrequencyShiftConfig(ImageAugmentationConfig):
    """A shift by up to `bands` rows in either direction; the border row is repeated."""

    kind: Literal["frequency_shift"]
    bands: Count = 2


def augment(image: tf.Tensor, seed: tf.Tensor, config: FrequencyShiftConfig) -> tf.Tensor:
    """Shift each image along frequency; on a logarithmic axis this changes the pitch."""
    shift = draw(image, seed, -config.bands, config.bands + 1, tf.int32)
    rows = image.shape[FREQUENCY]
    sources = tf.clip_by_value(tf.range(rows) - shift[:, tf.newaxis], 0, rows - 1)
    return tf.gather(image, sources, axis=FREQUENCY, batch_dims=1)
