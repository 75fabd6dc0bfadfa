"""The tail of the normal distribution against mpmath."""

import mpmath
import numpy as np
import pytest

from kernels import normal
from kernels.intrinsics import pick


@pytest.fixture
def points(dtype, rng):
    """From 0 to where e^(-x^2/2) vanishes, the zero of the slope and every fourth binade below 1 among them."""
    top = pick(dtype.type(1), (13.4, 38.0))
    return np.concatenate([rng.uniform(0, 2, 60), rng.uniform(0, top, 60), 2.0 ** -np.arange(1, 60, 4)]).astype(dtype)


def error(parts, truth):
    """Relative error of an unevaluated sum."""
    with mpmath.workdps(50):
        return float(abs(sum(mpmath.mpf(float(part)) for part in parts) / truth - 1))


def tail(x):
    """Phi(-x) e^(x^2/2), and phi(x) e^(x^2/2)."""
    with mpmath.workdps(50):
        v = mpmath.mpf(float(x))
        return mpmath.ncdf(-v) * mpmath.exp(v * v / 2), 1 / mpmath.sqrt(2 * mpmath.pi)


def test_gelu_tail_is_nearly_rounded_once_although_it_takes_many_roundings(points, dtype):
    for x in points:
        assert error(normal.gelu_tail(x), mpmath.mpf(float(x)) * tail(x)[0]) < np.finfo(dtype).eps
    assert sum(normal.gelu_tail(dtype.type(0))) == 0


def test_gelu_slope_keeps_its_relative_error_at_its_zero(points, dtype):
    zero = dtype.type(0.7517915246935645)
    for x in [*points, zero, np.nextafter(zero, dtype.type(0)), np.nextafter(zero, dtype.type(1))]:
        ratio, density = tail(x)
        with mpmath.workdps(50):
            truth = ratio - mpmath.mpf(float(x)) * density
        assert error([normal.gelu_slope(x)], truth) < 3 * np.finfo(dtype).eps
