"""The clips of one genre, read from the shards or kept in memory as images, shuffled.

Which they are the dataset's description tells, so that only those are read that are wanted now.
Every random choice follows from the seed and the number of the epoch, so that training which was
interrupted sees the same clips as training which was not.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfdream.config import BaseExperiment
from tfdream.datasets import records
from tfdream.datasets.cache import LazyCache
from tfdream.datasets.partition import WHOLE, ReplicaSlice
from tfdream.datasets.records import PARALLEL, READ_AT_A_TIME, Dataset, Shard
from tfdream.errors import DatasetError
from tfdream.signal import frontend as frontends


@dataclass(frozen=True)
class ClipSet:
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

    @property
    def clips(self) -> int:
        """How many there are.

        Raises:
          DatasetError: if there are none.
        """
        if not len(self.numbers):
            folds = sorted({shard.fold for shard in self.shards})
            raise DatasetError(
                f"'{self.folder}' has no clip of '{self.label}' in the folds {folds}; use another "
                "--test-fold, or prepare it with fewer folds"
            )
        return len(self.numbers)

    @cached_property
    def numbers(self) -> np.ndarray:
        """Which they are among the clips of the shards, in the order in which these take turns."""
        every = self._interleaved_ids(tf.range(len(self.shards))).batch(len(self._wanted))
        found: np.ndarray = next(every.as_numpy_iterator(), np.zeros(0, np.int64))
        return found[: self.first]

    def interleaved_ids(self, order: tf.Tensor) -> tf.data.Dataset:
        """The same numbers int64 `[]`, with the shards in another order."""
        if self.first is not None:  # in another order, others would be the first
            return tf.data.Dataset.from_tensor_slices(self.numbers)
        return self._interleaved_ids(order)

    def waveform(self, number: tf.Tensor) -> tf.Tensor:
        """In the graph: one of `numbers` int64 `[]` → that clip, float32 `[samples]`."""
        return records.parse(self._read(number), self.dataset.config)["waveform"]

    def waveforms(self, count: int | None = None) -> Iterator[np.ndarray]:
        """Clips float32 `[samples]`, in order: as many, or all; spread over the tracks."""
        chosen = self.numbers
        if count is not None:
            chosen = chosen[records.spread(len(chosen), count)]
        found = tf.data.Dataset.from_tensor_slices(chosen).map(self.waveform)
        yield from found.as_numpy_iterator()

    @cached_property
    def _read(self) -> Callable[[tf.Tensor], tf.Tensor]:
        return records.record_reader(self.folder, self.shards)

    @cached_property
    def _wanted(self) -> np.ndarray:
        """Whether each clip of the shards has the label."""
        if self.label is None:
            return np.ones(records.count_clips(self.shards), bool)
        index = self.dataset.labels.index(self.label)
        of_clips = [
            np.repeat(records.track_labels(self.folder, shard), list(shard.tracks.values()))
            for shard in self.shards
        ]
        return np.concatenate(of_clips) == index

    def _interleaved_ids(self, order: tf.Tensor) -> tf.data.Dataset:
        ends = np.cumsum([shard.clips for shard in self.shards])
        bounds = tf.constant(np.stack([np.append(0, ends[:-1]), ends], axis=1), tf.int64)
        wanted = tf.constant(self._wanted)
        return (
            tf.data.Dataset.from_tensor_slices(tf.gather(bounds, order))
            .interleave(
                lambda bound: tf.data.Dataset.range(bound[0], bound[1]),
                cycle_length=READ_AT_A_TIME,
            )
            .filter(lambda number: tf.gather(wanted, number))
        )


def endless_batches(
    side: ClipSet,
    config: BaseExperiment,
    clips: int,
    seed: int,
    in_memory: bool,
    first_epoch: int = 0,
    portion: ReplicaSlice = WHOLE,
) -> tf.data.Dataset:
    """Batches of images of shuffled clips, without an end.

    Args:
      side: the clips.
      config: frontend, batch size.
      clips: of one epoch; where there are fewer, they come round more than once, each time in
        another order.
      seed: of the order.
      in_memory: whether each image is computed once, and kept as float16.
      first_epoch: where the stream begins.
      portion: of each batch that is wanted.

    Returns:
      float32 `[batch, height, width, channels]`.
    """
    images = _kept_images(side, config) if in_memory else _fresh_images(side, config)
    shuffled = _shuffled(side, None if in_memory else config.training.shuffle_clips)
    rounds = math.ceil(clips / side.clips)

    def epoch(which: tf.Tensor) -> tf.data.Dataset:
        turns = tf.data.Dataset.range(which * rounds, (which + 1) * rounds)
        return turns.flat_map(lambda turn: shuffled([seed, turn])).take(clips)

    epochs = tf.data.Dataset.range(first_epoch, tf.int64.max).flat_map(epoch)
    size = config.training.batch_size
    batches = epochs.batch(size, drop_remainder=True)
    return portion.of(batches, size).map(images, **PARALLEL)


def ordered_batches(
    side: ClipSet, config: BaseExperiment, batches: int, portion: ReplicaSlice = WHOLE
) -> tf.data.Dataset:
    """So many batches of images of the clips in order; from the first again, after the last."""
    size = config.training.batch_size
    numbers = tf.data.Dataset.from_tensor_slices(side.numbers)
    chosen = numbers.repeat().take(batches * size).batch(size)
    return portion.of(chosen, size).map(_fresh_images(side, config), **PARALLEL)


def fit_memory(sides: Sequence[ClipSet], config: BaseExperiment) -> bool:
    """Whether the images of all clips are computed once, and kept."""
    frontend = frontends.build(config.frontend, config.prepare.sample_rate)
    shape = frontend.shape(config.input_samples)
    return records.fit_memory(sum(side.clips for side in sides), shape, config.training)


def _shuffled(
    side: ClipSet, window: int | None
) -> Callable[[list[int | tf.Tensor]], tf.data.Dataset]:
    """Seed → numbers of all clips: in any order, or shuffled within windows of so many."""

    def anyhow(numbers: tf.Tensor, seed: list[int | tf.Tensor]) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(numbers, seed)
        return tf.data.Dataset.from_tensor_slices(order)

    def shuffled(seed: list[int | tf.Tensor]) -> tf.data.Dataset:
        if window is None:
            return anyhow(tf.constant(side.numbers), seed)
        shards = tf.random.experimental.stateless_shuffle(tf.range(len(side.shards)), seed)
        windows = side.interleaved_ids(shards).batch(min(window, side.clips))
        return windows.flat_map(lambda numbers: anyhow(numbers, seed))

    return shuffled


def _fresh_images(side: ClipSet, config: BaseExperiment) -> Callable[[tf.Tensor], tf.Tensor]:
    """Numbers of clips `[batch]` → their images, made anew for every batch."""
    frontend = frontends.build(config.frontend, config.prepare.sample_rate)
    samples = side.dataset.config.clip_samples

    def make(numbers: tf.Tensor) -> tf.Tensor:
        signature = tf.TensorSpec([samples], tf.float32)
        return frontend(tf.map_fn(side.waveform, numbers, fn_output_signature=signature))

    return make


def _kept_images(side: ClipSet, config: BaseExperiment) -> Callable[[tf.Tensor], tf.Tensor]:
    """The same, each made once and kept as float16."""
    frontend = frontends.build(config.frontend, config.prepare.sample_rate)
    numbers = tf.constant(side.numbers)
    places = np.zeros(1 + side.numbers.max(), np.int64)
    places[side.numbers] = np.arange(side.clips)

    def make(place: tf.Tensor) -> tuple[tf.Tensor]:
        image = frontend(side.waveform(numbers[place])[tf.newaxis])[0]
        return (tf.cast(image, tf.float16),)

    signature = tf.TensorSpec(frontend.shape(config.input_samples), tf.float16)
    kept = LazyCache(side.clips, make, [signature])
    return lambda chosen: tf.cast(kept.of(tf.gather(places, chosen))[0], tf.float32)
