"""Onset strength: the mean rise of the levels of bands from frame to frame."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def onset_strength(levels_db: NDArray[Any], before: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return the mean rise of the bands from the frame before to each frame, in dB.

    Args:
      levels_db: levels `[frames, …, bands]`.
      before: levels `[1, …, bands]` of the frame before the first one; if it is None, the strength
        of the first frame is 0.

    Returns:
      The strength `[frames, …]`.

    >>> onset_strength(np.array([[0.0, 0.0], [6.0, -2.0]])).tolist()
    [0.0, 3.0]
    """
    rises_db = np.diff(levels_db, axis=0, prepend=levels_db[:1] if before is None else before)
    strength: NDArray[Any] = np.maximum(rises_db, 0).mean(axis=-1)
    return strength
