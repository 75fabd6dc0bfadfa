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


def test_one_minus_exp_keeps_its_relative_error_near_zero(negative, dtype):
    for z in negative[negative < 0]:
        parts = vecmath.one_minus_exp(z, dtype.type(vecmath.EXACT))
        assert error(parts, -mpmath.expm1(mpmath.mpf(float(z)))) < 0.4 * eps(dtype)


def test_reciprocal_and_quotient(dtype, rng):
    for x, d in rng.uniform(1, 1000, (50, 2)).astype(dtype):
        assert abs(float(vecmath.reciprocal(d)) * float(d) - 1) < pick(dtype.type(1), (2.0**-16.9, 2.0**-30.8))
        truth = mpmath.mpf(float(x)) / mpmath.mpf(float(d))
        assert error(vecmath.quotient(x, dtype.type(0), d, dtype.type(0)), truth) < 2.0**-5 * eps(dtype)
        assert error([vecmath.divide(x, dtype.type(0), d, dtype.type(0))], truth) < 0.53 * eps(dtype)


def test_expm1_of_positive_numbers(dtype, rng):
    for z in [*10 ** rng.uniform(-9, 0, 40), *rng.uniform(0, 40, 40)]:
        z = dtype.type(z)
        F, truth = vecmath.expm1(z), mpmath.expm1(mpmath.mpf(float(z)))
        left_out = 1.5 * z * abs(pick(z, vecmath._D_LN2))  # n of it, n = z / log(2)
        assert error([F], truth) < 1.6 * eps(dtype) + left_out


def test_what_is_cut_off_vanishes(dtype):
    last = vecmath.cut(dtype.type(1e4))
    p, scale = vecmath.exp_parts_of_cut(-last, dtype.type(vecmath.EXACT))
    assert scale == 0
    assert math.isfinite(p)
    assert vecmath.cut(dtype.type(3)) == 3
    assert math.isnan(vecmath.cut(dtype.type("nan")))


def test_quotients_by_1_plus(dtype, rng):
    zero = dtype.type(0)
    for t in rng.uniform(0, 1, 60).astype(dtype):
        exact = mpmath.mpf(float(t))
        assert error(vecmath.over_one_plus(t, zero, t, zero), exact / (1 + exact)) < 2.0**-5 * eps(dtype)
        assert error(vecmath.over_one_plus(dtype.type(1), zero, t, zero), 1 / (1 + exact)) < 2.0**-5 * eps(dtype)


def test_log1p_in_two_parts(dtype, rng):
    for t in np.append(rng.uniform(0, 1, 60), [1.0, 1e-10]).astype(dtype):
        parts = vecmath.log1p_parts(t, dtype.type(0))
        assert error(parts, mpmath.log1p(mpmath.mpf(float(t)))) < 0.25 * eps(dtype)
