import numpy as np
import pytest

from kernels import reference_norm as reference
from kernels.blas import set_threads
from kernels.jit import max_threads
from kernels.layer import parameters
from kernels.layer_norm import layer_norm, layer_norm_backward, layer_norm_forward
from kernels.loops import SMALL

SHAPES = [(1, 1), (3, 5), (7, 33), (2, 3, 17), (17,), (300, 2), (5, 4099), (0, 4)]


def draw(rng, dtype, shape):
    """x, gamma, beta and dy."""
    gamma, beta = rng.standard_normal((2, shape[-1])).astype(dtype)
    return rng.standard_normal(shape).astype(dtype), gamma, beta, rng.standard_normal(shape).astype(dtype)


def run(x, gamma, beta, dy):
    """y, mean, rstd, dx, dgamma, dbeta, in arrays that were nan."""
    y, dx = np.full((2, *x.shape), np.nan, x.dtype)
    mean, rstd = (np.full(x.shape[:-1], np.nan, x.dtype) for _ in range(2))
    dgamma, dbeta = np.full((2, x.shape[-1]), np.nan, x.dtype)
    layer_norm_forward(y, mean, rstd, x, gamma, beta)
    layer_norm_backward(dx, dgamma, dbeta, dy, x, mean, rstd, gamma)
    return y, mean, rstd, dx, dgamma, dbeta


def wide(*arrays):
    return [array.astype(np.float64) for array in arrays]


@pytest.mark.parametrize("shape", SHAPES)
def test_layer_norm_is_the_reference(rng, dtype, close, shape):
    x, gamma, beta, dy = draw(rng, dtype, shape)
    y, mean, rstd, *gradients = run(x, gamma, beta, dy)
    x, gamma, beta, dy = wide(x, gamma, beta, dy)
    close(y, reference.layer_norm_forward(x, gamma, beta))
    close(mean, x.mean(axis=-1))
    close(rstd, 1 / np.sqrt(x.var(axis=-1) + 1e-5))
    for result, expected in zip(gradients, reference.layer_norm_backward(dy, x, gamma), strict=True):
        close(result, expected)


def check_digits(x, dy, gamma, largest):
    """Against the float64 reference of the same rounded x: errors in units of eps times the largest number."""
    y, mean, rstd, dx, dgamma, _ = run(x, gamma, np.zeros_like(gamma), dy)
    x, dy, gamma = wide(x, dy, gamma)
    deviation = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
    normal = (x - x.mean(axis=-1, keepdims=True)) / deviation
    slope = dy * gamma
    means = [values.mean(axis=-1, keepdims=True) for values in (slope, slope * normal)]
    expected = [normal * gamma, x.mean(axis=-1), 1 / deviation[:, 0]]
    expected += [(slope - means[0] - normal * means[1]) / deviation, (dy * normal).sum(axis=0)]
    for result, right in zip((y, mean, rstd, dx, dgamma), expected, strict=True):
        allowed = largest * np.finfo(np.float32).eps * np.abs(right).max()
        np.testing.assert_allclose(result, right, rtol=0, atol=allowed)


@pytest.mark.parametrize("size", [70, 1000, 8192])
@pytest.mark.parametrize("center", [1e4, 1e6, -3e6, 1e7])
def test_a_large_mean_costs_no_digits(rng, size, center):
    """Deviation 1: of x float32 has from 10 bits left to none, of which y and the gradients keep all."""
    x, dy = (center + rng.standard_normal((4, size))).astype(np.float32), rng.standard_normal((4, size), np.float32)
    check_digits(x, dy, rng.standard_normal(size, np.float32), 4)


@pytest.mark.parametrize("size", [70, 1000])
@pytest.mark.parametrize(("center", "spread"), [(0, 1e19), (0, 1e30), (1e30, 1e24), (1e25, 1e25), (0, 1.6e38)])
def test_numbers_whose_squares_overflow(rng, size, center, spread):
    x = (center + spread * rng.uniform(-1, 1, (4, size))).astype(np.float32)
    check_digits(x, rng.standard_normal((4, size), np.float32), np.ones(size, np.float32), 4)


def test_a_row_that_does_not_begin_like_the_rest(rng):
    x = rng.standard_normal((2, 8192), np.float32)
    x[0, :64] += 1e4
    x[1, 64:] += 1e5
    check_digits(x, rng.standard_normal(x.shape, np.float32), np.ones(8192, np.float32), 4)


def test_rows_of_one_number_have_variance_zero(dtype):
    x = np.array([[3e30], [-1.0], [1e-30]], dtype)
    y, _, rstd, dx, dgamma, dbeta = run(x, np.array([2], dtype), np.array([5], dtype), np.array([[1], [2], [3]], dtype))
    np.testing.assert_array_equal(y, 5)
    np.testing.assert_allclose(rstd, 1e5**0.5, rtol=1e-6)
    assert not dx.any()
    assert not dgamma.any()
    assert dbeta == 6


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("place", [7, 150])
def test_nan_and_inf_make_their_row_nan(rng, dtype, value, place):
    x, gamma, beta, dy = draw(rng, dtype, (5, 170))
    x[2, place] = value
    y, *_, dx, _, _ = run(x, gamma, beta, dy)
    for result in (y, dx):
        np.testing.assert_array_equal(np.isnan(result).all(axis=1), np.arange(5) == 2)
        np.testing.assert_array_equal(np.isnan(result).any(axis=1), np.arange(5) == 2)


