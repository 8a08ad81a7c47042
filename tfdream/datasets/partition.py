"""The slice of each global batch that one replica processes."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf


@dataclass(frozen=True)
class ReplicaSlice:
    """One of several equal slices of every batch; by default the whole batch.

    Attributes:
      index: number of the slice.
      count: number of slices; batch sizes are multiples of it.
    """

    index: int | tf.Tensor = 0
    count: int = 1

    def apply(self, batches: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
        """Slice every batch of a pipeline; apply it before costly operations."""
        if self.count == 1:
            return batches

        def slice_batch(*batch: Any) -> Any:
            return self.slice(batch if len(batch) > 1 else batch[0], batch_size)

        return batches.map(slice_batch)

    def slice(self, batch: Any, batch_size: int) -> Any:
        """Slice tensors `[batch, …]` in any structure to `[batch / count, …]`."""
        size = batch_size // self.count
        first = self.index * size
        return tf.nest.map_structure(lambda values: values[first : first + size], batch)

    def seed(self, seed: tf.Tensor) -> tf.Tensor:
        """Derive the random seed int64 `[2]` of this slice from that of the batch."""
        if self.count == 1:
            return seed
        return tf.random.experimental.stateless_fold_in(seed, self.index)


WHOLE_BATCH = ReplicaSlice()
"""The slice of a process that trains alone."""
