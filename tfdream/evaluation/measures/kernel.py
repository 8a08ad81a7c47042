"""The kernel distance of two sets of vectors: their unbiased maximum mean discrepancy."""

from collections.abc import Iterator

import numpy as np
from scipy.spatial.distance import cdist, pdist

from tfdream.evaluation.measures.levels import FloatArray

SCALE = 100.0
"""Factor of the published distance, for readable numbers."""
MIN_ROWS = 2
"""Minimum number of vectors of a set: the mean over pairs of different vectors needs two."""

_BLOCK_ROWS = 1024
_MEDIAN_ROWS = 4096


def bandwidth(rows: FloatArray) -> float:
    """Return the median distance of two vectors of a set `[rows, dimensions]`.

    Of a larger set, 4096 vectors evenly spaced in it are used.

    >>> bandwidth(np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]]))
    5.0
    """
    spread = np.linspace(0, len(rows) - 1, min(len(rows), _MEDIAN_ROWS)).round().astype(int)
    return float(np.median(pdist(rows[spread].astype(float))))


def between(left: FloatArray, right: FloatArray, width: float) -> float:
    """Return 100 times the squared maximum mean discrepancy of two sets.

    The estimate has no bias for sets of any size, so that distances of sets of different sizes can
    be compared; for equal distributions it is negative as often as positive. It makes no assumption
    about the distributions.

    Args:
      left: float `[rows, dimensions]`, at least 2 rows.
      right: the other set, in the same form.
      width: standard deviation of the Gaussian kernel, see `bandwidth`.

    Source: Chung et al., "KAD: No more FAD!", section 3; Gretton et al., "A kernel two-sample
    test", equation 3.

    >>> square = np.array([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 2.0]])
    >>> round(between(square, square + 100, bandwidth(square)), 3)
    105.396
    """
    if not width:  # all vectors of the reference are equal
        width = float(np.finfo(np.float32).tiny)
    within = sum(_mean_of_pairs(rows, width) for rows in (left, right))
    across = sum(block.sum() for block in _kernel(left, right, width)) / (len(left) * len(right))
    return float(SCALE * (within - 2 * across))


def _mean_of_pairs(rows: FloatArray, width: float) -> float:
    """Return the mean kernel of two different vectors of a set."""
    total = sum(block.sum() for block in _kernel(rows, rows, width))
    return float((total - len(rows)) / (len(rows) * (len(rows) - 1)))


def _kernel(left: FloatArray, right: FloatArray, width: float) -> Iterator[FloatArray]:
    """Yield the kernel of all pairs in blocks of rows of `left`, to bound the memory."""
    for start in range(0, len(left), _BLOCK_ROWS):
        squares = cdist(left[start : start + _BLOCK_ROWS], right, "sqeuclidean")
        with np.errstate(over="ignore"):
            yield np.exp(-squares / (2 * width**2))
