"""Random brightness of an image."""

from typing import Literal

import tensorflow as tf

from tfdream.config import ImageAugmentationConfig, Positive
from tfdream.datasets.augmentation.base import draw, per_example


class BrightnessConfig(ImageAugmentationConfig):
    """A random offset of up to `level` in either direction, added to the whole image."""

    kind: Literal["brightness"]
    level: Positive = 0.1


def augment(image: tf.Tensor, seed: tf.Tensor, config: BrightnessConfig) -> tf.Tensor:
    """Add an offset to each image. It is not clipped, because not every scale ends at 1."""
    return image + per_example(draw(image, seed, -config.level, config.level), image)
