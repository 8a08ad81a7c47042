"""`tf.data` pipelines: shards → batches of model inputs and labels.

Every random choice follows from the seed and the number of the epoch or step, so that training
which was interrupted sees the same batches as training which was not.
"""

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfdream.config import Experiment, TrainingConfig
from tfdream.datasets import augment, inputs, records
from tfdream.datasets.inputs import LookUp
from tfdream.datasets.partition import WHOLE, ReplicaSlice
from tfdream.datasets.records import AHEAD, PARALLEL, READ_AT_A_TIME, Dataset, Shard
from tfdream.datasets.service import Service
from tfdream.signal import frontend as frontends
from tfdream.signal.frontend import Frontend

logger = logging.getLogger(__name__)

Make = Callable[[Any, tf.Tensor, ReplicaSlice], tuple[tf.Tensor, tf.Tensor]]
"""A portion of a batch, and the number of the step → inputs and labels."""


def training_batches(
    folder: Path,
    dataset: Dataset,
    shards: list[Shard],
    config: Experiment,
    first_epoch: int = 0,
    portion: ReplicaSlice = WHOLE,
    service: Service | None = None,
) -> tf.data.Dataset:
    """An endless stream of shuffled and augmented batches, `steps_per_epoch` of them an epoch.

    Args:
      folder: of the dataset.
      dataset: its description.
      shards: those to train on.
      config: frontend, batch size, augmentation, seed.
      first_epoch: where the stream begins.
      portion: the part of each batch that is wanted. What varies at random is drawn for it alone.
      service: machines that make the batches; inputs that are kept in memory need none.

    Returns:
      Pairs of inputs float32 `[batch, …]` and labels float32 `[batch, classes]`: one-hot, or mixed.

    Raises:
      ConfigError: if the augmentation does not fit the frontend.
    """
    training = config.training
    batch_size = min(training.batch_size, records.count_clips(shards))
    first_step = first_epoch * steps_per_epoch(shards, batch_size)
    making = _Making(dataset, config)
    if inputs.fit_memory(dataset, config):
        if service is not None:
            logger.info("all inputs are kept in memory: the data service has nothing to do")
        clips = records.count_clips(shards)
        look_up = inputs.keep(folder, dataset, shards, config)
        order = _shuffled_numbers(clips, training, batch_size, first_epoch)
        batches = portion.of(order, batch_size).map(
            lambda numbers: look_up(numbers)[:2], **PARALLEL
        )
        make: Make = making.vary
    else:
        batches = _from_shards(folder, shards, training, batch_size, first_epoch)
        make = making.hear_and_vary
        if service is not None:
            made = service.spread(batches, first_step, batch_size, make, portion)
            return made.prefetch(AHEAD)
        batches = portion.of(batches, batch_size)
    steps = tf.data.Dataset.counter(first_step)
    made = tf.data.Dataset.zip(batches, steps).map(
        lambda batch, step: make(batch, step, portion), **PARALLEL
    )
    return made.prefetch(AHEAD)


