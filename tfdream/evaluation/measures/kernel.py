"""The kernel distance of two sets of vectors: their unbiased maximum mean discrepancy."""

import itertools

import numpy as np
from numpy.typing import NDArray

from tfdream.evaluation.measures.levels import FloatArray
from tfdream.io.progress import ProgressFn, no_progress

SCALE = 100.0
"""Factor of the published distance, for readable numbers."""
MIN_ROWS = 2
"""Minimum number of vectors of a set: the mean over pairs of different vectors needs two."""

_BLOCK_ROWS = 1024
_MEDIAN_ROWS = 4096
# Of a squared distance, relative to the squared norms.
_ROUNDING_ERROR = 1e-13


def bandwidth(rows: FloatArray) -> float:
    """Return the median distance of two different vectors of a set `[rows, dimensions]`.

    Of a larger set, 4096 vectors evenly spaced in it are used. It is 0 if all vectors are equal.

    >>> bandwidth(np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]]))
    5.0
    """
    spread = np.linspace(0, len(rows) - 1, min(len(rows), _MEDIAN_ROWS)).round().astype(int)
    selected = rows[spread].astype(float)
    selected -= selected.mean(axis=0)
    squares = _squared_distances(selected, selected)
    squares = squares[~np.tri(len(selected), dtype=bool)]
    return float(np.median(np.sqrt(squares[squares > 0]))) if squares.any() else 0.0


def between(
    left: FloatArray, right: FloatArray, width: float, progress: ProgressFn = no_progress
) -> float:
    """Return 100 times the squared maximum mean discrepancy of two sets.

    The estimate has no bias for sets of any size, so that distances of sets of different sizes can
    be compared; for equal distributions it is negative as often as positive. It makes no assumption
    about the distributions.

    Args:
      left: float `[rows, dimensions]`, at least 2 rows.
      right: the other set, in the same form.
      width: standard deviation of the Gaussian kernel, see `bandwidth`.
      progress: receives the finished and all blocks of pairs.

    Source: Chung et al., "KAD: No more FAD!", section 3; Gretton et al., "A kernel two-sample
    test", equation 3.

    >>> square = np.array([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 2.0]])
    >>> round(between(square, square + 100, bandwidth(square)), 3)
    105.396
    """
    rows = np.concatenate([left, right])
    (distance,) = of_parts(rows, np.arange(len(rows))[np.newaxis] < len(left), width, progress)
    return distance


def of_parts(
    rows: FloatArray,
    parts: NDArray[np.bool_],
    width: float,
    progress: ProgressFn = no_progress,
) -> list[float]:
    """Return the distance of each part of a set from the rest of the set; see `between`.

    The kernel of all pairs is computed once for all parts, in blocks that bound the memory.

    Args:
      rows: float `[rows, dimensions]`.
      parts: the rows of each part, bool `[parts, rows]`; a part and its rest have at least 2 rows.
      width: see `between`.
      progress: receives the finished and all blocks.
    """
    # Rows: vectors; columns: the parts, then their rests.
    sides = np.concatenate([parts, ~parts]).T.astype(float)
    within, across = np.zeros(2 * len(parts)), np.zeros(len(parts))
    center = rows.mean(axis=0, dtype=float)
    starts = range(0, len(rows), _BLOCK_ROWS)
    blocks = list(itertools.combinations_with_replacement(starts, 2))
    for number, (first, second) in enumerate(blocks, start=1):
        left, right = (slice(start, start + _BLOCK_ROWS) for start in (first, second))
        squares = _squared_distances(rows[left] - center, rows[right] - center)
        sums = _kernel(squares, width) @ sides[right]
        weight = 1 if first == second else 2  # the kernel is symmetric
        within += weight * (sides[left] * sums).sum(axis=0)
        swapped = np.roll(sums, len(parts), axis=1)
        across += weight / 2 * (sides[left] * swapped).sum(axis=0).reshape(2, -1).sum(axis=0)
        progress(number, len(blocks))
    counts = sides.sum(axis=0)
    of_different_rows = (within - counts) / (counts * (counts - 1))
    means_within = of_different_rows.reshape(2, -1).sum(axis=0)
    mean_across = across / counts.reshape(2, -1).prod(axis=0)
    distances: list[float] = (SCALE * (means_within - 2 * mean_across)).tolist()
    return distances


def _squared_distances(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return the squared distances of all pairs, float64 `[left rows, right rows]`.

    They are computed from squared norms and products; distances within rounding errors are 0.
    """
    norms = np.square(left).sum(axis=1)[:, np.newaxis] + np.square(right).sum(axis=1)
    squares = norms - 2 * (left @ right.T)
    exact: FloatArray = np.where(squares > _ROUNDING_ERROR * norms, squares, 0.0)
    return exact


def _kernel(squares: FloatArray, width: float) -> FloatArray:
    kernel: FloatArray = np.exp(-squares / (2 * width**2)) if width else 1.0 * (squares == 0)
    return kernel
