"""Gaussian noise added to model inputs."""

from typing import Literal

import tensorflow as tf

from tfdream.config import AugmentationConfig, Positive
from tfdream.datasets.augmentation.base import draw, per_example, split


class InputNoiseConfig(AugmentationConfig):
    """Gaussian noise with a standard deviation drawn uniformly up to `deviation`."""

    kind: Literal["input_noise"]
    deviation: Positive = 0.02


def augment(inputs: tf.Tensor, seed: tf.Tensor, config: InputNoiseConfig) -> tf.Tensor:
    """Add noise with a different deviation to each example."""
    level_seed, noise_seed = split(seed, 2)
    deviation = per_example(draw(inputs, level_seed, 0.0, config.deviation), inputs)
    return inputs + deviation * tf.random.stateless_normal(tf.shape(inputs), noise_seed)
