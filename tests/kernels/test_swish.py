"""swish with gentle slopes against mpmath: where x is large before e^-|a x| is small."""

import mpmath
import numpy as np
import pytest

from kernels.activations import ACTIVATIONS

GENTLE = {np.float32: (0.0, 1e-30, -1e-20, 1e-12, 9e-7, 2e-6, 1e-4), np.float64: (0.0, 1e-200, -1e-59, 1e-10)}
CASES = [(dtype, a) for dtype, slopes in GENTLE.items() for a in slopes]


@pytest.fixture(autouse=True)
def enough_digits():
    """1 - q has some left where q is 1 - e^-150."""
    with mpmath.workprec(700):
        yield


def points(rng, dtype, a):
    """x of every size, and those at which a x is from -150 (-900 in float64) to 60."""
    limit = float(np.finfo(dtype).max)
    z = rng.uniform(-150 if dtype is np.float32 else -900, 60, 60)
    along = np.clip(z / a if a else z * 1e30, -limit, limit)
    return np.concatenate([along, np.exp(rng.uniform(-80, 80, 60)) * rng.choice([-1, 1], 60), [0.0]]).astype(dtype)


def assert_within(ulps, results, truths):
    """Errors in units in the last place of the truth; what is beyond the largest number is infinite."""
    dtype = results.dtype.type
    for result, truth in zip(results.tolist(), truths, strict=True):
        if abs(truth) > float(np.finfo(dtype).max):
            assert np.isinf(result)
        else:
            unit = float(np.spacing(dtype(abs(float(truth)))))
            assert abs(mpmath.mpf(result) - truth) <= ulps * unit


@pytest.mark.parametrize(("dtype", "a"), CASES)
def test_gentle_slopes_neither_overflow_nor_are_cut_off(rng, dtype, a):
    row, a = ACTIVATIONS["swish"], float(dtype(a))
    x = points(rng, dtype, a)
    y, dx, da = (np.full_like(x, np.nan) for _ in range(3))
    row.forward(y, x, a)
    row.backward(dx, np.ones_like(x), x, y, a)
    row.backward(np.empty((1, x.size), dtype), *(v[None] for v in (np.ones_like(x), x, y)), np.full_like(x, a), da)
    exact = [mpmath.mpf(v) for v in x.tolist()]
    gates = [1 / (1 + mpmath.exp(-mpmath.mpf(a) * v)) for v in exact]
    assert_within(row.ulp + 1.5, y, [v * q for v, q in zip(exact, gates, strict=True)])
    assert_within(row.ulp_derivative, dx, [q * (1 + a * v * (1 - q)) for v, q in zip(exact, gates, strict=True)])
    assert_within(row.ulp_derivative, da, [v * v * q * (1 - q) for v, q in zip(exact, gates, strict=True)])
