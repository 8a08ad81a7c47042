import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist

from tfdream.evaluation.measures import kernel


def normal(seed, rows, offset=0.0, dimensions=8):
    return offset + np.random.default_rng(seed).standard_normal((rows, dimensions))


def test_the_distance_of_normal_distributions_is_that_of_the_closed_form():
    """E k(x, y) = (w² / (w² + 2))^(d/2) · exp(−‖Δ‖² / (2 (w² + 2))) for unit variances."""
    dimensions, offset, width = 8, 0.5, 3.0
    share = width**2 / (width**2 + 2)
    expected = (
        2 * share ** (dimensions / 2) * (1 - np.exp(-dimensions * offset**2 / (2 * (width**2 + 2))))
    )
    actual = kernel.between(normal(0, 3000), normal(1, 3000, offset), width)
    assert actual == pytest.approx(kernel.SCALE * expected, rel=0.05)


def test_the_estimate_has_no_bias_in_small_sets():
    of_small = [
        kernel.between(normal(seed, 10), normal(seed + 1000, 10), 3.0) for seed in range(300)
    ]
    assert np.mean(of_small) == pytest.approx(0, abs=3 * np.std(of_small) / np.sqrt(300))


def test_it_is_symmetric_and_does_not_depend_on_blocks_or_order(monkeypatch):
    left, right = normal(0, 50), normal(1, 70, 1.0)
    expected = kernel.between(left, right, 2.0)
    monkeypatch.setattr(kernel, "_BLOCK_ROWS", 7)
    assert kernel.between(right[::-1], left, 2.0) == pytest.approx(expected)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_parts_of_a_set_are_compared_in_one_pass_over_blocks(monkeypatch, offset):
    monkeypatch.setattr(kernel, "_BLOCK_ROWS", 7)
    rows = normal(0, 40, offset).astype(np.float32)
    parts = np.random.default_rng(1).random((3, 40)) < 0.4
    finished = []
    distances = kernel.of_parts(rows, parts, 2.0, lambda *given: finished.append(given))
    assert finished == [(number, 21) for number in range(1, 22)]  # pairs of six blocks

    def kernel_of(left, right):
        return np.exp(-cdist(left, right, "sqeuclidean") / 8)

    for part, actual in zip(parts, distances, strict=True):
        one, other = rows[part].astype(float), rows[~part].astype(float)
        within = [
            (kernel_of(each, each).sum() - len(each)) / (len(each) * (len(each) - 1))
            for each in (one, other)
        ]
        expected = kernel.SCALE * (sum(within) - 2 * kernel_of(one, other).mean())
        assert actual == pytest.approx(expected, rel=1e-6, abs=1e-9)
        assert actual == pytest.approx(kernel.between(one, other, 2.0), rel=1e-6, abs=1e-9)


def test_the_bandwidth_is_the_median_distance(monkeypatch):
    rows = normal(0, 40)
    assert kernel.bandwidth(rows) == pytest.approx(np.median(pdist(rows)))
    monkeypatch.setattr(kernel, "_MEDIAN_ROWS", 20)
    assert kernel.bandwidth(rows) == pytest.approx(np.median(pdist(rows)), rel=0.1)


def test_the_bandwidth_does_not_depend_on_repeated_vectors():
    rows = normal(0, 4)
    repeated = np.concatenate([rows, *[rows[:1]] * 20])
    distances = pdist(repeated)
    assert kernel.bandwidth(repeated) == pytest.approx(np.median(distances[distances > 0]))


def test_equal_vectors_are_at_finite_distance():
    equal = np.ones((5, 3))
    assert kernel.between(equal, equal, kernel.bandwidth(equal)) == 0
    assert kernel.between(equal, 2 * equal, kernel.bandwidth(equal)) == 200
