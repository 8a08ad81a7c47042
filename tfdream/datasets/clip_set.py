"""The clips of some shards, or of one label in them: the source of every input pipeline."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream.datasets import records
from tfdream.datasets.manifest import Dataset, Shard, count_clips
from tfdream.datasets.pipelines import INTERLEAVED_SHARDS, PARALLEL, untuned, without_autograph
from tfdream.errors import DatasetError


@dataclass(frozen=True)
class ClipSet:
    """Clips of a dataset, identified by their index over all records of the shards.

    Attributes:
      dataset: the opened dataset.
      shards: those that contain the clips.
      label: keep only the clips of this label; None for all.
      first_clips: keep only this many clips, the first of the interleaved order; None for all.
    """

    dataset: Dataset
    shards: tuple[Shard, ...]
    label: str | None = None
    first_clips: int | None = None

    @classmethod
    def from_folds(
        cls,
        dataset: Dataset,
        folds: Iterable[int],
        label: str | None = None,
        first_clips: int | None = None,
    ) -> "ClipSet":
        """Select the clips of some folds.

        Raises:
          DatasetError: if a fold is not in the dataset.
        """
        return cls(dataset, tuple(dataset.fold_shards(folds)), label, first_clips)

    @property
    def clips(self) -> int:
        """Number of clips.

        Raises:
          DatasetError: if it is zero.
        """
        count = count_clips(self.shards) if self.is_complete else len(self.interleaved_ids)
        if not count:
            folds = sorted({shard.fold for shard in self.shards})
            raise DatasetError(
                f"'{self.dataset.folder}' has no clip of '{self.label}' in the folds {folds}; use "
                "another --test-fold, or prepare it with fewer folds"
            )
        return count

    @property
    def is_complete(self) -> bool:
        """Whether the set contains every clip of its shards."""
        return self.label is None and self.first_clips is None

    @cached_property
    def clip_ids(self) -> NDArray[np.int64]:
        """The clips in the order of the records, int64 `[clips]`."""
        if self.is_complete:
            return np.arange(count_clips(self.shards))
        return np.sort(self.interleaved_ids)

    @cached_property
    @without_autograph
    def interleaved_ids(self) -> NDArray[np.int64]:
        """The clips with the shards in turns, int64 `[clips]`: neighbors are from other tracks."""
        total = count_clips(self.shards)
        ids_in_turns = self._interleave_ids(tf.range(len(self.shards)))
        every = untuned(ids_in_turns.batch(max(1, total)))
        ids: NDArray[np.int64] = next(every.as_numpy_iterator(), np.zeros(0, np.int64))
        return ids[: self.first_clips]

    @without_autograph
    def stream_ids(self, order: tf.Tensor) -> tf.data.Dataset:
        """Stream the clip ids int64 `[]`, with the shards read in turns.

        Args:
          order: shard indices int32 `[shards]`: the order in which the shards are opened.
        """
        if self.first_clips is not None:  # another order would change which clips are the first
            return tf.data.Dataset.from_tensor_slices(self.interleaved_ids)
        return self._interleave_ids(order)

    @without_autograph
    def stream_records(self, order: tf.Tensor) -> tf.data.Dataset:
        """Stream the serialized records of a complete set, in the same order as `stream_ids`."""
        names = tf.gather(tf.constant(self._file_names), order)
        return tf.data.Dataset.from_tensor_slices(names).interleave(
            tf.data.TFRecordDataset, cycle_length=INTERLEAVED_SHARDS, **PARALLEL
        )

    def records_in_order(self) -> tf.data.Dataset:
        """Stream the serialized records of a complete set, shard by shard."""
        return tf.data.TFRecordDataset(self._file_names)

    def read(self, clip_id: tf.Tensor) -> tf.Tensor:
        """Read one serialized record in the graph: clip id int64 `[]` → string `[]`."""
        return self._read(clip_id)

    def waveform(self, clip_id: tf.Tensor) -> tf.Tensor:
        """Read one waveform in the graph: clip id int64 `[]` → float32 `[samples]`."""
        return records.parse(self._read(clip_id), self.dataset.config)["waveform"]

    def waveforms(self, count: int | None = None) -> Iterator[NDArray[np.float32]]:
        """Yield waveforms float32 `[samples]`, spread evenly over the tracks.

        Args:
          count: number of clips; by default, or if there are fewer, all of them.
        """
        ids = self.interleaved_ids
        if count is not None:
            ids = ids[evenly_spaced(len(ids), count)]
        waveform = without_autograph(self.waveform)
        waveforms = tf.data.Dataset.from_tensor_slices(ids).map(waveform)
        yield from untuned(waveforms).as_numpy_iterator()

    @cached_property
    def _file_names(self) -> list[str]:
        return [str(self.dataset.folder / shard.name) for shard in self.shards]

    @cached_property
    def _read(self) -> Callable[[tf.Tensor], tf.Tensor]:
        paths = [self.dataset.folder / shard.name for shard in self.shards]
        return records.record_reader(paths, [shard.clips for shard in self.shards])

    @cached_property
    def _is_selected(self) -> NDArray[np.bool_]:
        """Whether each clip of the shards has the label, bool `[clips]`."""
        if self.label is None:
            return np.ones(count_clips(self.shards), bool)
        labels = np.concatenate([shard.clip_labels for shard in self.shards])
        is_label: NDArray[np.bool_] = labels == self.dataset.labels.index(self.label)
        return is_label

    def _interleave_ids(self, order: tf.Tensor) -> tf.data.Dataset:
        ends = np.cumsum([shard.clips for shard in self.shards])
        bounds = tf.constant(np.stack([np.append(0, ends[:-1]), ends], axis=1), tf.int64)
        is_selected = tf.constant(self._is_selected)
        return (
            tf.data.Dataset.from_tensor_slices(tf.gather(bounds, order))
            .interleave(
                lambda bound: tf.data.Dataset.range(bound[0], bound[1]),
                cycle_length=INTERLEAVED_SHARDS,
            )
            .filter(lambda clip_id: tf.gather(is_selected, clip_id))
        )


def evenly_spaced(total: int, count: int) -> NDArray[np.int64]:
    """Return `count` of `total` indices at even distances, from the first to the last.

    If there are fewer, all are returned; if `count` is 1, the first one.

    >>> evenly_spaced(10, 4).tolist()
    [0, 3, 6, 9]
    >>> evenly_spaced(2, 4).tolist()
    [0, 1]
    >>> evenly_spaced(10, 1).tolist()
    [0]
    """
    return np.linspace(0, total - 1, min(count, total)).round().astype(np.int64)
