"""The gate lets right results pass and finds wrong ones, whatever is wrong with them."""

import math
from dataclasses import replace

import numpy as np
import pytest

from kernels import ACTIVATIONS
from suites import gate
from suites.gate import GateError


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1.0])
def test_one_wrong_element_is_found_and_named(wrong):
    reference = np.linspace(0.0, 1.0, 12).reshape(3, 4)
    got = reference.astype(np.float32)
    gate.check("right", got, reference, 1e-7)
    got[2, 1] = wrong
    with pytest.raises(GateError, match=r"made up: 1 of 12 elements are wrong; worst at \(2, 1\).*allowed error 1e-07"):
        gate.check("made up", got, reference, 1e-7)


def test_the_worst_of_several_is_named():
    with pytest.raises(GateError, match=r"2 of 3 elements are wrong; worst at \(2,\)"):
        gate.check("made up", np.array([0.0, 1.0, -2.0]), np.zeros(3), 0.5)


def test_nan_and_infinity_must_meet_their_like():
    special = np.array([np.nan, np.inf, -np.inf])
    gate.check("special values", special.astype(np.float32), special, 0.0)
    for got in ([0.0, np.inf, -np.inf], [np.nan, -np.inf, -np.inf], [np.nan, np.inf, 1.0]):
        with pytest.raises(GateError):
            gate.check("special values", np.array(got), special, 1.0)


def test_a_result_of_another_shape_is_wrong():
    with pytest.raises(GateError, match=r"shape \(2,\), reference \(3,\)"):
        gate.check("short", np.zeros(2), np.zeros(3), 1.0)


def test_poison_leaves_nothing_that_could_be_right():
    outputs = np.zeros(3, np.float32), np.zeros((2, 2))
    gate.poison(*outputs)
    assert all(np.isnan(output).all() for output in outputs)


@pytest.mark.parametrize("n", [0, 1, gate.SAMPLE, gate.SAMPLE + 1, 5 * gate.SAMPLE, 16_777_216])
def test_sample_has_all_of_a_small_array_and_the_ends_of_a_large_one(n):
    at = gate.sample(n)
    assert len(np.unique(at)) == len(at) <= gate.SAMPLE + gate.TAIL
    if n <= gate.SAMPLE:
        assert list(at) == list(range(n))
    else:
        assert at[0] == 0
        assert set(range(n - gate.TAIL, n)) <= set(at.tolist())
        assert len(set(at[: -gate.TAIL] % 16)) == 16, "a stride that sees a single SIMD lane"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_may_err_by_their_length_and_size(dtype):
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((8, 300)).astype(dtype), rng.standard_normal((300, 5)).astype(dtype)
    exact = left.astype(np.longdouble) @ right.astype(np.longdouble)
    magnitude = (np.abs(left).astype(np.float64) @ np.abs(right)).astype(np.float64)
    got = left @ right
    gate.check_sums("product", got, exact.astype(np.float64), magnitude, terms=300)
    got[3, 2] += 400 * np.finfo(dtype).eps * magnitude[3, 2]
    with pytest.raises(GateError, match=r"1 of 40.*\(3, 2\)"):
        gate.check_sums("product", got, exact.astype(np.float64), magnitude, terms=300)


@pytest.mark.parametrize("name", ["tanh", "gelu"])
def test_promise_is_a_few_ulp_of_forward_and_backward(name):
    row, x = ACTIVATIONS[name], np.linspace(-6.0, 6.0, 1001)
    value, slope = row.reference(x, row.a), row.reference_derivative(x, row.a)
    spacing = np.spacing(np.abs(value).astype(np.float32))
    assert np.array_equal(gate.promised_forward(row, value, np.float32), row.ulp * spacing.astype(np.float64))
    dy = np.full_like(x, -3.0)
    near_zero = (np.abs(slope) < 2.0**-5) & (row.derivative_zero is not None)
    near_zero &= np.abs(x - (row.derivative_zero or 0.0)) < 1
    relative = gate.promised_backward(row, dy, x, row.a, slope, np.float32) / np.abs(dy * slope)
    assert relative[~near_zero].max() <= (row.ulp_derivative + 1) * 2.0**-23 * 1.01
    absolute = gate.promised_backward(row, dy, x, row.a, slope, np.float32)[near_zero]
    assert np.all(absolute >= 3.0 * 2.0**-23)
    assert np.all(absolute <= 3.0 * 2.0**-23 * 1.3)


@pytest.mark.parametrize("name", [name for name, row in ACTIVATIONS.items() if row.derivative_zero is not None])
def test_a_derivative_that_is_lost_in_the_tail_is_red(name):
    """gelu'(-10) is -8e-22, far below the absolute promise, which holds around the zero at -0.75 alone."""
    row, x, dy = ACTIVATIONS[name], np.array([-4.0, -10.0]), np.ones(2)
    slope = row.reference_derivative(x, row.a)
    allowed = gate.promised_backward(row, dy, x, row.a, slope, np.float32)
    assert np.all(allowed < 0.01 * np.abs(slope))
    with pytest.raises(GateError, match="1 of 2"):
        gate.check("flushed", np.where(x == -10.0, 0.0, slope), slope, allowed)


def test_the_zero_of_a_scaled_activation_moves_with_its_scale():
    row, a = ACTIVATIONS["swish"], 4.0
    x = np.array([row.derivative_zero / a, row.derivative_zero]) + 1e-3
    slope = row.reference_derivative(x, a)
    absolute = gate.promised_backward(row, np.ones(2), x, a, slope, np.float32) >= 2.0**-23
    assert absolute.tolist() == [True, False]


def test_one_element_that_was_never_written_is_found_however_large_the_array():
    whole = np.zeros(5 * gate.SAMPLE, np.float32)
    gate.check_written("result", whole, whole[:0])
    whole[1] = np.nan
    assert 1 not in gate.sample(whole.size)
    with pytest.raises(GateError, match=rf"result: 1 of {whole.size} elements are NaN"):
        gate.check_written("result", whole)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_a_promise_some_roundings_of_float32_are_allowed(dtype):
    row = replace(ACTIVATIONS["tanh"], ulp=math.inf, ulp_derivative=math.inf)
    value = np.array([0.0, -0.5, 1.0, -8.0])
    assert gate.promised_forward(row, value, dtype).tolist() == [2.0**-16, 2.0**-16, 2.0**-16, 2.0**-13]
    allowed = gate.promised_backward(row, np.full(4, 3.0), value, None, value, dtype)
    np.testing.assert_allclose(allowed, 3 * np.array([2.0**-16, 2.0**-16, 2.0**-16, 2.0**-13]), rtol=0.01)
