"""The machine operations mean the same inside a kernel and in plain Python."""

from fractions import Fraction

import numpy as np
import pytest

from kernels.intrinsics import (
    address,
    copysign,
    estimate_reciprocal,
    fma,
    horner,
    load,
    pick,
    shift_into_exponent,
    store,
)
from kernels.jit import by_dtype, kernel, scalar

COEFFICIENTS = ((1.5, -0.25, 3.0), (1.5, -0.25, 3.0, 0.125))


@scalar
def _single(x):
    return x + type(x)(1)


@scalar
def _double(x):
    return x + type(x)(2)


_chosen = by_dtype(_single, _double)


@kernel(name="intrinsics_under_test")
def apply(out, x, y, z):
    for i in range(x.size):
        out[0, i] = fma(x[i], y[i], z[i])
        out[1, i] = horner(x[i], COEFFICIENTS)
        out[2, i] = pick(x[i], (0.1, 0.2))
        out[3, i] = estimate_reciprocal(abs(x[i]))
        out[4, i] = copysign(x[i], y[i])
        out[5, i] = shift_into_exponent(x[i])
        out[6, i] = _chosen(x[i])
        store(out[7], i, load(x, i))


def test_kernels_and_python_agree_bit_for_bit(dtype, rng):
    x, y, z = (rng.standard_normal(50).astype(dtype) for _ in range(3))
    out = np.full((8, 50), np.nan, dtype)
    apply(out, x, y, z)
    python = [
        [fma(*v) for v in zip(x, y, z, strict=True)],
        [horner(v, COEFFICIENTS) for v in x],
        [pick(v, (0.1, 0.2)) for v in x],
        [estimate_reciprocal(abs(v)) for v in x],
        [copysign(*v) for v in zip(x, y, strict=True)],
        [shift_into_exponent(v) for v in x],
        [_chosen(v) for v in x],
        list(x),
    ]
    np.testing.assert_array_equal(out, np.array(python, dtype))
    assert {type(v) for row in python for v in row} == {dtype.type}


def test_fma_rounds_once():
    """x^2 - round(x^2) is exactly the rounding error, 0 if the product were rounded first."""
    x = np.float32(1 + 2.0**-12)
    assert fma(x, x, -(x * x)) == np.float32(2.0**-24)
    x = 1 + 2.0**-30
    assert fma(x, x, -(x * x)) == 2.0**-60


def test_fma_in_float32_does_not_round_twice():
    """float64's rounding of x*y + z would land on a float32 tie and go the wrong way."""
    x, y, z = np.float32(1 + 2.0**-23), np.float32(2.0**-24), np.float32(1.0)
    exact = Fraction(float(x)) * Fraction(float(y)) + 1
    assert fma(x, y, z) == np.float32(1 + 2.0**-23)
    assert exact > 1 + Fraction(1, 2**24)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_fma_of_numbers_that_are_not_finite(value):
    assert np.array_equal(fma(value, 2.0, 1.0), value, equal_nan=True)


def test_estimate_reciprocal_is_within_5_1_percent(dtype, rng):
    x = (rng.uniform(1, 2, 2000) * 2.0 ** rng.integers(-120, 120, 2000)).astype(dtype)
    assert max(abs(float(estimate_reciprocal(v)) * float(v) - 1) for v in x) < 0.051


def test_shift_into_exponent_makes_powers_of_two():
    assert [shift_into_exponent(np.float32(1.5 * 2**23 + 127 + n)) for n in (-126, 0, 5)] == [2.0**-126, 1, 32]
    assert [shift_into_exponent(1.5 * 2**52 + 1023 + n) for n in (-1000, 0, 5)] == [2.0**-1000, 1, 32]


def test_address_is_where_the_data_is():
    x = np.zeros(10)
    assert address(x[3:]) - address(x) == 24
