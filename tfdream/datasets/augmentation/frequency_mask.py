"""Random masks along frequency (SpecAugment)."""

from typing import Literal

import tensorflow as tf

from tfdream.datasets.augmentation._masking import AxisMaskConfig, mask
from tfdream.datasets.augmentation.base import FREQUENCY


class FrequencyMaskConfig(AxisMaskConfig):
    """Random bands of frequency are masked."""

    kind: Literal["frequency_mask"]


def augment(image: tf.Tensor, seed: tf.Tensor, config: FrequencyMaskConfig) -> tf.Tensor:
    """Mask random parts of the frequency axis."""
    return mask(image, seed, config, FREQUENCY)
