"""Random masks along time (SpecAugment)."""

from typing import Literal

import tensorflow as tf

from tfdream.datasets.augmentation._masking import AxisMaskConfig, mask
from tfdream.datasets.augmentation.base import TIME


class TimeMaskConfig(AxisMaskConfig):
    """Random stretches of time are masked."""

    kind: Literal["time_mask"]


def augment(image: tf.Tensor, seed: tf.Tensor, config: TimeMaskConfig) -> tf.Tensor:
    """Mask random parts of the time axis."""
    return mask(image, seed, config, TIME)
