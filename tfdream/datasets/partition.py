"""What one of several processes takes of every batch, so that together they take all of it."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf


@dataclass(frozen=True)
class ReplicaSlice:
    """One of equal parts of every batch; by default all of it.

    Attributes:
      index: of the part.
      count: of all parts; batches are a multiple of it.
    """

    index: int | tf.Tensor = 0
    count: int = 1

    def of(self, batches: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
        """The part of each batch, to be taken before anything costly is done to it."""
        if self.count == 1:
            return batches

        def cut(*batch: Any) -> Any:
            return self.cut(batch if len(batch) > 1 else batch[0], batch_size)

        return batches.map(cut)

    def cut(self, batch: Any, batch_size: int) -> Any:
        """The part of tensors `[batch, …]` in any structure: `[batch / count, …]`."""
        size = batch_size // self.count
        first = self.index * size
        return tf.nest.map_structure(lambda values: values[first : first + size], batch)

    def seed(self, seed: tf.Tensor) -> tf.Tensor:
        """The seed int64 `[2]` of what is drawn for the part, where `seed` is the batch's."""
        if self.count == 1:
            return seed
        return tf.random.experimental.stateless_fold_in(seed, self.index)


WHOLE = ReplicaSlice()
