"""`tf.data` pipelines: shards → batches of model inputs and labels.

Every random choice follows from the seed and the number of the epoch, so that training which was
interrupted sees the same batches as training which was not.
"""

import math
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from tfdream.config import PrepareConfig, TrainingConfig
from tfdream.datasets import records
from tfdream.datasets.records import Dataset, Shard

# Shards read at a time while training: neighbours in a shard belong to the same track.
_READ_AT_A_TIME = 16


def training_batches(
    folder: Path,
    dataset: Dataset,
    shards: list[Shard],
    frontend: Callable[[tf.Tensor], tf.Tensor],
    training: TrainingConfig,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """An endless stream of shuffled batches, `steps_per_epoch` of them an epoch.

    Args:
      folder: of the dataset.
      dataset: its description.
      shards: those to train on.
      frontend: waveforms `[batch, samples]` → model inputs.
      training: batch size, shuffle buffer and seed.
      first_epoch: where the stream begins.

    Returns:
      Pairs of inputs float32 `[batch, …]` and labels int64 `[batch]`.
    """
    names = tf.constant([str(folder / shard.name) for shard in shards])
    clips = sum(shard.clips for shard in shards)
    batch_size = min(training.batch_size, clips)
    window = math.ceil(min(training.shuffle_clips, clips) / batch_size) * batch_size

    def epoch_windows(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(names, [training.seed, epoch])
        serialised = tf.data.Dataset.from_tensor_slices(order).interleave(
            tf.data.TFRecordDataset,
            cycle_length=_READ_AT_A_TIME,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        return serialised.batch(window).map(lambda records: (records, epoch))

    def window_batches(serialised: tf.Tensor, epoch: tf.Tensor) -> tf.data.Dataset:
        # What is shuffled is still encoded, hence small. (`Dataset.shuffle` takes no seed that
        # depends on the epoch.)
        order = tf.random.experimental.stateless_shuffle(serialised, [training.seed, epoch])
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size, drop_remainder=True)

    epochs = tf.data.Dataset.range(first_epoch, tf.int64.max)
    serialised = epochs.flat_map(epoch_windows).prefetch(1).flat_map(window_batches)
    inputs = _to_inputs(serialised, dataset.config, frontend)
    return inputs.map(lambda images, clip: (images, clip["label"])).prefetch(tf.data.AUTOTUNE)


def steps_per_epoch(shards: list[Shard], batch_size: int) -> int:
    """Batches that `training_batches` makes of one epoch: all of the same size.

    An incomplete last batch is left out (other clips each epoch), unless it is the only one.
    """
    return max(1, sum(shard.clips for shard in shards) // batch_size)


def evaluation_batches(
    folder: Path,
    dataset: Dataset,
    shards: list[Shard],
    frontend: Callable[[tf.Tensor], tf.Tensor],
    batch_size: int,
) -> tf.data.Dataset:
    """Every clip once, in the order of the shards.

    Returns:
      Pairs of inputs float32 `[batch, …]` and a dict of ``label`` int64 and ``track`` string.
    """
    names = [str(folder / shard.name) for shard in shards]
    serialised = tf.data.TFRecordDataset(names).batch(batch_size)
    batches = math.ceil(sum(shard.clips for shard in shards) / batch_size)
    inputs = _to_inputs(serialised, dataset.config, frontend).prefetch(tf.data.AUTOTUNE)
    # The count lets `fit` know the end of the data without running into it.
    return inputs.apply(tf.data.experimental.assert_cardinality(batches))


def _to_inputs(
    serialised: tf.data.Dataset,
    config: PrepareConfig,
    frontend: Callable[[tf.Tensor], tf.Tensor],
) -> tf.data.Dataset:
    def parse(batch: tf.Tensor) -> dict[str, tf.Tensor]:
        return tf.map_fn(
            lambda one: records.parse(one, config),
            batch,
            fn_output_signature={
                "waveform": tf.TensorSpec([config.clip_samples], tf.float32),
                "label": tf.TensorSpec([], tf.int64),
                "track": tf.TensorSpec([], tf.string),
            },
        )

    def analyse(clip: dict[str, tf.Tensor]) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        return frontend(clip["waveform"]), {"label": clip["label"], "track": clip["track"]}

    parallel = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": True}
    return serialised.map(parse, **parallel).map(analyse, **parallel)
