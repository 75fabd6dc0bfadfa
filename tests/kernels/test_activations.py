"""Every row of ACTIVATIONS keeps its promises: accuracy, limits, what it saves."""

import inspect

import numpy as np
import pytest

from kernels import gated, mish, piecewise, smooth, swish
from kernels.activations import ACTIVATIONS

# 10^6 float32 of every binade and both signs: every 4289th bit pattern, nan and inf among them
EVERY_BINADE = np.arange(0, 2**32, 4289, dtype=np.uint64).astype(np.uint32).view(np.float32)
PARAMETERS = {"leaky_relu": (0.2, -0.5), "elu": (0.3, 2.5), "celu": (0.3, 2.5), "swish": (0.0, 0.3, -1.5, 3.0)}


@pytest.fixture(params=ACTIVATIONS)
def row(request):
    return ACTIVATIONS[request.param]


def evaluate(row, x, a=None):
    """y and f'(x) by the kernels, into outputs filled with nan."""
    y, dx = np.full_like(x, np.nan), np.full_like(x, np.nan)
    row.forward(y, x, a)
    row.backward(dx, np.ones_like(x), x, y, a)
    return y, dx


def reference(row, x, a=None):
    """The same in float64, with the parameter rounded as the kernel sees it."""
    a = row.a if a is None else a
    a = None if a is None else float(x.dtype.type(a))
    with np.errstate(all="ignore"):
        exact = x.astype(np.float64)
        return row.reference(exact, a), row.reference_derivative(exact, a)


def in_ulps(result, truth):
    """Errors in float32 units in the last place of the truth; inf where only one of both is nan or infinite."""
    with np.errstate(all="ignore"):
        exponent = np.frexp(np.where(np.isfinite(truth), truth, 1.0))[1]
        unit = np.ldexp(1.0, np.maximum(exponent - 24, -149))
        error = np.abs(result.astype(np.float64) - truth) / unit
        same = (result == truth.astype(np.float32)) | (np.isnan(result) & np.isnan(truth))
    return np.where(same & ~np.isfinite(error), 0.0, np.where(np.isnan(error), np.inf, error))


def assert_accurate(row, x, a=None, extra=0.0):
    (y, dx), (value, slope) = evaluate(row, x, a), reference(row, x, a)
    error = in_ulps(y, value)
    assert error.max() <= row.ulp + extra, x[error.argmax()]
    error = in_ulps(dx, slope)
    if row.derivative_zero is not None:
        with np.errstate(all="ignore"):
            z = x.astype(np.float64) * (1.0 if row.a is None else row.a if a is None else a)
            near = (np.abs(slope) < 2**-5) & (np.abs(z - row.derivative_zero) < 1)  # nan is not near
        assert np.abs(dx[near] - slope[near]).max(initial=0) <= 2**-25
        error[near] = 0
    assert error.max() <= row.ulp_derivative + extra, x[error.argmax()]


def test_float32_keeps_its_promise_over_all_binades(row):
    assert_accurate(row, EVERY_BINADE)


def test_float32_keeps_its_promise_where_networks_live(row, rng):
    assert_accurate(row, rng.uniform(-12, 12, 300_000).astype(np.float32))


@pytest.mark.parametrize(("name", "a"), [(name, a) for name, values in PARAMETERS.items() for a in values])
def test_other_parameters_cost_at_most_half_an_ulp(name, a):
    assert_accurate(ACTIVATIONS[name], EVERY_BINADE[::4].copy(), a, extra=0.5)


def test_promises_are_those_the_project_stands_for(row):
    assert row.ulp <= 4
    assert row.ulp_derivative <= 8


def test_a_promise_above_one_ulp_says_what_it_buys(row):
    assert bool(row.trade) == (row.ulp > 1 or row.ulp_derivative > 2)


def test_the_derivative_by_the_parameter(dtype):
    """Against the reference, over the binades where its square does not overflow."""
    x = EVERY_BINADE[::16]
    x = x[np.isfinite(x) & (np.abs(x) < 1e15)].astype(dtype)
    for name in ("prelu", "swish"):
        row = ACTIVATIONS[name]
        truth = row.reference_df_da(x.astype(np.float64), row.a)
        y, dx, da = np.empty_like(x), np.empty_like(x), np.full(x.shape, np.nan, dtype)
        a = np.full(x.shape, row.a, dtype)
        row.forward(y, x)
        row.backward(dx[None], np.ones_like(x)[None], x[None], y[None], a, da)
        if dtype == np.float32:
            assert in_ulps(da, truth).max() <= row.ulp_derivative
        else:
            np.testing.assert_allclose(da, truth, rtol=1e-14, atol=1e-300)


