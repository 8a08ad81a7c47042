"""Random mixtures of two clips at random ratios of their sound pressures."""

import math
from typing import ClassVar, Literal

import tensorflow as tf

from tfdream.config import FrontendConfig, ImageAugmentationConfig, ImageFrontendConfig, Positive
from tfdream.datasets.augmentation.base import draw, per_example, split

_DB_PER_NEPER = 10 / math.log(10)


class BetweenClassConfig(ImageAugmentationConfig):
    """Each clip is mixed with another clip of the batch, and its label in the same ratio."""

    kind: Literal["between_class"]
    changes_labels: ClassVar[bool] = True
    range_db: Positive = 80.0
    """Range of levels that the image shows: the frontend's `top_db`."""

    def check_frontend(self, frontend: FrontendConfig) -> None:
        super().check_frontend(frontend)
        if not isinstance(frontend, ImageFrontendConfig):
            return
        frontend.check_levels("augmentation 'between_class'")
        if frontend.top_db != self.range_db:
            raise ValueError(
                f"augmentation 'between_class' has range_db={self.range_db:g}, but frontend.top_db="
                f"{frontend.top_db:g}; use the same range for both"
            )


def augment(inputs: tf.Tensor, seed: tf.Tensor, config: BetweenClassConfig) -> tf.Tensor:
    """Mix each example with one from a shuffled order of the batch, which may be itself.

    The mixture of images has the sum of both powers, in dB below its own maximum. For signals of
    equal pressure, the ratio of the labels is that of the pressures.

    Args:
      inputs: images float32 `[batch, frequency, time, 1]` of levels, of which 0 and 1 are
        `range_db` apart, or labels float32 `[batch, classes]`: the same seed mixes both.
      seed: int64 `[2]`.
      config: range of levels.

    Source: Tokozume et al., "Learning from between-class examples for deep sound recognition",
    equations 1 and 2; powers are added here, because images have no phase.
    """
    order_seed, ratio_seed = split(seed, 2)
    order = tf.random.experimental.stateless_shuffle(tf.range(tf.shape(inputs)[0]), order_seed)
    others = tf.gather(inputs, order)
    ratio = draw(inputs, ratio_seed, 0.0, 1.0)
    if inputs.shape.rank == 2:
        ratio = per_example(ratio, inputs)
        return ratio * inputs + (1 - ratio) * others
    nepers = config.range_db / _DB_PER_NEPER
    first, second = (per_example(2 * tf.math.log(share), inputs) for share in (ratio, 1 - ratio))
    mixed = tf.reduce_logsumexp(
        tf.stack([inputs * nepers + first, others * nepers + second]), axis=0
    )
    loudest = tf.reduce_max(mixed, axis=[1, 2, 3], keepdims=True)
    return tf.maximum(0.0, 1 + (mixed - loudest) / nepers)
