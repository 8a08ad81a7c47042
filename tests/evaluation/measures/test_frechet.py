import numpy as np
import pytest
from scipy.linalg import sqrtm

from tfdream.evaluation.measures import frechet


def gaussian(rng, rows, mean, deviations):
    return mean + deviations * rng.standard_normal((rows, len(deviations)))


def closed_form(means, deviations):
    """Return the distance of two Gaussians with diagonal covariances."""
    return sum(np.square(np.subtract(*each)).sum() for each in (means, deviations))


MEANS = np.zeros(8), np.full(8, 0.3)
DEVIATIONS = np.linspace(0.5, 2, 8), np.linspace(2, 0.5, 8)
TRUE = closed_form(MEANS, DEVIATIONS)


def pair(rows, seed=0):
    rng = np.random.default_rng(seed)
    return [gaussian(rng, rows, *each) for each in zip(MEANS, DEVIATIONS, strict=True)]


def test_many_rows_approach_the_closed_form():
    # Means and deviations of 200 000 rows have errors of some thousandths.
    assert frechet.between(*pair(200_000)) == pytest.approx(TRUE, rel=0.01)


@pytest.mark.parametrize("rows", [5, 40])
def test_distance_equals_the_formula_with_a_matrix_root(rows):
    """Both fewer and more rows than dimensions."""
    left, right = pair(rows)
    covariances = [np.cov(each, rowvar=False) for each in (left, right)]
    means = np.square(left.mean(axis=0) - right.mean(axis=0)).sum()
    both = np.trace(covariances[0] + covariances[1])
    root = np.trace(sqrtm(covariances[0] @ covariances[1])).real
    # The matrix of few rows is singular, and its root has half of the digits.
    assert frechet.between(left, right) == pytest.approx(means + both - 2 * root, rel=1e-5)
    factor = frechet.Gaussian.fit(left).factor
    np.testing.assert_allclose(factor.T @ factor, covariances[0], atol=1e-12)


@pytest.mark.parametrize("rows", [5, 40])
def test_distance_is_zero_for_equal_sets_and_symmetric(rows):
    left, right = pair(rows)
    assert frechet.between(left, left) == pytest.approx(0, abs=1e-12)
    assert frechet.between(left, right) == pytest.approx(frechet.between(right, left))


def test_distance_of_shifted_float32_rows_is_the_squared_shift():
    rows = (1000 + np.random.default_rng(0).standard_normal((50, 8))).astype(np.float32)
    # float32 resolves means of 1000 to 6e-5.
    assert frechet.between(rows, rows + np.float32(3)) == pytest.approx(8 * 9, rel=1e-3)


def test_bias_correction_is_closer_to_the_true_distance():
    plain, unbiased = [], []
    for seed in range(8):
        left, right = pair(40, seed)
        plain.append(frechet.between(left, right))
        unbiased.append(frechet.unbiased(left, right, 30, np.random.default_rng(seed)))
    assert np.mean(plain) > TRUE
    assert abs(np.mean(unbiased) - TRUE) < abs(np.mean(plain) - TRUE) / 2


def test_remaining_bias_with_few_rows_is_smaller():
    rng = np.random.default_rng(0)
    left, right = (rng.standard_normal((30, 64)) for _ in range(2))  # one distribution: 0 apart
    plain, unbiased = frechet.between(left, right), frechet.unbiased(left, right, 20, rng)
    assert abs(unbiased) < plain
