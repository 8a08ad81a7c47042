"""Random blends of two examples of a batch."""

from typing import ClassVar, Literal

import tensorflow as tf

from tfdream.config import AugmentationConfig, Positive
from tfdream.datasets.augmentation.base import per_example, split


class MixupConfig(AugmentationConfig):
    """Each example and its label are blended with another example of the batch."""

    kind: Literal["mixup"]
    changes_labels: ClassVar[bool] = True
    alpha: Positive = 0.2
    """Weights are drawn from Beta(alpha, alpha): below 1, one of the two examples dominates."""


def augment(inputs: tf.Tensor, seed: tf.Tensor, config: MixupConfig) -> tf.Tensor:
    """Blend each example with one from a shuffled order of the batch, which may be itself.

    Args:
      inputs: float32 `[batch, …]`, inputs or labels: the same seed blends both in the same way.
      seed: int64 `[2]`.
      config: distribution of the weights.

    Source: Zhang et al., "mixup: Beyond empirical risk minimization", with a weight per example.
    """
    order_seed, weight_seed = split(seed, 2)
    batch = tf.shape(inputs)[0]
    order = tf.random.experimental.stateless_shuffle(tf.range(batch), order_seed)
    # Beta(α, α) from two gammas. For a small α both may be 0: the weight is then 0.
    gammas = tf.random.stateless_gamma([2, batch], weight_seed, config.alpha, dtype=tf.float64)
    weight = tf.cast(tf.math.divide_no_nan(gammas[0], gammas[0] + gammas[1]), inputs.dtype)
    others = tf.gather(inputs, order)
    return others + per_example(weight, inputs) * (inputs - others)
