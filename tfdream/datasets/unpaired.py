"""Two genres beside each other, unpaired: batches of the images of both, each shuffled by itself.

Every random choice follows from the seed and the number of the epoch, so that training which was
interrupted sees the same batches as training which was not.
"""

import math

import tensorflow as tf

from tfdream.config import TranslationExperiment
from tfdream.datasets.clip_set import ClipSet, endless_batches, fit_memory, ordered_batches
from tfdream.datasets.partition import WHOLE, ReplicaSlice
from tfdream.datasets.records import AHEAD

Sides = tuple[ClipSet, ClipSet]


def steps_per_epoch(sides: Sides, batch_size: int) -> int:
    """Batches of one epoch: the larger side once, as far as it fills batches."""
    return max(1, max(side.clips for side in sides) // batch_size)


def training_batches(
    sides: Sides, config: TranslationExperiment, first_epoch: int = 0, portion: ReplicaSlice = WHOLE
) -> tf.data.Dataset:
    """An endless stream of shuffled batches, `steps_per_epoch` of them an epoch.

    In each epoch the smaller side comes round more than once, each time in another order.

    Args:
      sides: those to train on.
      config: frontend, batch size, seed.
      first_epoch: where the stream begins.
      portion: of each batch that is wanted.

    Returns:
      Pairs of images of both sides, float32 `[batch, height, width, channels]` in [0, 1].
    """
    training = config.training
    wanted = steps_per_epoch(sides, training.batch_size) * training.batch_size
    in_memory = fit_memory(sides, config)
    streams = [
        endless_batches(
            side, config, wanted, 2 * training.seed + number, in_memory, first_epoch, portion
        )
        for number, side in enumerate(sides)
    ]
    return tf.data.Dataset.zip(*streams).prefetch(AHEAD)


def evaluation_batches(
    sides: Sides, config: TranslationExperiment, portion: ReplicaSlice = WHOLE
) -> tf.data.Dataset:
    """Every clip of the larger side once, in order; as many of the smaller one.

    Both are repeated until the last batch is full, so that every device has its share.
    """
    count = math.ceil(max(side.clips for side in sides) / config.training.batch_size)
    streams = [ordered_batches(side, config, count, portion) for side in sides]
    batches = tf.data.Dataset.zip(*streams).prefetch(AHEAD)
    # The count lets `fit` know the end of the data without running into it.
    return batches.apply(tf.data.experimental.assert_cardinality(count))
