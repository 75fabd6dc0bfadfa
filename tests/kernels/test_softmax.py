import platform
import re

import mpmath
import numpy as np
import pytest

from kernels import reference_norm as reference
from kernels import softmax, vecmath
from kernels.blas import set_threads
from kernels.intrinsics import pick
from kernels.jit import assembly, kernel, max_threads
from kernels.loops import SMALL
from kernels.softmax import softmax_backward, softmax_forward, softmax_row, softmax_row_backward

SHAPES = [(1, 1), (3, 5), (7, 33), (2, 3, 17), (17,), (300, 2), (5, 4099), (0, 4), (4, 0)]


def forward(x):
    y = np.full_like(x, np.nan)
    softmax_forward(y, x)
    return y


def backward(dy, y):
    dx = np.full_like(y, np.nan)
    softmax_backward(dx, dy, y)
    return dx


def wide(*arrays):
    return [array.astype(np.float64) for array in arrays]


@pytest.mark.parametrize("scale", [1.0, 30.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_softmax_is_the_reference(rng, dtype, close, shape, scale):
    x, dy = rng.standard_normal((2, *shape)).astype(dtype)
    x *= dtype.type(scale)
    y = forward(x)
    dx = backward(dy, y)
    if x.size:
        close(y, reference.along_rows(reference.softmax, *wide(x)))
        close(dx, reference.along_rows_backward(reference.softmax_jacobian, *wide(dy, x)))


def ordinary_rows(rng):
    """Float32 rows near 0 and far, narrow and wide."""
    for scale in (1e-3, 1.0, 10.0, 40.0):
        for center in (0.0, -3.0, 77.7, 249.9, 250.1, 1e4, -3e30):
            yield center + scale * rng.standard_normal(rng.integers(2, 200))
    yield np.linspace(-104, 0, 500)


def steep_rows(rng):
    """One number far above many equal ones, of which some fall into its share of the sum."""
    for step in (14.5, 15.0, 16.0, 17.0, 17.5):
        for size in (100, 1000):
            yield np.concatenate([[0.0], np.full(size - 1, -step)])


@pytest.mark.parametrize(("width", "promise"), [(2, 7), (7, 10), (64, 7), (100, 10), (256, 7), (1000, 10), (8192, 7)])
def test_softmax_keeps_its_promise_over_many_rows(rng, width, promise):
    """Against extended precision, which is more than enough for a unit of float32."""
    shape = (max(4, 20_000 // width), width)
    normal = rng.standard_normal(shape)
    steep = np.where(np.arange(width) == rng.integers(width), 0.0, -rng.uniform(10, 18))
    for x in (1e-3 * normal, normal, 10 * normal, 40 * normal, 300 + normal, 1e4 + 10 * normal, steep + 0 * normal,
              rng.standard_cauchy(shape), rng.uniform(-100, 0, shape)):  # fmt: skip
        x = x.astype(np.float32)
        wide = x.astype(np.longdouble)
        powers = np.exp(wide - wide.max(axis=1, keepdims=True))
        truth = powers / powers.sum(axis=1, keepdims=True)
        assert (np.abs(forward(x) - truth) / np.spacing(truth.astype(np.float32))).max() <= promise


@pytest.mark.parametrize(("rows", "promise"), [(ordinary_rows, 7), (steep_rows, 10)])
def test_softmax_keeps_its_promise(rng, rows, promise):
    """Against mpmath, in units of float32's spacing where the result is, subnormal numbers included."""
    worst = 0.0
    for row in rows(rng):
        x = row.astype(np.float32)
        y = forward(x)
        with mpmath.workdps(30):
            powers = [mpmath.exp(mpmath.mpf(float(v)) - mpmath.mpf(float(x.max()))) for v in x]
            mass = mpmath.fsum(powers)
            for result, power in zip(y, powers, strict=True):
                truth = power / mass
                worst = max(worst, float(abs(float(result) - truth) / float(np.spacing(np.float32(truth)))))
    assert 1 < worst <= promise


def test_masked_numbers_are_exactly_0_and_the_rest_is_the_softmax_without_them(rng, dtype):
    x = rng.standard_normal((4, 70)).astype(dtype)
    masked = x.copy()
    masked[:, 40:] = -np.inf
    y = forward(masked)
    np.testing.assert_array_equal(y[:, 40:], 0)
    np.testing.assert_allclose(y[:, :40], forward(x[:, :40].copy()), rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("width", [1, 3, 100])
@pytest.mark.parametrize("place", [0, -1])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_inf_make_their_row_nan(rng, dtype, width, place, value):
    x = rng.standard_normal((3, width)).astype(dtype)
    x[1, place] = value
    np.testing.assert_array_equal(np.isnan(forward(x)), [[False] * width, [True] * width, [False] * width])


def test_extreme_rows(dtype):
    top = float(np.finfo(dtype).max)
    x = np.array([[top, top, -top], [-top, -top, -np.inf], [-np.inf] * 3, [top, 0, top / 2]], dtype)
    np.testing.assert_array_equal(forward(x), [[0.5, 0.5, 0], [0.5, 0.5, 0], [np.nan] * 3, [1, 0, 0]])


def test_results_of_gradual_underflow_are_kept(dtype):
    depth = -95 if dtype == np.float32 else -730
    y = forward(np.array([[0.0, depth]], dtype))
    assert y[0, 1] == pytest.approx(float(mpmath.exp(depth)), abs=0.6 * float(np.finfo(dtype).smallest_subnormal))


def test_the_powers_of_a_row_in_its_own_unit(rng, dtype):
    """Outside of a kernel, too: e^z / e^top is the quotient of powers by one shift, for z down to top - MOST."""
    most = pick(dtype.type(1), vecmath.MOST)
    for top in (*rng.uniform(-2 * most, 2 * most, 20), 0.0):
        top = dtype.type(top)
        shift = vecmath.shift_under(top)
        peak = vecmath.shifted_exp(top, shift)
        assert 0.58 < peak * vecmath.unscale(dtype.type(1)) < 1.42
        for gap in (*rng.uniform(0, most, 5), most):
            z = dtype.type(top - gap)
            with mpmath.workdps(40):
                truth = mpmath.exp(mpmath.mpf(float(z)) - mpmath.mpf(float(top)))
                ratio = mpmath.mpf(float(vecmath.shifted_exp(z, shift))) / mpmath.mpf(float(peak))
                assert abs(ratio / truth - 1) < 1.2 * np.finfo(dtype).eps


def test_gradients_are_finite_differences_and_transposed_products(rng, check_gradient):
    x, u, v = rng.standard_normal((3, 2, 3, 7))
    dx = backward(u, forward(x))
    check_gradient(lambda: np.sum(forward(x) * u), [("x", x, dx)])
    change = (forward(x + 1e-5 * v) - forward(x - 1e-5 * v)) / 2e-5
    assert np.sum(u * change) == pytest.approx(np.sum(dx * v), rel=1e-6)


@kernel(name="test_softmax_rows_in_place")
def rows_in_place(x, dy):
    for n in range(len(x)):
        softmax_row(x[n], x[n])
        softmax_row_backward(dy[n], dy[n], x[n])


def test_rows_in_other_kernels_and_in_place(rng, dtype):
    x, dy = rng.standard_normal((2, 6, 70)).astype(dtype)
    y = forward(x)
    dx = backward(dy, y)
    at, upstream = x.copy(), dy.copy()
    rows_in_place(at, upstream)
    np.testing.assert_array_equal(at, y)
    np.testing.assert_array_equal(upstream, dx)
    softmax_forward(x, x)
    softmax_backward(dy, dy, x)
    np.testing.assert_array_equal(x, y)
    np.testing.assert_array_equal(dy, dx)
    softmax_backward(x, dx, x)
    np.testing.assert_array_equal(x, backward(dx, y))


@pytest.mark.skipif(max_threads() < 2, reason="needs two CPUs")
@pytest.mark.parametrize("width", [1, 33, SMALL + 1])
def test_threads_give_the_same_bits(rng, dtype, width):
    x, dy = rng.standard_normal((2, SMALL // width + 3, width)).astype(dtype)
    y = forward(x)
    dx = backward(dy, y)
    set_threads(2)
    try:
        np.testing.assert_array_equal(forward(x), y)
        np.testing.assert_array_equal(backward(dy, y), dx)
    finally:
        set_threads(1)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86-64 assembly")
def test_every_loop_is_vector_code():
    y = forward(np.zeros((2, 100), np.float32))
    backward(y, y)
    for loop, operations in ((softmax._forward, ("max", "sub", "mul")), (softmax._backward, ("add", "sub", "mul"))):
        code = assembly(loop(), "float32")
        for operation in operations:
            assert re.search(rf"\bv?{operation}ps\b.*[xyz]mm", code), operation
        assert not re.search(r"\bexpf?\b", code)


def test_wrong_arguments_are_named():
    arrays = {name: np.zeros((3, 4)) for name in ("y", "x")}
    gradients = {name: np.zeros((3, 4)) for name in ("dx", "dy", "y")}
    for function, arguments in ((softmax_forward, arrays), (softmax_backward, gradients)):
        for name, array in arguments.items():
            with pytest.raises(TypeError, match=f"{name} must be a numpy.ndarray, got list"):
                function(**arguments | {name: array.tolist()})
        first = next(iter(arguments))
        with pytest.raises(ValueError, match=rf"{first} must have shape \(3, 4\), got \(5, 2\)"):
            function(**arguments | {first: np.zeros((5, 2))})
        with pytest.raises(ValueError, match=r"must have an axis to sum over, got shape \(\)"):
            function(**{name: np.zeros(()) for name in arguments})
    whole = np.zeros(13)
    with pytest.raises(ValueError, match="y must not share memory with x"):
        softmax_forward(whole[1:], whole[:-1])
    with pytest.raises(ValueError, match="dx must not share memory with dy"):
        softmax_backward(whole[1:], whole[:-1], np.zeros(12))
