"""The Fréchet distance of two sets of vectors, each taken for a Gaussian."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.linalg import qr, svdvals

LEAST_ROWS = 2
"""What a covariance takes."""

_SMALLEST_SHARE = 0.5


class Gaussian(NamedTuple):
    """Mean and covariance of a set.

    Attributes:
      mean: float64 `[dimensions]`.
      factor: float64 `[rank, dimensions]`, F with FᵀF the covariance. It is smaller than the
        covariance where there are few rows, and has no root to be taken.
    """

    mean: np.ndarray
    factor: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> "Gaussian":
        """That of vectors `[rows, dimensions]`, at least two."""
        mean = rows.mean(axis=0, dtype=float)
        centered = (rows - mean) / np.sqrt(len(rows) - 1)
        if len(rows) <= rows.shape[1]:
            return cls(mean, centered)
        return cls(mean, qr(centered, mode="r", overwrite_a=True)[0][: rows.shape[1]])


def distance(left: Gaussian, right: Gaussian) -> float:
    """‖μ − ν‖² + tr(Σ + T − 2(ΣT)^½), at least 0.

    With Σ = FᵀF and T = GᵀG the trace of (ΣT)^½ is the sum of the singular values of FGᵀ: no root
    of a product that is not symmetric, and no eigenvalue that rounding makes negative.

    Source: Dowson and Landau, "The Fréchet distance between multivariate normal distributions".
    """
    means = np.square(left.mean - right.mean).sum()
    variances = np.square(left.factor).sum() + np.square(right.factor).sum()
    common = svdvals(left.factor @ right.factor.T).sum()
    return float(max(means + variances - 2 * common, 0.0))


def between(left: np.ndarray, right: np.ndarray) -> float:
    """The distance of two sets of vectors `[rows, dimensions]`."""
    return distance(Gaussian.of(left), Gaussian.of(right))


def unbiased(
    left: np.ndarray,
    right: np.ndarray,
    subsets: int,
    rng: np.random.Generator,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> float:
    """The distance of two sets as if they were infinitely large.

    The distance of finite sets is too large by about a constant over their size N, so that the line
    through the distances of random subsets over 1/N tells at 1/N = 0 what infinitely many rows
    would have. Sizes are the same shares of both sets, evenly spaced from half of them on; the line
    goes through the distance of all rows, which no choice of a subset blurs.

    The line is a line only where there are clearly more rows than dimensions. With fewer it takes
    only a part of the excess away: with a fifth as many rows as dimensions about a third. The
    result has a deviation of its own, and where there is no difference it may fall below 0.

    Args:
      left: float `[rows, dimensions]`, at least 4 rows.
      right: likewise.
      subsets: how many the slope is told from, at least 1.
      rng: draws them.
      progress: hears the subsets done, and all of them.

    Source: Chong and Forsyth, "Effectively unbiased FID and Inception score and where to find
    them".
    """
    whole = between(left, right)
    runs, rises = np.zeros(subsets), np.zeros(subsets)
    for number, share in enumerate(np.linspace(_SMALLEST_SHARE, 1, subsets, endpoint=False)):
        parts = [_part(rows, share, rng) for rows in (left, right)]
        # What the sizes really are: they are whole numbers.
        sizes = zip((left, right), parts, strict=True)
        runs[number] = np.mean([len(rows) / len(part) for rows, part in sizes]) - 1
        rises[number] = between(*parts) - whole
        progress(number + 1, subsets)
    return whole - float(runs @ rises / (runs @ runs))


def _part(rows: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    count = max(LEAST_ROWS, round(share * len(rows)))
    return rows[rng.permutation(len(rows))[:count]]