def test_gradients_are_finite_differences_and_transposed_products(rng, check_gradient):
    layer, shape = layer_norm(), (2, 3, 7)
    state = layer.init(rng, shape, np.dtype(np.float64))
    for array in state.params.values():
        array[...] = rng.standard_normal(array.shape)
    x, u, v = rng.standard_normal((3, *shape))
    layer.forward(state, x)
    dx = layer.backward(state, u).copy()
    check_gradient(lambda: np.sum(layer.forward(state, x) * u), [*parameters(state), ("x", x, dx)])
    ends = [layer.forward(state, x + step * v).copy() for step in (1e-5, -1e-5)]
    assert np.sum(u * (ends[0] - ends[1])) / 2e-5 == pytest.approx(np.sum(dx * v), rel=1e-6)


@pytest.mark.parametrize("threads", range(1, min(2, max_threads()) + 1))
def test_threads_give_the_same_rows(rng, dtype, close, threads):
    x, gamma, beta, dy = draw(rng, dtype, (SMALL // 33 + 10, 33))
    one = run(x, gamma, beta, dy)
    set_threads(threads)
    try:
        many = run(x, gamma, beta, dy)
    finally:
        set_threads(1)
    for first, second in zip(one[:4], many[:4], strict=True):
        np.testing.assert_array_equal(first, second)
    for result, expected in zip(many[4:], reference.layer_norm_backward(*wide(dy, x, gamma))[1:], strict=True):
        np.testing.assert_allclose(result, expected, rtol=0, atol=100 * np.finfo(dtype).eps * np.abs(expected).max())


def test_a_step_allocates_nothing_large(rng, peak_bytes):
    layer = layer_norm()
    state = layer.init(rng, (64, 1024), np.dtype(np.float32))
    x = rng.standard_normal((64, 1024), np.float32)
    assert peak_bytes(lambda: layer.backward(state, layer.forward(state, x))) < 4096


def test_the_layer_starts_as_a_plain_norm(rng, dtype, close):
    layer = layer_norm()
    state = layer.init(rng, (3, 4, 9), dtype)
    x = rng.standard_normal((3, 4, 9)).astype(dtype)
    close(layer.forward(state, x), reference.along_rows(reference.standardized, x.astype(np.float64)))
    assert state.saved["mean"].shape == (3, 4)
    with pytest.raises(ValueError, match=r"x must have shape \(3, 4, 9\), got \(3, 4, 8\)"):
        layer.forward(state, x[..., :8].copy())
    for shape in ((), (3, 0)):
        with pytest.raises(ValueError, match="must have features along its last axis, got"):
            layer.init(rng, shape, dtype)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": np.zeros((3, 0))}, ValueError, r"x must have features along its last axis, got shape \(3, 0\)"),
        ({"x": np.zeros((3, 9))}, ValueError, r"gamma must have shape \(9\), got \(4,\)"),
        ({"beta": np.zeros(3)}, ValueError, r"beta must have shape \(4\), got \(3,\)"),
        ({"mean": np.zeros((3, 1))}, ValueError, r"mean must have shape \(3\), got \(3, 1\)"),
        ({"rstd": np.zeros(3, np.float32)}, TypeError, "rstd must be float64, got float32"),
        ({"x": [[1.0]]}, TypeError, "x must be a numpy.ndarray, got list"),
        ({"y": np.zeros((4, 3)).T}, ValueError, "y must be C-contiguous"),
    ],
)
def test_forward_names_the_wrong_argument(change, error, message):
    arguments = {"y": np.zeros((3, 4)), "mean": np.zeros(3), "rstd": np.zeros(3)}
    arguments |= {"x": np.zeros((3, 4)), "gamma": np.zeros(4), "beta": np.zeros(4)}
    with pytest.raises(error, match=message):
        layer_norm_forward(**arguments | change)
    arguments["y"] = arguments["x"]
    with pytest.raises(ValueError, match="y must not share memory with x"):
        layer_norm_forward(**arguments)


@pytest.mark.parametrize("name", ["dx", "dgamma", "dbeta"])
def test_backward_names_the_output_it_cannot_write(name):
    outputs = {"dx": np.zeros((3, 4)), "dgamma": np.zeros(4), "dbeta": np.zeros(4)}
    inputs = {"dy": np.zeros((3, 4)), "x": np.zeros((3, 4)), "mean": np.zeros(3), "rstd": np.zeros(3)}
    inputs["gamma"] = np.zeros(4)
    with pytest.raises(ValueError, match=f"{name} must have shape"):
        layer_norm_backward(**outputs | {name: np.zeros((9, 9))}, **inputs)
    outputs[name].flags.writeable = False
    with pytest.raises(ValueError, match=f"{name} is read-only"):
        layer_norm_backward(**outputs, **inputs)
    with pytest.raises(ValueError, match=r"dy must have shape \(3, 4\), got \(4, 3\)"):
        layer_norm_backward(**outputs, **inputs | {"dy": np.zeros((4, 3))})
