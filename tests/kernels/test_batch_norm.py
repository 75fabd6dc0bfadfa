import numpy as np
import pytest

from kernels import reference_norm as reference
from kernels.batch_norm import (
    batch_norm,
    batch_norm_backward,
    batch_norm_evaluate,
    batch_norm_evaluate_backward,
    batch_norm_forward,
)
from kernels.blas import set_threads
from kernels.jit import max_threads
from kernels.layer import copy_weights, parameters, set_training
from kernels.loops import SMALL
from kernels.streams import BLOCK_BYTES

SHAPES = [(2, 1), (3, 5), (7, 33), (20, 17), (4, BLOCK_BYTES // 4 + 3), (301, 3), (2, 0)]


def wide(*arrays):
    return [array.astype(np.float64) for array in arrays]


def draw(rng, dtype, shape):
    """x, gamma, beta and dy."""
    x, dy = rng.standard_normal((2, *shape)).astype(dtype)
    return x, *rng.standard_normal((2, shape[1])).astype(dtype), dy


def run(x, gamma, beta, dy):
    """y, mean, rstd, running_mean, running_var, dx, dgamma, dbeta; what is only written was nan."""
    y, dx = np.full((2, *x.shape), np.nan, x.dtype)
    mean, rstd, dgamma, dbeta = np.full((4, x.shape[1]), np.nan, x.dtype)
    running_mean, running_var = np.full((2, x.shape[1]), 0.5, x.dtype)
    batch_norm_forward(y, mean, rstd, running_mean, running_var, x, gamma, beta)
    batch_norm_backward(dx, dgamma, dbeta, dy, x, mean, rstd, gamma)
    return y, mean, rstd, running_mean, running_var, dx, dgamma, dbeta


@pytest.mark.parametrize("shape", SHAPES)
def test_training_is_the_reference(rng, dtype, close, shape):
    x, gamma, beta, dy = draw(rng, dtype, shape)
    y, mean, rstd, running_mean, running_var, *gradients = run(x, gamma, beta, dy)
    x, gamma, beta, dy = wide(x, gamma, beta, dy)
    close(y, reference.batch_norm_forward(x, gamma, beta))
    close(mean, x.mean(axis=0))
    close(rstd, 1 / np.sqrt(x.var(axis=0) + 1e-5))
    for result, expected in zip((running_mean, running_var), reference.running_statistics(0.5, 0.5, x), strict=True):
        close(result, expected)
    for result, expected in zip(gradients, reference.batch_norm_backward(dy, x, gamma), strict=True):
        close(result, expected)


@pytest.mark.parametrize("shape", [*SHAPES, (1, 4), (0, 4)])
def test_evaluation_is_the_reference(rng, dtype, close, shape):
    x, gamma, beta, dy = draw(rng, dtype, shape)
    mean, var = rng.standard_normal(shape[1]).astype(dtype), rng.uniform(0.1, 2, shape[1]).astype(dtype)
    y, dx = np.full((2, *shape), np.nan, dtype)
    dgamma, dbeta = np.full((2, shape[1]), np.nan, dtype)
    batch_norm_evaluate(y, x, gamma, beta, mean, var)
    batch_norm_evaluate_backward(dx, dgamma, dbeta, dy, x, gamma, mean, var)
    x, gamma, beta, dy, mean, var = wide(x, gamma, beta, dy, mean, var)
    close(y, reference.batch_norm_evaluate(x, gamma, beta, mean, var))
    rstd = 1 / np.sqrt(var + 1e-5)
    close(dx, dy * gamma * rstd)
    close(dgamma, (dy * (x - mean) * rstd).sum(axis=0))
    close(dbeta, dy.sum(axis=0))


def check_digits(rng, x, largest):
    """Against the float64 reference of the same rounded x: errors in units of eps times the largest number."""
    dy = rng.standard_normal(x.shape, np.float32)
    gamma, beta = np.ones(x.shape[1], np.float32), np.zeros(x.shape[1], np.float32)
    y, mean, rstd, _, _, dx, dgamma, _ = run(x, gamma, beta, dy)
    x, dy = wide(x, dy)
    deviation = np.sqrt(x.var(axis=0) + 1e-5)
    normal = (x - x.mean(axis=0)) / deviation
    expected = [normal, x.mean(axis=0), 1 / deviation]
    expected += [(dy - dy.mean(axis=0) - normal * (dy * normal).mean(axis=0)) / deviation, (dy * normal).sum(axis=0)]
    for result, right in zip((y, mean, rstd, dx, dgamma), expected, strict=True):
        allowed = largest * np.finfo(np.float32).eps * np.abs(right).max()
        np.testing.assert_allclose(result, right, rtol=0, atol=allowed)


@pytest.mark.parametrize(("rows", "largest"), [(70, 8), (1000, 16), (8192, 64)])
@pytest.mark.parametrize("center", [1e4, 1e6, -3e6, 1e7])
def test_a_large_mean_costs_no_digits(rng, rows, largest, center):
    """Deviation 1: of x float32 has from 10 bits left to none. Sums over the rows are rounded row by row."""
    check_digits(rng, (center + rng.standard_normal((rows, 5))).astype(np.float32), largest)


@pytest.mark.parametrize(("center", "spread"), [(0, 1e19), (0, 1e30), (1e30, 1e24), (1e25, 1e25), (0, 1.6e38)])
def test_numbers_whose_squares_overflow(rng, center, spread):
    """The columns beside them are as they would be without them."""
    x = (center + spread * rng.uniform(-1, 1, (300, 5))).astype(np.float32)
    check_digits(rng, x, 16)
    mixed = rng.standard_normal((300, 5), np.float32)
    alone = mixed[:, :2].copy()
    mixed[:, 2:] = x[:, 2:]
    ones, zeros, dy = np.ones(5, np.float32), np.zeros(5, np.float32), rng.standard_normal((300, 5), np.float32)
    both = run(mixed, ones, zeros, dy), run(alone, ones[:2], zeros[:2], dy[:, :2].copy())
    for with_them, without in zip(*both, strict=True):
        np.testing.assert_array_equal(with_them[..., :2], without)


def test_running_statistics_follow_the_batches_and_backward_leaves_them(rng, dtype, close):
    layer = batch_norm()
    state = layer.init(rng, (6, 19), dtype)
    mean, var = np.zeros(19), np.ones(19)
    for _ in range(5):
        x = rng.standard_normal((6, 19)).astype(dtype) * 3 + 1
        layer.forward(state, x)
        mean, var = reference.running_statistics(mean, var, x.astype(np.float64))
        layer.backward(state, x)
        close(state.buffers["running_mean"], mean)
        close(state.buffers["running_var"], var)


def test_evaluation_uses_the_running_statistics_and_leaves_them(rng, dtype, close):
    layer = batch_norm()
    state, single = (layer.init(rng, (rows, 19), dtype) for rows in (6, 1))
    for array in (*state.params.values(), *state.buffers.values()):
        array[:] = rng.uniform(0.5, 2, 19)
    copy_weights(single, state)
    before = {name: array.copy() for name, array in single.buffers.items()}
    set_training(single, False)
    x, dy = rng.standard_normal((2, 1, 19)).astype(dtype)
    y, dx = layer.forward(single, x), layer.backward(single, dy)
    gamma, beta, mean, var = wide(*single.params.values(), *single.buffers.values())
    close(y, reference.batch_norm_evaluate(x.astype(np.float64), gamma, beta, mean, var))
    close(dx, dy.astype(np.float64) * gamma / np.sqrt(var + 1e-5))
    close(single.grads["beta"], dy[0])
    for name, array in before.items():
        np.testing.assert_array_equal(single.buffers[name], array)


@pytest.mark.parametrize("training", [True, False])
def test_gradients_are_finite_differences_and_transposed_products(rng, check_gradient, training):
    layer = batch_norm()
    state = layer.init(rng, (6, 5), np.dtype(np.float64))
    for array in (*state.params.values(), *state.buffers.values()):
        array[:] = rng.uniform(0.5, 2, 5)
    set_training(state, training)
    x, u, v = rng.standard_normal((3, 6, 5))
    layer.forward(state, x)
    dx = layer.backward(state, u).copy()
    check_gradient(lambda: np.sum(layer.forward(state, x) * u), [*parameters(state), ("x", x, dx)])
    ends = [layer.forward(state, x + step * v).copy() for step in (1e-5, -1e-5)]
    assert np.sum(u * (ends[0] - ends[1])) / 2e-5 == pytest.approx(np.sum(dx * v), rel=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("place", [0, 7])
def test_nan_and_inf_make_their_column_nan(rng, dtype, value, place):
    x, gamma, beta, dy = draw(rng, dtype, (40, 5))
    x[place, 2] = value
    y, *_, dx, _, _ = run(x, gamma, beta, dy)
    for result in (y, dx):
        np.testing.assert_array_equal(np.isnan(result).all(axis=0), np.arange(5) == 2)
        np.testing.assert_array_equal(np.isnan(result).any(axis=0), np.arange(5) == 2)


@pytest.mark.skipif(max_threads() < 2, reason="needs two CPUs")
@pytest.mark.parametrize("width", [1, 16, 40, 300])
def test_threads_give_the_same_bits(rng, dtype, width):
    x, gamma, beta, dy = draw(rng, dtype, (SMALL // width + 10, width))
    one = run(x, gamma, beta, dy)
    set_threads(2)
    try:
        two = run(x, gamma, beta, dy)
    finally:
        set_threads(1)
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_step_allocates_nothing_large(rng, peak_bytes):
    layer = batch_norm()
    state = layer.init(rng, (64, 1024), np.dtype(np.float32))
    x = rng.standard_normal((64, 1024), np.float32)
    assert peak_bytes(lambda: layer.backward(state, layer.forward(state, x))) < 4096


@pytest.mark.parametrize("rows", [0, 1])
def test_a_training_batch_needs_two_rows(rng, rows):
    message = rf"x must have at least 2 rows to normalise a training batch, got shape \({rows}, 4\)"
    layer = batch_norm()
    state = layer.init(rng, (rows, 4), np.dtype(np.float64))
    with pytest.raises(ValueError, match=message):
        layer.forward(state, np.zeros((rows, 4)))
    y, x = np.full((2, rows, 4), 7.0)
    columns = np.full((6, 4), 7.0)
    with pytest.raises(ValueError, match=message):
        batch_norm_forward(y, *columns[:4], x, *columns[4:])
    assert (columns == 7).all()
    with pytest.raises(ValueError, match=r"shape must be \(rows, features\), got \(2, 3, 4\)"):
        layer.init(rng, (2, 3, 4), np.dtype(np.float64))


def test_wrong_arguments_are_named():
    names = {
        batch_norm_forward: "y* mean rstd running_mean running_var x* gamma beta",
        batch_norm_evaluate: "y* x* gamma beta running_mean running_var",
        batch_norm_backward: "dx* dgamma dbeta dy* x* mean rstd gamma",
        batch_norm_evaluate_backward: "dx* dgamma dbeta dy* x* gamma running_mean running_var",
    }
    for function, listed in names.items():
        matrices = [name.strip("*") for name in listed.split() if name.endswith("*")]
        arguments = {name: np.ones((3, 4) if name in matrices else 4) for name in listed.replace("*", "").split()}
        for name, array in arguments.items():
            with pytest.raises(TypeError, match=f"{name} must be a numpy.ndarray, got list"):
                function(**arguments | {name: array.tolist()})
            if name != "x":
                with pytest.raises(ValueError, match=rf"{name} must have shape \(.*\), got \(5, 2\)"):
                    function(**arguments | {name: np.zeros((5, 2))})
        output = matrices[0]
        with pytest.raises(ValueError, match=f"{output} must not share memory with x"):
            function(**arguments | {output: arguments["x"]})
