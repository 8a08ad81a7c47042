"""What is made of clips, once: when one is first asked for, and from then on kept in memory.

So that training begins at once, however many clips there are: its first epoch makes what the others
find.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf


class LazyCache:
    """What is made of each of some clips.

    Every clip is made by itself: what becomes of it does not depend on those that it is first asked
    for with, so that training which was interrupted goes on with the same values.

    Args:
      clips: how many there are.
      make: in the graph, the number of a clip int64 `[]` → tensors.
      signature: of these tensors.
    """

    def __init__(
        self,
        clips: int,
        make: Callable[[tf.Tensor], Sequence[tf.Tensor]],
        signature: Sequence[tf.TensorSpec],
    ) -> None:
        self._make = make
        self._signature = tuple(signature)
        # Memory that is asked for, but not written to, is not taken yet.
        self._columns = [
            np.empty((clips, *spec.shape), spec.dtype.as_numpy_dtype) for spec in signature
        ]
        self._made = np.zeros(clips, bool)

    def of(self, numbers: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """In the graph of a pipeline: what is made of clips int64 `[n]`, as tensors `[n, …]`."""
        missing = tf.numpy_function(self._missing, [numbers], tf.int64)
        missing = tf.ensure_shape(missing, [None])
        made = tf.map_fn(
            lambda number: tuple(self._make(number)),
            missing,
            fn_output_signature=self._signature,
        )
        types = [spec.dtype for spec in self._signature]
        found = tf.numpy_function(self._exchange, [numbers, missing, *made], types)
        return tuple(
            tf.ensure_shape(column, [numbers.shape[0], *spec.shape])
            for column, spec in zip(found, self._signature, strict=True)
        )

    def _missing(self, numbers: np.ndarray) -> np.ndarray:
        return np.unique(numbers[~self._made[numbers]])

    def _exchange(
        self, numbers: np.ndarray, missing: np.ndarray, *made: np.ndarray
    ) -> list[np.ndarray]:
        """Take in what was missing, and give what was asked for."""
        for column, values in zip(self._columns, made, strict=True):
            column[missing] = values
        self._made[missing] = True  # last: another thread may ask meanwhile
        return [column[numbers] for column in self._columns]
