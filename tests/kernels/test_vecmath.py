"""The parts that the activations are made of, against mpmath: sums of two numbers are right to twice a rounding."""

import math

import mpmath
import numpy as np
import pytest

from kernels import vecmath
from kernels.intrinsics import pick


def error(parts, truth):
    """Relative error of an unevaluated sum."""
    total = sum(mpmath.mpf(float(part)) for part in parts)
    return float(abs(total / truth - 1))


def eps(dtype):
    return float(np.finfo(dtype).eps)


@pytest.fixture(autouse=True)
def _digits():
    with mpmath.workdps(50):
        yield


@pytest.fixture
def negative(dtype, rng):
    """Arguments of e^z whose results are normal numbers."""
    return np.concatenate([-rng.uniform(0, 80, 60), -(10.0 ** rng.uniform(-20, 0, 20)), [-0.0]]).astype(dtype)


def test_exp_in_two_parts(negative, dtype):
    for z in negative:
        parts = vecmath.exp_nonpositive(z, dtype.type(0))
        assert error(parts, mpmath.exp(mpmath.mpf(float(z)))) < 0.4 * eps(dtype)


def test_exp_takes_an_argument_in_two_parts(dtype):
    z, dz = dtype.type(-50.3), dtype.type(1.7e-7)
    parts = vecmath.exp_nonpositive(z, dz)
    assert error(parts, mpmath.exp(mpmath.mpf(float(z)) + mpmath.mpf(float(dz)))) < 0.4 * eps(dtype)


def test_exp_vanishes_and_passes_nan(dtype):
    with np.errstate(invalid="ignore"):
        for z in (-np.inf, -1e30, -2000.0):
            assert vecmath.exp_nonpositive(dtype.type(z), dtype.type(0))[0] == 0
        assert np.isnan(vecmath.exp_nonpositive(dtype.type(np.nan), dtype.type(0))[0])


def test_exp_that_grows(dtype, rng):
    """e^z * UNSCALE, for z of both signs and in two parts."""
    top = pick(dtype.type(1), vecmath.MOST)
    unit = mpmath.mpf(float(vecmath.unscale(dtype.type(1))))
    for z in [*rng.uniform(-30, 30, 30), *rng.uniform(30, top, 30), 0.0, -0.0, top]:
        z, dz = dtype.type(z), dtype.type(z * 2.0**-26)
        truth = mpmath.exp(mpmath.mpf(float(z)) + mpmath.mpf(float(dz))) * unit
        assert error(vecmath.join(*vecmath.growing_exp_parts(z, dz)), truth) < 0.5 * eps(dtype)


def test_plain_exp(negative, dtype):
    for z in negative:
        parts = [vecmath.unscale(part) for part in vecmath.join(*vecmath.plain_exp_parts(z, dtype.type(0)))]
        assert error(parts, mpmath.exp(mpmath.mpf(float(z)))) < 0.5 * eps(dtype)


def test_quotients_that_fade(dtype, rng):
    """Two roundings and an exponential; from MOST on they have vanished."""
    for z in [*rng.uniform(0, 80, 60), *10 ** rng.uniform(-9, 0, 20), 0.0]:
        z = dtype.type(z)
        for k in (1, 2):
            truth = k / (1 + mpmath.exp(mpmath.mpf(float(z))))
            assert error([vecmath.over_growth(dtype.type(k), z)], truth) < 1.2 * eps(dtype)
    for z in (1e4, math.inf):
        assert vecmath.over_growth(dtype.type(1), dtype.type(z)) == 0
    assert math.isnan(vecmath.over_growth(dtype.type(1), dtype.type("nan")))


def test_expm1_keeps_its_relative_error_near_zero(dtype, rng):
    for z in [*-(10 ** rng.uniform(-9, 0, 40)), *-rng.uniform(0, 40, 40)]:
        z = dtype.type(z)
        exact = mpmath.mpf(float(z))
        p, scale = vecmath.expm1_parts(z)
        assert error([scale * p, scale - 1], mpmath.expm1(exact)) < 0.8 * eps(dtype)
        dz = dtype.type(z * eps(dtype) / 4)
        truth = mpmath.expm1(exact + mpmath.mpf(float(dz)))
        assert error([vecmath.expm1(z, dz)], truth) < 0.8 * eps(dtype)
        c, dc = dtype.type(1.75), dtype.type(1.75 * eps(dtype) / 4)
        truth *= mpmath.mpf(float(c)) + mpmath.mpf(float(dc))
        assert error([vecmath.expm1_times(z, dz, c, dc)], truth) < 0.65 * eps(dtype)


def test_reciprocal_and_quotient(dtype, rng):
    for x, d in rng.uniform(1, 1000, (50, 2)).astype(dtype):
        assert abs(float(vecmath.reciprocal(d)) * float(d) - 1) < pick(dtype.type(1), (2.0**-16.9, 2.0**-30.8))
        truth = mpmath.mpf(float(x)) / mpmath.mpf(float(d))
        assert error(vecmath.quotient(x, dtype.type(0), d, dtype.type(0)), truth) < 2.0**-5 * eps(dtype)
        assert error([vecmath.divide(x, dtype.type(0), d, dtype.type(0))], truth) < 0.53 * eps(dtype)


def test_what_is_cut_off_vanishes(dtype):
    last = vecmath.cut(dtype.type(1e4))
    p, scale = vecmath.exp_parts_of_cut(-last, dtype.type(vecmath.EXACT))
    assert scale == 0
    assert math.isfinite(p)
    assert vecmath.cut(dtype.type(3)) == 3
    assert math.isnan(vecmath.cut(dtype.type("nan")))
