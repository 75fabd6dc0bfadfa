"""Effective rank: against NumPy's singular values, and what is known."""

import numpy as np
import pytest

from suites.ranks import effective_rank


def entropy_of_singular_values(x):
    singular = np.linalg.svd(x.reshape(-1, x.shape[-1]).astype(np.float64), compute_uv=False)
    shares = singular / singular.sum()
    shares = shares[shares > 0]
    return np.exp(-np.sum(shares * np.log(shares)))


@pytest.mark.parametrize("shape", [(5, 12), (12, 5), (3, 4, 7), (1, 6), (6, 1), (1, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_against_singular_values(shape, dtype):
    x = np.random.default_rng(1).standard_normal(shape).astype(dtype)
    assert effective_rank(x) == pytest.approx(entropy_of_singular_values(x), rel=1e-9)


@pytest.mark.parametrize("scale", [1e-40, 1e-300, 1e300])
def test_it_knows_no_scale(scale):
    x = np.random.default_rng(2).standard_normal((7, 9))
    assert effective_rank(x * scale) == pytest.approx(effective_rank(x), rel=1e-9)


def test_known_ranks():
    assert effective_rank(np.eye(6)) == pytest.approx(6)
    assert effective_rank(np.diag([1.0, 1.0, 0.0])) == pytest.approx(2)
    assert effective_rank(np.outer(np.arange(1, 9), np.arange(1, 33)).astype(np.float32)) == pytest.approx(1, abs=1e-4)
    assert effective_rank(np.diag([2.0, 1.0])) == pytest.approx(np.exp(np.log(3) - 2 / 3 * np.log(2)))


@pytest.mark.parametrize("x", [np.zeros((3, 4)), np.full((2, 2), np.inf), np.array([[1.0, np.nan]])])
def test_it_is_nan_where_it_has_no_meaning(x):
    assert np.isnan(effective_rank(x))
