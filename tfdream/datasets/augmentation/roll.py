"""Random circular shift of an image along time."""

import math
from typing import Annotated, Literal

import tensorflow as tf
from pydantic import Field

from tfdream.config import ImageAugmentationConfig
from tfdream.datasets.augmentation import base


class RollConfig(ImageAugmentationConfig):
    """A random circular shift of an image along time."""

    kind: Literal["roll"]
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Largest shift in either direction, as a share of the width."""


def augment(image: tf.Tensor, seed: tf.Tensor, config: RollConfig) -> tf.Tensor:
    """Shift each image circularly along time."""
    return base.roll(image, seed, math.ceil(config.share * image.shape[base.TIME]), base.TIME)