def test_nan_propagates_and_infinities_give_the_limits(row, dtype):
    x = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30], dtype)
    y, dx = evaluate(row, x)
    value, slope = reference(row, x)
    np.testing.assert_allclose(y[:3], value[:3], rtol=np.finfo(dtype).eps)
    np.testing.assert_allclose(dx[:3], slope[:3], rtol=np.finfo(dtype).eps)
    np.testing.assert_allclose(y[3:], value[3:], rtol=1e-6)
    np.testing.assert_allclose(dx[3:], slope[3:], rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize(
    "name", ["tanh", "erf", "softsign", "identity", "hardtanh", "elu", "selu", "celu", "gelu", "swish", "mish"]
)
def test_zero_keeps_its_sign(name, dtype):
    y, _ = evaluate(ACTIVATIONS[name], np.array([0.0, -0.0], dtype))
    assert list(np.signbit(y)) == [False, True]
    assert np.all(y == 0)


@pytest.mark.parametrize(
    ("name", "a", "x"),
    [("mish", None, -200.0), ("mish", None, -1000.0), ("elu", 0.5, -1e-45), ("celu", 2.0, -1e-45)],
)
def test_what_vanishes_keeps_its_sign(name, a, x):
    y, _ = evaluate(ACTIVATIONS[name], np.array([x], np.float32), a)
    np.testing.assert_array_equal(np.signbit(y), [True])
    assert abs(y[0]) <= 1e-45


def test_the_slope_at_a_kink_is_that_of_one_side(row, dtype):
    """The reference says of which."""
    kinks, step = np.array(row.kinks, dtype), 2.0**-10
    _, dx = evaluate(row, kinks)
    np.testing.assert_allclose(dx, reference(row, kinks)[1], rtol=np.finfo(dtype).eps)
    left, here, right = (row.reference(kinks.astype(np.float64) + side * step, row.a) for side in (-1, 0, 1))
    sides = np.array([here - left, right - here]) / step
    assert np.all(np.min(np.abs(sides - dx), axis=0, initial=np.inf) < 2 * step)


def test_slopes_at_the_kinks_are_pytorchs():
    """torch 2.13's backward at each kink, from its documentation and a run of it, where it has the activation."""
    slopes = {
        "relu": [0],
        "leaky_relu": [0.01],
        "prelu": [0.25],
        "elu": [1],
        "selu": [1.7580993408473768],
        "celu": [1],
        "hardtanh": [0, 0],
        "hardsigmoid": [0, 0],
        "hardswish": [0, 1],
        "relu6": [0, 0],
    }
    for name, expected in slopes.items():
        _, dx = evaluate(ACTIVATIONS[name], np.array(ACTIVATIONS[name].kinks))
        np.testing.assert_allclose(dx, expected, rtol=1e-15)


def test_the_derivative_is_the_difference_quotient(row, rng):
    x = rng.uniform(-6, 6, 400)
    x = x[np.min(np.abs(x[:, None] - np.array([*row.kinks, 99.0])), axis=1) > 1e-3]
    (low, _), (high, _) = evaluate(row, x - 1e-6), evaluate(row, x + 1e-6)
    np.testing.assert_allclose(evaluate(row, x)[1], (high - low) / 2e-6, atol=1e-8, rtol=1e-6)


def test_saturated_tails_are_kept_where_the_derivative_from_the_output_loses_them():
    """Frameworks' y (1 - y) and 1 - y^2 are exactly 0 from x = 17 and 9 on; the slopes there are not."""
    for name, x in (("sigmoid", 20.0), ("tanh", 10.0)):
        row, x = ACTIVATIONS[name], np.array([x], np.float32)
        y, dx = evaluate(row, x)
        lost = np.full_like(x, np.nan)
        row.backward_from_output(lost, np.ones_like(x), y)
        assert lost == 0
        assert dx == pytest.approx(row.reference_derivative(x.astype(np.float64), None), rel=2.0**-22)


def test_the_derivative_from_the_output_is_right_where_nothing_saturates(dtype):
    x = np.linspace(-2, 2, 101).astype(dtype)
    rows = [row for row in ACTIVATIONS.values() if row.df_from_output is not None]
    assert {row.name for row in rows} >= {"sigmoid", "tanh"}
    for row in rows:
        y, dx = evaluate(row, x)
        other = np.full_like(x, np.nan)
        row.backward_from_output(other, np.ones_like(x), y)
        np.testing.assert_allclose(other, dx, rtol=64 * np.finfo(dtype).eps)


def test_saves_names_what_the_derivative_uses(row):
    """x and y are replaced by nan in turn: what the derivative does not use cannot show."""
    x = np.linspace(-2.5, 2.5, 41)
    y, dx = evaluate(row, x)
    broken = np.full_like(x, np.nan)
    used = ""
    for name, arrays in (("x", (broken, y)), ("y", (x, broken))):
        out = np.full_like(x, 7.0)
        row.backward(out, np.ones_like(x), *arrays)
        used += name * (not np.array_equal(out, dx))
    assert row.saves == used


def test_every_activation_scalar_has_a_row():
    """A scalar that takes (x, a) or (x, y, a) is an activation or its derivative; none lies about unused."""
    used = {f for row in ACTIVATIONS.values() for f in (row.f, row.df, row.df_da, row.df_from_output)}
    for module in (piecewise, smooth, gated, mish, swish):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not name.startswith("_"):
                assert function in used, f"{module.__name__}.{name} has no row in ACTIVATIONS"


def test_scalars_in_plain_python_are_the_kernel(row, dtype, rng):
    """The same bits: intrinsics mean outside of a kernel what they mean inside."""
    x = np.concatenate([rng.uniform(-9, 9, 40), [0.0, -0.0, -1e-3, 30.0, -30.0]]).astype(dtype)
    y, dx = evaluate(row, x)
    a = dtype.type(row.a or 0.0)
    with np.errstate(under="ignore"):
        assert [row.f(v, a) for v in x] == list(y)
        assert [row.df(v, w, a) for v, w in zip(x, y, strict=True)] == list(dx)
    plain = float(row.f(0.7, row.a or 0.0))
    assert plain == pytest.approx(float(row.reference(np.array(0.7), row.a)), rel=1e-15)
