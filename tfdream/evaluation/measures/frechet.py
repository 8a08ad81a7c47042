"""The Fréchet distance of two sets of vectors, each modeled as a Gaussian."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr, svdvals

from tfdream.evaluation.measures.levels import FloatArray
from tfdream.io.progress import ProgressFn, no_progress

MIN_ROWS = 2
"""Minimum number of vectors for a covariance."""

_SMALLEST_SHARE = 0.5


class Gaussian(NamedTuple):
    """Mean and covariance of a set.

    Attributes:
      mean: float64 `[dimensions]`.
      factor: float64 `[rank, dimensions]`, F with FᵀF the covariance. It is smaller than the
        covariance if there are few rows, and makes a matrix square root unnecessary.
    """

    mean: FloatArray
    factor: FloatArray

    @classmethod
    def fit(cls, rows: FloatArray) -> "Gaussian":
        """Fit a Gaussian to vectors `[rows, dimensions]`, at least two."""
        mean = rows.mean(axis=0, dtype=float)
        centered = (rows - mean) / np.sqrt(len(rows) - 1)
        if len(rows) <= rows.shape[1]:
            return cls(mean, centered)
        return cls(mean, qr(centered, mode="r", overwrite_a=True)[0][: rows.shape[1]])


def distance(left: Gaussian, right: Gaussian) -> float:
    """Return ‖μ − ν‖² + tr(Σ + T − 2(ΣT)^½), at least 0.

    With Σ = FᵀF and T = GᵀG the trace of (ΣT)^½ is the sum of the singular values of FGᵀ: this
    avoids the square root of a non-symmetric product, and eigenvalues that rounding makes negative.

    Source: Dowson and Landau, "The Fréchet distance between multivariate normal distributions".
    """
    means = np.square(left.mean - right.mean).sum()
    variances = np.square(left.factor).sum() + np.square(right.factor).sum()
    common = svdvals(left.factor @ right.factor.T).sum()
    return float(max(means + variances - 2 * common, 0.0))


def between(left: FloatArray, right: FloatArray) -> float:
    """Return the distance of two sets of vectors `[rows, dimensions]`.

    >>> square = np.array([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 2.0]])
    >>> round(between(square, square + 3), 6)
    18.0
    """
    return distance(Gaussian.fit(left), Gaussian.fit(right))


def of_parts(
    rows: FloatArray, parts: NDArray[np.bool_], progress: ProgressFn = no_progress
) -> list[float]:
    """Return the distance of each part of a set from the rest of the set.

    Args:
      rows: float `[rows, dimensions]`.
      parts: the rows of each part, bool `[parts, rows]`; a part and its rest have at least 2 rows.
      progress: receives the finished and all parts.
    """
    distances = []
    for number, part in enumerate(parts, start=1):
        distances.append(between(rows[part], rows[~part]))
        progress(number, len(parts))
    return distances


def unbiased(
    left: FloatArray,
    right: FloatArray,
    subsets: int,
    rng: np.random.Generator,
    progress: ProgressFn = no_progress,
) -> float:
    """Estimate the distance of two sets in the limit of infinitely many rows.

    The distance of finite sets is too large by about a constant over their size N. A line is fitted
    to the distances of random subsets over 1/N and extrapolated to 1/N = 0. Subsets are the same
    shares of both sets, evenly spaced from one half; the line is forced through the distance of all
    rows, which does not depend on a random choice.

    The relation is linear only if there are clearly more rows than dimensions. With fewer rows,
    only a part of the bias is removed: with a fifth as many rows as dimensions about a third. The
    estimate has a variance, and for equal distributions it may be negative.

    Args:
      left: float `[rows, dimensions]`, at least 4 rows.
      right: the other set, in the same form.
      subsets: number of random subsets, at least 1.
      rng: random generator for the subsets.
      progress: receives the finished and all subsets.

    Source: Chong and Forsyth, "Effectively unbiased FID and Inception score and where to find
    them".
    """
    all_rows = between(left, right)
    runs, rises = np.zeros(subsets), np.zeros(subsets)
    for number, share in enumerate(np.linspace(_SMALLEST_SHARE, 1, subsets, endpoint=False)):
        parts = [_part(rows, share, rng) for rows in (left, right)]
        # The sizes after rounding to whole numbers.
        sizes = zip((left, right), parts, strict=True)
        runs[number] = np.mean([len(rows) / len(part) for rows, part in sizes]) - 1
        rises[number] = between(*parts) - all_rows
        progress(number + 1, subsets)
    return all_rows - float(runs @ rises / (runs @ runs))


def _part(rows: FloatArray, share: float, rng: np.random.Generator) -> FloatArray:
    count = max(MIN_ROWS, round(share * len(rows)))
    part: FloatArray = rows[rng.permutation(len(rows))[:count]]
    return part