def steps_per_epoch(shards: list[Shard], batch_size: int) -> int:
    """Batches that `training_batches` makes of one epoch: all of the same size.

    An incomplete last batch is left out (other clips each epoch), unless it is the only one.
    """
    return max(1, records.count_clips(shards) // batch_size)


def evaluation_batches(
    folder: Path,
    dataset: Dataset,
    shards: list[Shard],
    config: Experiment,
    batch_size: int,
    once: bool = True,
    portion: ReplicaSlice | None = None,
) -> tf.data.Dataset:
    """Every clip, in the order of the shards.

    Args:
      folder, dataset, shards, config: as in `training_batches`.
      batch_size: in clips.
      once: whether the result is read a single time, so that keeping inputs would not pay.
      portion: the part of each batch that is wanted; the last batch is then filled up with the
        first clips.

    Returns:
      Pairs of inputs float32 `[batch × windows, …]` and a dict of ``label`` int64 and ``track``
      string, `[batch]`. There is one window unless clips are longer than what the network hears.
    """
    kept = inputs.fit_memory(dataset, config)
    frontend = frontends.build(config.frontend, dataset.config.sample_rate)
    clips = records.count_clips(shards)
    count = math.ceil(clips / batch_size)

    def batched(items: tf.data.Dataset) -> tf.data.Dataset:
        if portion is None:
            return items.batch(batch_size)
        return portion.of(items.repeat().batch(batch_size).take(count), batch_size)

    if kept and not (once and frontend.in_graph):
        look_up = inputs.keep(folder, dataset, shards, config)
        batches = batched(tf.data.Dataset.range(clips)).map(_looking_up(look_up), **PARALLEL)
    else:
        hear = _hearing(frontend, dataset, config)
        batches = batched(records.serialized(folder, shards)).map(hear, **PARALLEL)
    # The count lets `fit` know the end of the data without running into it.
    return batches.prefetch(AHEAD).apply(tf.data.experimental.assert_cardinality(count))


def some_inputs(
    folder: Path, dataset: Dataset, shards: list[Shard], config: Experiment, clips: int
) -> tf.data.Dataset:
    """Batches of what the network hears of some clips, spread evenly over all; of all, if fewer."""
    numbers = records.spread(records.count_clips(shards), clips)
    frontend = frontends.build(config.frontend, dataset.config.sample_rate)
    if frontend.in_graph:
        make = _reading(folder, shards, _hearing(frontend, dataset, config))
    else:
        make = _looking_up(inputs.keep(folder, dataset, shards, config))
    batches = tf.data.Dataset.from_tensor_slices(numbers).batch(config.training.batch_size)
    return batches.map(lambda numbers: make(numbers)[0], **PARALLEL).prefetch(AHEAD)


def window_starts(config: Experiment) -> list[int]:
    """Where, in samples, the network listens into a clip: windows spread evenly that cover it."""
    spare = config.prepare.clip_samples - config.input_samples
    windows = math.ceil(config.prepare.clip_samples / config.input_samples)
    return [round(number * spare / max(1, windows - 1)) for number in range(windows)]


Heard = tuple[tf.Tensor, dict[str, tf.Tensor]]
"""Inputs float32 `[batch × windows, …]`; ``label`` and ``track`` of their clips `[batch]`."""


def _hearing(
    frontend: Frontend, dataset: Dataset, config: Experiment
) -> Callable[[tf.Tensor], Heard]:
    """Records `[batch]` → what the network hears of them, window by window."""
    starts = window_starts(config)

    def hear(serialized: tf.Tensor) -> Heard:
        clip = records.parse_batch(serialized, dataset.config)
        waveform = clip.pop("waveform")
        windows = [waveform[:, start : start + config.input_samples] for start in starts]
        return frontend(tf.reshape(tf.stack(windows, 1), [-1, config.input_samples])), clip

    return hear


def _reading(
    folder: Path, shards: list[Shard], hear: Callable[[tf.Tensor], Heard]
) -> Callable[[tf.Tensor], Heard]:
    """Numbers of clips `[batch]` → what is heard of their records."""
    read = records.record_reader(folder, shards)
    return lambda numbers: hear(tf.map_fn(read, numbers, fn_output_signature=tf.string))


def _looking_up(look_up: LookUp) -> Callable[[tf.Tensor], Heard]:
    """Numbers of clips `[batch]` → what the network hears of them, where that is kept."""

    def find(numbers: tf.Tensor) -> Heard:
        values, labels, tracks = look_up(numbers)
        return tf.cast(values, tf.float32), {"label": labels, "track": tracks}

    return find


class _Making:
    """What a network learns from, made of a portion of a batch.

    Args:
      dataset: description of the clips.
      config: frontend, augmentation, seed.
    """

    def __init__(self, dataset: Dataset, config: Experiment) -> None:
        rate, training = dataset.config.sample_rate, config.training
        self.dataset = dataset
        self.config = config
        self.frontend = frontends.build(config.frontend, rate)
        self.change_waveform = augment.waveform_augmentation(training.augmentation, rate)
        self.change_input = augment.input_augmentation(training.augmentation)

    def hear_and_vary(
        self, serialized: tf.Tensor, step: tf.Tensor, portion: ReplicaSlice
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Inputs and labels, of records `[batch]`; what varies follows from the step."""
        clip = records.parse_batch(serialized, self.dataset.config)
        seeds = self._seeds(step, portion)
        waveform = augment.random_crop(clip["waveform"], self.config.input_samples, seeds[1])
        heard = self.frontend(self.change_waveform(waveform, seeds[2]))
        return self.vary((heard, clip["label"]), step, portion)

    def vary(
        self, heard: tuple[tf.Tensor, tf.Tensor], step: tf.Tensor, portion: ReplicaSlice
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The same of what the frontend made already, with the numbers of the labels `[batch]`."""
        values, label = heard
        labels = tf.one_hot(label, len(self.dataset.labels))
        return self.change_input(tf.cast(values, tf.float32), labels, self._seeds(step, portion)[0])

    def _seeds(self, step: tf.Tensor, portion: ReplicaSlice) -> tf.Tensor:
        """Three seeds int64 `[3, 2]` for what is drawn for a portion of a batch."""
        seed = tf.stack([tf.cast(self.config.training.seed, tf.int64), step])
        return tf.random.split(portion.seed(seed), 3)


def _shuffled_numbers(
    clips: int, training: TrainingConfig, batch_size: int, first_epoch: int
) -> tf.data.Dataset:
    """Numbers of clips int64 `[batch]`, each epoch's shuffled over all."""

    def epoch_order(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(clips, dtype=tf.int64), [tf.cast(training.seed, tf.int64), epoch]
        )
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size, drop_remainder=True)

    return tf.data.Dataset.range(first_epoch, tf.int64.max).flat_map(epoch_order)


def _from_shards(
    folder: Path, shards: list[Shard], training: TrainingConfig, batch_size: int, first_epoch: int
) -> tf.data.Dataset:
    """Batches of encoded clips, shuffled within a window of `training.shuffle_clips`."""
    names = tf.constant([str(folder / shard.name) for shard in shards])
    clips = records.count_clips(shards)
    window = math.ceil(min(training.shuffle_clips, clips) / batch_size) * batch_size

    def epoch_windows(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(names, [training.seed, epoch])
        serialized = tf.data.Dataset.from_tensor_slices(order).interleave(
            tf.data.TFRecordDataset,
            cycle_length=READ_AT_A_TIME,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        return serialized.batch(window).map(lambda records: (records, epoch))

    def window_batches(serialized: tf.Tensor, epoch: tf.Tensor) -> tf.data.Dataset:
        # What is shuffled is still encoded, hence small. (`Dataset.shuffle` takes no seed that
        # depends on the epoch.)
        order = tf.random.experimental.stateless_shuffle(serialized, [training.seed, epoch])
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size, drop_remainder=True)

    epochs = tf.data.Dataset.range(first_epoch, tf.int64.max)
    return epochs.flat_map(epoch_windows).prefetch(1).flat_map(window_batches)
