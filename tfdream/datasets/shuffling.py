"""Endless pipelines of shuffled clips, whose order depends only on the seed and the epoch.

`tf.data.Dataset.shuffle` accepts no seed that depends on the epoch, so windows of items are
shuffled as tensors. A round contains every clip once; an epoch takes as many rounds as it needs.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream.datasets.clip_set import ClipSet

OpenStream = Callable[[tf.Tensor], tf.data.Dataset]
"""Order of the shards int32 `[shards]` → stream of ids or serialized records `[]`."""


@dataclass(frozen=True)
class EpochPlan:
    """The batches of every epoch.

    Attributes:
      batch_size: clips of one batch, over all replicas.
      steps: batches of one epoch.
      seed: random seed of the order.
      first_epoch: number of epochs done before.
    """

    batch_size: int
    steps: int
    seed: int
    first_epoch: int = 0

    @property
    def clips(self) -> int:
        """Clips of one epoch."""
        return self.batch_size * self.steps

    @property
    def first_step(self) -> int:
        """Number of batches done before."""
        return self.first_epoch * self.steps


def shuffled_ids(ids: NDArray[np.int64], plan: EpochPlan) -> tf.data.Dataset:
    """Stream batches of clip ids without end; each round shuffles all of them.

    Args:
      ids: int64 `[clips]`.
      plan: batches and epochs.
    """

    def shuffle_round(number: tf.Tensor, count: tf.Tensor) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensors(_shuffle(ids, plan.seed, number)[:count])

    return _batch_rounds(shuffle_round, len(ids), plan)


def shuffled_stream(
    clip_set: ClipSet, open_stream: OpenStream, window: int, plan: EpochPlan
) -> tf.data.Dataset:
    """Stream batches of items without end; each round shuffles the shards, then every window.

    Args:
      clip_set: the clips.
      open_stream: opens the shards in the order of a round.
      window: number of items shuffled together.
      plan: batches and epochs.
    """

    def shuffle_round(number: tf.Tensor, count: tf.Tensor) -> tf.data.Dataset:
        def shuffle_window(items: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
            shuffled = _shuffle(items, plan.seed, number, start)
            return shuffled[: tf.maximum(count - start, 0)]

        order = _shuffle(tf.range(len(clip_set.shards)), plan.seed, number)
        starts = tf.data.Dataset.range(0, tf.int64.max, window)
        return tf.data.Dataset.zip(open_stream(order).batch(window), starts).map(shuffle_window)

    return _batch_rounds(shuffle_round, clip_set.clips, plan)


def _batch_rounds(
    shuffle_round: Callable[[tf.Tensor, tf.Tensor], tf.data.Dataset],
    round_clips: int,
    plan: EpochPlan,
) -> tf.data.Dataset:
    """Make batches of the items of all rounds.

    Args:
      shuffle_round: number of a round, and number of its items in the epoch, which may be smaller
        in the last round → windows of items.
      round_clips: clips of one round.
      plan: batches and epochs.
    """
    rounds = math.ceil(plan.clips / round_clips)

    def windows(number: tf.Tensor) -> tf.data.Dataset:
        first = (number % rounds) * round_clips
        return shuffle_round(number, plan.clips - first)

    numbers = tf.data.Dataset.range(plan.first_epoch * rounds, tf.int64.max)
    items = numbers.flat_map(windows).prefetch(1).unbatch()
    return items.batch(plan.batch_size, drop_remainder=True)


def _shuffle(
    items: tf.Tensor, seed: int, number: tf.Tensor, start: int | tf.Tensor = 0
) -> tf.Tensor:
    """Shuffle the window of a round that starts at its item `start`."""
    # The windows of all rounds have different seeds.
    return tf.random.experimental.stateless_shuffle(items, [seed, number + 2**32 * start])
