"""`tf.data` pipelines: shards → batches of model inputs and labels.

Every random choice follows from the seed and the number of the epoch or step, so that training
which was interrupted sees the same batches as training which was not.
"""

import math
from pathlib import Path

import tensorflow as tf

from tfdream.config import Experiment, TrainingConfig
from tfdream.datasets import augment, inputs, records
from tfdream.datasets.inputs import Inputs
from tfdream.datasets.records import Dataset, Shard
from tfdream.signal import frontend as frontends

# Shards read at a time while training: neighbours in a shard belong to the same track.
_READ_AT_A_TIME = 16
# Batches that are ready before they are asked for. Left to TensorFlow it may be gigabytes.
_AHEAD = 2
_PARALLEL = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": True}


def training_batches(
    folder: Path,
    dataset: Dataset,
    shards: list[Shard],
    config: Experiment,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """An endless stream of shuffled and augmented batches, `steps_per_epoch` of them an epoch.

    Args:
      folder: of the dataset.
      dataset: its description.
      shards: those to train on.
      config: frontend, batch size, augmentation, seed.
      first_epoch: where the stream begins.

    Returns:
      Pairs of inputs float32 `[batch, …]` and labels float32 `[batch, classes]`: one-hot, or mixed.

    Raises:
      ConfigError: if the augmentation does not fit the frontend.
    """
    training = config.training
    in_memory = inputs.fit_memory(dataset, config)
    clips = sum(shard.clips for shard in shards)
    batch_size = min(training.batch_size, clips)
    if in_memory:
        kept = inputs.compute(folder, dataset, shards, config)
        batches = _from_memory(kept, training, batch_size, first_epoch)
    else:
        batches = _from_shards(folder, shards, training, batch_size, first_epoch)
    change_waveform = augment.waveform_augmentation(
        training.augmentation, dataset.config.sample_rate
    )
    change_input = augment.input_augmentation(training.augmentation)
    frontend = frontends.build(config.frontend, dataset.config.sample_rate)

    def hear(serialised: tf.Tensor, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        clip = records.parse_batch(serialised, dataset.config)
        seeds = _seeds(training, step)
        waveform = augment.random_crop(clip["waveform"], config.input_samples, seeds[1])
        return frontend(change_waveform(waveform, seeds[2])), clip["label"], step

    def finish(values: tf.Tensor, label: tf.Tensor, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        labels = tf.one_hot(label, len(dataset.labels))
        return change_input(tf.cast(values, tf.float32), labels, _seeds(training, step)[0])

    steps = tf.data.Dataset.counter(first_epoch * steps_per_epoch(shards, batch_size))
    if in_memory:
        heard = tf.data.Dataset.zip(batches, steps).map(lambda pair, step: (*pair, step))
    else:
        heard = tf.data.Dataset.zip(batches, steps).map(hear, **_PARALLEL)
    return heard.map(finish, **_PARALLEL).prefetch(_AHEAD)


def steps_per_epoch(shards: list[Shard], batch_size: int) -> int:
    """Batches that `training_batches` makes of one epoch: all of the same size.

    An incomplete last batch is left out (other clips each epoch), unless it is the only one.
    """
    return max(1, sum(shard.clips for shard in shards) // batch_size)


def evaluation_batches(
    folder: Path,
    dataset: Dataset,
    shards: list[Shard],
    config: Experiment,
    batch_size: int,
    once: bool = True,
) -> tf.data.Dataset:
    """Every clip, in the order of the shards.

    Args:
      folder, dataset, shards, config: as in `training_batches`.
      batch_size: in clips.
      once: whether the result is read a single time, so that keeping inputs would not pay.

    Returns:
      Pairs of inputs float32 `[batch × windows, …]` and a dict of ``label`` int64 and ``track``
      string, `[batch]`. There is one window unless clips are longer than what the network hears.
    """
    kept = inputs.fit_memory(dataset, config)
    frontend = frontends.build(config.frontend, dataset.config.sample_rate)
    if kept and not (once and frontend.in_graph):
        found = inputs.compute(folder, dataset, shards, config)
        clips = tf.data.Dataset.from_tensor_slices(
            (found.values, {"label": found.labels, "track": found.tracks})
        ).batch(batch_size)
        batches = clips.map(lambda values, clip: (tf.cast(values, tf.float32), clip), **_PARALLEL)
    else:
        starts = window_starts(config)

        def hear(clip: dict[str, tf.Tensor]) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
            waveform = clip.pop("waveform")
            windows = [waveform[:, start : start + config.input_samples] for start in starts]
            return frontend(tf.reshape(tf.stack(windows, 1), [-1, config.input_samples])), clip

        batches = records.read(folder, dataset, shards, batch_size).map(hear, **_PARALLEL)
    count = math.ceil(sum(shard.clips for shard in shards) / batch_size)
    # The count lets `fit` know the end of the data without running into it.
    return batches.prefetch(_AHEAD).apply(tf.data.experimental.assert_cardinality(count))


def window_starts(config: Experiment) -> list[int]:
    """Where, in samples, the network listens into a clip: windows spread evenly that cover it."""
    spare = config.prepare.clip_samples - config.input_samples
    windows = math.ceil(config.prepare.clip_samples / config.input_samples)
    return [round(number * spare / max(1, windows - 1)) for number in range(windows)]


def _seeds(training: TrainingConfig, step: tf.Tensor) -> tf.Tensor:
    """Three seeds int64 `[3, 2]` for what is drawn for a batch."""
    return tf.random.split(tf.stack([tf.cast(training.seed, tf.int64), step]), 3)


def _from_memory(
    kept: Inputs, training: TrainingConfig, batch_size: int, first_epoch: int
) -> tf.data.Dataset:
    """Pairs of values and labels, shuffled over all clips."""
    with tf.device("CPU:0"):  # where the pipeline runs
        values, labels = tf.constant(kept.values), tf.constant(kept.labels)
    clips = len(kept.labels)

    def epoch_order(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(clips), [tf.cast(training.seed, tf.int64), epoch]
        )
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size, drop_remainder=True)

    order = tf.data.Dataset.range(first_epoch, tf.int64.max).flat_map(epoch_order)
    return order.map(
        lambda chosen: (tf.gather(values, chosen), tf.gather(labels, chosen)), **_PARALLEL
    )


def _from_shards(
    folder: Path, shards: list[Shard], training: TrainingConfig, batch_size: int, first_epoch: int
) -> tf.data.Dataset:
    """Batches of encoded clips, shuffled within a window of `training.shuffle_clips`."""
    names = tf.constant([str(folder / shard.name) for shard in shards])
    clips = sum(shard.clips for shard in shards)
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
    return epochs.flat_map(epoch_windows).prefetch(1).flat_map(window_batches)
