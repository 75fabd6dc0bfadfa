import numpy as np
import pytest

from kernels import reference_norm as reference
from kernels.blas import set_threads
from kernels.jit import max_threads
from kernels.layer import parameters
from kernels.loops import SMALL
from kernels.rms_norm import rms_norm, rms_norm_backward, rms_norm_forward

SHAPES = [(1, 1), (3, 5), (7, 33), (2, 3, 17), (17,), (300, 2), (5, 4099), (0, 4)]


def draw(rng, dtype, shape):
    """x, gamma and dy."""
    x, dy = rng.standard_normal((2, *shape)).astype(dtype)
    return x, rng.standard_normal(shape[-1]).astype(dtype), dy


def run(x, gamma, dy):
    """y, rstd, dx, dgamma, in arrays that were nan."""
    y, dx = np.full((2, *x.shape), np.nan, x.dtype)
    rstd, dgamma = np.full(x.shape[:-1], np.nan, x.dtype), np.full(x.shape[-1], np.nan, x.dtype)
    rms_norm_forward(y, rstd, x, gamma)
    rms_norm_backward(dx, dgamma, dy, x, rstd, gamma)
    return y, rstd, dx, dgamma


def wide(*arrays):
    return [array.astype(np.float64) for array in arrays]


@pytest.mark.parametrize("shape", SHAPES)
def test_rms_norm_is_the_reference(rng, dtype, close, shape):
    x, gamma, dy = draw(rng, dtype, shape)
    y, rstd, *gradients = run(x, gamma, dy)
    x, gamma, dy = wide(x, gamma, dy)
    close(y, reference.rms_norm_forward(x, gamma))
    close(rstd, 1 / np.sqrt(np.mean(x**2, axis=-1) + 1e-5))
    for result, expected in zip(gradients, reference.rms_norm_backward(dy, x, gamma), strict=True):
        close(result, expected)


def test_a_row_of_zeros_is_kept_by_epsilon(dtype):
    y, rstd, dx, dgamma = run(np.zeros((1, 6), dtype), np.ones(6, dtype), np.ones((1, 6), dtype))
    np.testing.assert_allclose(rstd, 1e5**0.5, rtol=1e-6)
    np.testing.assert_allclose(dx, 1e5**0.5, rtol=1e-6)
    assert not y.any()
    assert not dgamma.any()


@pytest.mark.parametrize("scale", [1e-30, 1e19, 1e30, 1.6e38])
def test_numbers_whose_squares_overflow_or_vanish(rng, scale):
    x, dy = (scale * rng.uniform(-1, 1, (4, 300))).astype(np.float32), rng.standard_normal((4, 300), np.float32)
    y, rstd, dx, dgamma = run(x, np.ones(300, np.float32), dy)
    x, dy = wide(x, dy)
    root = np.sqrt(np.mean(x**2, axis=1, keepdims=True) + 1e-5)
    normal = x / root
    expected = [normal, 1 / root[:, 0], (dy - normal * (dy * normal).mean(axis=1, keepdims=True)) / root]
    for result, right in zip((y, rstd, dx, dgamma), [*expected, (dy * normal).sum(axis=0)], strict=True):
        np.testing.assert_allclose(result, right, rtol=0, atol=4 * np.finfo(np.float32).eps * np.abs(right).max())


def test_nan_stays_in_its_row(rng, dtype):
    x, gamma, dy = draw(rng, dtype, (5, 40))
    x[2, 7] = np.nan
    y, _, dx, _ = run(x, gamma, dy)
    for result in (y, dx):
        np.testing.assert_array_equal(np.isnan(result).all(axis=1), np.arange(5) == 2)
        np.testing.assert_array_equal(np.isnan(result).any(axis=1), np.arange(5) == 2)


def test_gradients_are_finite_differences_and_transposed_products(rng, check_gradient):
    layer, shape = rms_norm(), (2, 3, 7)
    state = layer.init(rng, shape, np.dtype(np.float64))
    state.params["gamma"][:] = rng.standard_normal(7)
    x, u, v = rng.standard_normal((3, *shape))
    layer.forward(state, x)
    dx = layer.backward(state, u).copy()
    check_gradient(lambda: np.sum(layer.forward(state, x) * u), [*parameters(state), ("x", x, dx)])
    ends = [layer.forward(state, x + step * v).copy() for step in (1e-5, -1e-5)]
    assert np.sum(u * (ends[0] - ends[1])) / 2e-5 == pytest.approx(np.sum(dx * v), rel=1e-6)


@pytest.mark.parametrize("threads", range(1, min(2, max_threads()) + 1))
def test_threads_give_the_same_rows(rng, dtype, threads):
    x, gamma, dy = draw(rng, dtype, (SMALL // 33 + 10, 33))
    one = run(x, gamma, dy)
    set_threads(threads)
    try:
        many = run(x, gamma, dy)
    finally:
        set_threads(1)
    for first, second in zip(one[:3], many[:3], strict=True):
        np.testing.assert_array_equal(first, second)
    expected = reference.rms_norm_backward(*wide(dy, x, gamma))[1]
    np.testing.assert_allclose(many[3], expected, rtol=0, atol=100 * np.finfo(dtype).eps * np.abs(expected).max())


def test_a_step_allocates_nothing_large(rng, peak_bytes):
    layer = rms_norm()
    state = layer.init(rng, (64, 1024), np.dtype(np.float32))
    x = rng.standard_normal((64, 1024), np.float32)
    assert peak_bytes(lambda: layer.backward(state, layer.forward(state, x))) < 4096


def test_the_layer_starts_as_a_plain_norm(rng, dtype, close):
    layer = rms_norm()
    state = layer.init(rng, (3, 4, 9), dtype)
    x = rng.standard_normal((3, 4, 9)).astype(dtype)
    close(layer.forward(state, x), reference.along_rows(reference.rooted, x.astype(np.float64)))
    with pytest.raises(ValueError, match=r"x must have shape \(3, 4, 9\), got \(3, 4, 8\)"):
        layer.forward(state, x[..., :8].copy())
    for shape in ((), (3, 0)):
        with pytest.raises(ValueError, match="must have features along its last axis, got"):
            layer.init(rng, shape, dtype)


def test_wrong_arguments_are_named():
    forward = {"y": np.zeros((3, 4)), "rstd": np.zeros(3), "x": np.zeros((3, 4)), "gamma": np.zeros(4)}
    backward = {"dx": np.zeros((3, 4)), "dgamma": np.zeros(4), "dy": np.zeros((3, 4))}
    backward |= {name: array.copy() for name, array in forward.items() if name != "y"}
    for function, arguments in ((rms_norm_forward, forward), (rms_norm_backward, backward)):
        for name, array in arguments.items():
            with pytest.raises(TypeError, match=f"{name} must be a numpy.ndarray, got list"):
                function(**arguments | {name: array.tolist()})
            if name != "x":
                with pytest.raises(ValueError, match=rf"{name} must have shape \(.*\), got \(5, 2\)"):
                    function(**arguments | {name: np.zeros((5, 2))})
    with pytest.raises(ValueError, match="dx must not share memory with dy"):
        rms_norm_backward(**backward | {"dx": backward["dy"]})
