"""Lazy per-clip cache: values are computed on first access and stored in memory.

Training starts at once, whatever the number of clips: its first epoch fills the cache.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


class LazyCache:
    """Stores the tensors that a function computes for each clip.

    Each clip is computed by itself, so that its value does not depend on the batch in which it
    first occurs: resumed training continues with the same values.

    Args:
      clip_ids: int64 `[clips]`: the clips that may be looked up.
      compute: graph function, clip id int64 `[]` → tensors.
      signature: specification of these tensors.
    """

    def __init__(
        self,
        clip_ids: NDArray[Any],
        compute: Callable[[tf.Tensor], Sequence[tf.Tensor]],
        signature: Sequence[tf.TensorSpec],
    ) -> None:
        self._compute = compute
        self._signature = tuple(signature)
        self._rows = np.zeros(1 + clip_ids.max(), np.int64)
        self._rows[clip_ids] = np.arange(len(clip_ids))
        # The operating system provides this memory page by page, on the first write.
        self._columns = [
            np.empty((len(clip_ids), *spec.shape), spec.dtype.as_numpy_dtype) for spec in signature
        ]
        self._is_computed = np.zeros(len(clip_ids), bool)

    def lookup(self, clip_ids: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Return the tensors `[n, …]` of clips int64 `[n]`; call it in a pipeline's graph."""
        missing = tf.numpy_function(self._missing, [clip_ids], tf.int64)
        missing = tf.ensure_shape(missing, [None])
        computed = tf.map_fn(
            lambda clip_id: tuple(self._compute(clip_id)),
            missing,
            fn_output_signature=self._signature,
        )
        types = [spec.dtype for spec in self._signature]
        columns = tf.numpy_function(self._exchange, [clip_ids, missing, *computed], types)
        return tuple(
            tf.ensure_shape(column, [clip_ids.shape[0], *spec.shape])
            for column, spec in zip(columns, self._signature, strict=True)
        )

    def _missing(self, clip_ids: NDArray[Any]) -> NDArray[Any]:
        missing: NDArray[np.int64] = np.unique(clip_ids[~self._is_computed[self._rows[clip_ids]]])
        return missing

    def _exchange(
        self, clip_ids: NDArray[Any], missing: NDArray[Any], *computed: NDArray[Any]
    ) -> list[NDArray[Any]]:
        """Store the missing values and return the requested ones."""
        rows = self._rows[missing]
        for column, values in zip(self._columns, computed, strict=True):
            column[rows] = values
        self._is_computed[rows] = True  # last: another thread may read the columns meanwhile
        return [column[self._rows[clip_ids]] for column in self._columns]
