"""The clips of one genre, read from the shards or kept in memory as images, shuffled.

Every random choice follows from the seed and the number of the epoch, so that training which was
interrupted sees the same clips as training which was not.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfdream.config import Hearing
from tfdream.datasets import records
from tfdream.datasets.portion import WHOLE, Portion
from tfdream.datasets.records import PARALLEL, READ_AT_A_TIME, Dataset, Shard
from tfdream.errors import DatasetError
from tfdream.signal import frontend as frontends

_BATCH_SIZE = 16


@dataclass(frozen=True)
class Side:
    """The clips of one genre.

    Attributes:
      folder: of the dataset.
      dataset: its description.
      shards: those that count.
      label: of the genre in that dataset; None for all clips.
      first: only so many count, the first ones; None for all.
    """

    folder: Path
    dataset: Dataset
    shards: list[Shard]
    label: str | None
    first: int | None = None

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
        if names is None or self.first is not None:  # in another order, others would be the first
            names = tf.constant([str(self.folder / shard.name) for shard in self.shards])
        found = tf.data.Dataset.from_tensor_slices(names).interleave(
            tf.data.TFRecordDataset, cycle_length=READ_AT_A_TIME
        )
        if self.label is not None:
            wanted = self.dataset.labels.index(self.label)
            found = found.filter(lambda record: records.label(record) == wanted)
        return found if self.first is None else found.take(self.first)

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


def endless_batches(
    side: Side,
    config: Hearing,
    clips: int,
    seed: int,
    in_memory: bool,
    first_epoch: int = 0,
    portion: Portion = WHOLE,
) -> tf.data.Dataset:
    """Batches of images of shuffled clips, without an end.

    Args:
      side: the clips.
      config: frontend, batch size.
      clips: of one epoch; where there are fewer, they come round more than once, each time in
        another order.
      seed: of the order.
      in_memory: whether images are computed once, and kept as float16.
      first_epoch: where the stream begins.
      portion: of each batch that is wanted.

    Returns:
      float32 `[batch, height, width, channels]`.
    """
    items = _Kept(side, config) if in_memory else _Read(side, config)
    rounds = math.ceil(clips / side.clips)

    def epoch(which: tf.Tensor) -> tf.data.Dataset:
        numbers = tf.data.Dataset.range(which * rounds, (which + 1) * rounds)
        return numbers.flat_map(lambda turn: items.shuffled([seed, turn])).take(clips)

    epochs = tf.data.Dataset.range(first_epoch, tf.int64.max).flat_map(epoch)
    size = config.training.batch_size
    batches = epochs.batch(size, drop_remainder=True)
    return portion.of(batches, size).map(items.images, **PARALLEL)


def ordered_batches(
    side: Side, config: Hearing, batches: int, portion: Portion = WHOLE
) -> tf.data.Dataset:
    """So many batches of images of the clips in order; from the first again, after the last."""
    items, size = _Read(side, config), config.training.batch_size
    chosen = side.serialised().repeat().take(batches * size).batch(size)
    return portion.of(chosen, size).map(items.images, **PARALLEL)


def fit_memory(sides: Sequence[Side], config: Hearing) -> bool:
    """Whether the images of all clips are computed once, before training."""
    frontend = frontends.build(config.frontend, config.prepare.sample_rate)
    shape = frontend.shape(config.input_samples)
    return records.fit_memory(sum(side.clips for side in sides), shape, config.training)


class _Read:
    """Clips that are read from their shards for every batch."""

    def __init__(self, side: Side, config: Hearing) -> None:
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

    def __init__(self, side: Side, config: Hearing) -> None:
        super().__init__(side, config)
        kept = np.empty((side.clips, *self.frontend.shape(config.input_samples)), np.float16)
        done = 0
        for images in side.serialised().batch(_BATCH_SIZE).map(super().images, **PARALLEL):
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
