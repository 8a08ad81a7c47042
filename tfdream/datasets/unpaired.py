"""Two genres beside each other, unpaired: batches of the images of both, each shuffled by itself.

Every random choice follows from the seed and the number of the epoch, so that training which was
interrupted sees the same batches as training which was not.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfdream.config import TranslationExperiment
from tfdream.datasets import records
from tfdream.datasets.records import Dataset, Shard
from tfdream.errors import DatasetError
from tfdream.signal import frontend as frontends

_READ_AT_A_TIME = 16
_BATCH_SIZE = 16
_AHEAD = 2
_PARALLEL = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": True}


@dataclass(frozen=True)
class Side:
    """The clips of one genre.

    Attributes:
      folder: of the dataset.
      dataset: its description.
      shards: those that count.
      label: of the genre in that dataset; None for all clips.
    """

    folder: Path
    dataset: Dataset
    shards: list[Shard]
    label: str | None

    @cached_property
    def clips(self) -> int:
        """How many there are, counted.

        Raises:
          DatasetError: if there are none.
        """
        found = int(self.serialised().reduce(np.int64(0), lambda count, _: count + 1))
        if not found:
            folds = sorted({shard.fold for shard in self.shards})
            raise DatasetError(
                f"'{self.folder}' has no clip of '{self.label}' in the folds {folds}; use another "
                "--test-fold, or prepare it with fewer folds"
            )
        return found

    def serialised(self, names: tf.Tensor | None = None) -> tf.data.Dataset:
        """Records as they lie in the shards, of all or of those that are named, in their order."""
        if names is None:
            names = tf.constant([str(self.folder / shard.name) for shard in self.shards])
        found = tf.data.Dataset.from_tensor_slices(names).interleave(
            tf.data.TFRecordDataset, cycle_length=_READ_AT_A_TIME
        )
        if self.label is None:
            return found
        wanted = self.dataset.labels.index(self.label)
        return found.filter(lambda record: records.label(record) == wanted)

    def waveforms(self, count: int | None = None) -> Iterator[np.ndarray]:
        """Clips float32 `[samples]`, in order: as many, or all; spread over the tracks."""
        chosen = self.serialised()
        if count is not None and count < self.clips:
            places = np.linspace(0, self.clips - 1, count).round().astype(np.int64)
            chosen = (
                chosen.enumerate()
                .filter(lambda place, _: tf.reduce_any(place == tf.constant(places)))
                .map(lambda _, record: record)
            )
        for record in chosen:
            yield records.parse(record, self.dataset.config)["waveform"].numpy()


Sides = tuple[Side, Side]


def steps_per_epoch(sides: Sides, batch_size: int) -> int:
    """Batches of one epoch: the larger side once, as far as it fills batches."""
    return max(1, max(side.clips for side in sides) // batch_size)


def training_batches(
    sides: Sides, config: TranslationExperiment, first_epoch: int = 0
) -> tf.data.Dataset:
    """An endless stream of shuffled batches, `steps_per_epoch` of them an epoch.

    In each epoch the smaller side comes round more than once, each time in another order.

    Args:
      sides: those to train on.
      config: frontend, batch size, seed.
      first_epoch: where the stream begins.

    Returns:
      Pairs of images of both sides, float32 `[batch, height, width, channels]` in [0, 1].
    """
    training = config.training
    wanted = steps_per_epoch(sides, training.batch_size) * training.batch_size
    in_memory = _fit_memory(sides, config)

    def stream(side: Side, number: int) -> tf.data.Dataset:
        items = _Kept(side, config) if in_memory else _Read(side, config)
        rounds = math.ceil(wanted / side.clips)
        seed = 2 * training.seed + number

        def epoch(which: tf.Tensor) -> tf.data.Dataset:
            numbers = tf.data.Dataset.range(which * rounds, (which + 1) * rounds)
            return numbers.flat_map(lambda turn: items.shuffled([seed, turn])).take(wanted)

        epochs = tf.data.Dataset.range(first_epoch, tf.int64.max).flat_map(epoch)
        batches = epochs.batch(training.batch_size, drop_remainder=True)
        return batches.map(items.images, **_PARALLEL)

    return tf.data.Dataset.zip(*map(stream, sides, itertools.count())).prefetch(_AHEAD)


def evaluation_batches(sides: Sides, config: TranslationExperiment) -> tf.data.Dataset:
    """Every clip of the larger side once, in order; as many of the smaller one.

    Both are repeated until the last batch is full, so that every device has its share.
    """
    size = config.training.batch_size
    count = math.ceil(max(side.clips for side in sides) / size)

    def stream(side: Side) -> tf.data.Dataset:
        items = _Read(side, config)
        return (
            side.serialised().repeat().take(count * size).batch(size).map(items.images, **_PARALLEL)
        )

    batches = tf.data.Dataset.zip(*map(stream, sides)).prefetch(_AHEAD)
    # The count lets `fit` know the end of the data without running into it.
    return batches.apply(tf.data.experimental.assert_cardinality(count))


class _Read:
    """Clips that are read from their shards for every batch."""

    def __init__(self, side: Side, config: TranslationExperiment) -> None:
        self.side = side
        self.frontend = frontends.build(config.frontend, config.prepare.sample_rate)
        self.window = min(config.training.shuffle_clips, side.clips)

    def shuffled(self, seed: list[int | tf.Tensor]) -> tf.data.Dataset:
        """Records, those of a window in any order."""
        names = tf.constant([str(self.side.folder / shard.name) for shard in self.side.shards])
        order = tf.random.experimental.stateless_shuffle(names, seed)
        windows = self.side.serialised(order).batch(self.window)
        return windows.flat_map(
            lambda window: tf.data.Dataset.from_tensor_slices(
                tf.random.experimental.stateless_shuffle(window, seed)
            )
        )

    def images(self, batch: tf.Tensor) -> tf.Tensor:
        """Of a batch of records."""
        clip = records.parse_batch(batch, self.side.dataset.config)
        return self.frontend(clip["waveform"])


class _Kept(_Read):
    """Clips whose images are computed once, and kept as float16."""

    def __init__(self, side: Side, config: TranslationExperiment) -> None:
        super().__init__(side, config)
        kept = np.empty((side.clips, *self.frontend.shape(config.input_samples)), np.float16)
        done = 0
        for images in side.serialised().batch(_BATCH_SIZE).map(super().images, **_PARALLEL):
            kept[done : done + len(images)] = images
            done += len(images)
        with tf.device("CPU:0"):  # where the pipeline runs
            self.kept = tf.constant(kept)

    def shuffled(self, seed: list[int | tf.Tensor]) -> tf.data.Dataset:
        """Numbers of clips, in any order."""
        order = tf.random.experimental.stateless_shuffle(tf.range(len(self.kept)), seed)
        return tf.data.Dataset.from_tensor_slices(order)

    def images(self, batch: tf.Tensor) -> tf.Tensor:
        """Of a batch of numbers."""
        return tf.cast(tf.gather(self.kept, batch), tf.float32)


def _fit_memory(sides: Sides, config: TranslationExperiment) -> bool:
    """Whether the images of all clips are computed once, before training."""
    frontend = frontends.build(config.frontend, config.prepare.sample_rate)
    clips = sum(side.clips for side in sides)
    size = clips * np.prod(frontend.shape(config.input_samples), dtype=float)
    return bool(2 * size <= config.training.memory_gigabytes * 1e9)
