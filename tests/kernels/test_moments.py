"""Moments of rows against float64, where one pass does and where it takes another."""

import numpy as np
import pytest

from kernels import moments
from kernels.jit import kernel


@kernel(name="test_moments_rows")
def several(found, x):
    """nears, rests, rstds, roots (4, rows) of x (rows, n)."""
    firsts, seconds = np.empty_like(found[0]), np.empty_like(found[0])
    moments.row_moments(found[0], found[1], found[2], firsts, seconds, x)
    moments.row_roots(found[3], seconds, x)


def one(x, run=several):
    """near, rest, rstd and root of a row between two of zeros."""
    found = np.full((4, 3), np.nan, x.dtype)
    run(found, np.stack([np.zeros_like(x), x, np.zeros_like(x)]))
    np.testing.assert_array_equal(found[:2, [0, 2]], 0)
    np.testing.assert_allclose(found[2:, [0, 2]], 1e5**0.5, rtol=1e-6)
    return found[:, 1]


def rows(rng, dtype):
    """Ordinary ones, and those that one pass in the ordinary unit would lose."""
    large = float(np.finfo(dtype).max) ** 0.8
    for size in (3, 5, 6, 7, 11, 1000):
        yield np.full(size, large)
    for values, size in ((6e16, 2048), (1e15, 1024), (1e18, 2048)):  # the sample is not of them
        yield np.where(np.arange(size) < 64, 0.0, values)
    for size in (1, 2, 63, 64, 65, 1000):
        normal = rng.standard_normal(size)
        yield from (normal, np.zeros(size), np.full(size, 0.1), normal + 1e3, large * normal, large * (1 + normal))
        last = np.zeros(size)
        last[-1] = 1e4
        yield last


def test_moments_and_root_of_rows_of_any_kind(rng, dtype):
    eps = np.finfo(dtype).eps
    for values in rows(rng, dtype):
        x = values.astype(dtype)
        wide = x.astype(np.longdouble)
        near, rest, rstd, root = one(x)
        mean = wide.mean()
        deviation = np.sqrt(np.square(wide - mean).mean() + 1e-5)
        assert abs(near + np.longdouble(rest) - mean) <= 4 * eps * (eps * abs(mean) + deviation)
        assert abs(rstd * deviation - 1) <= 16 * eps
        assert abs(root * np.sqrt(np.square(wide).mean() + 1e-5) - 1) <= 16 * eps


def test_outside_of_a_kernel(rng, dtype):
    x = rng.standard_normal(100).astype(dtype)
    near, rest, rstd, root = one(x, several.py_func)
    assert (near + rest, rstd, root) == pytest.approx((x.mean(), 1 / x.std(), 1 / np.sqrt(np.mean(x * x))), rel=1e-4)


def test_nan_and_infinity_make_all_nan(dtype):
    for value in (np.nan, np.inf, -np.inf):
        for place in (0, 99):
            x = np.ones(100, dtype)
            x[place] = value
            _, _, rstd, root = one(x)
            assert np.isnan(rstd)
            assert root == 0 if np.isinf(value) else np.isnan(root)
