import math

import numpy as np
import pytest

from kernels import reference
from kernels.activations import ACTIVATIONS
from kernels.dense import dense_activation, dense_backward, dense_forward
from kernels.initializers import INITIALIZERS
from kernels.layer import parameters

SHAPES = [(1, 1, 1), (3, 5, 7), (64, 33, 17), (0, 4, 3), (2, 0, 3), (5, 1, 130)]
XAVIER = INITIALIZERS["xavier_normal"]


def draw(rng, dtype, *shape):
    return rng.standard_normal(shape).astype(dtype)


def wide(*arrays):
    return [array.astype(np.float64) for array in arrays]


def unset(dtype, *shape):
    return np.full(shape, np.nan, dtype)


@pytest.mark.parametrize(("rows", "fan_in", "fan_out"), SHAPES)
def test_dense_is_the_reference(rng, dtype, close, rows, fan_in, fan_out):
    x, W, b = draw(rng, dtype, rows, fan_in), draw(rng, dtype, fan_in, fan_out), draw(rng, dtype, fan_out)
    dy = draw(rng, dtype, rows, fan_out)
    y = unset(dtype, rows, fan_out)
    dense_forward(y, x, W, b)
    close(y, reference.dense_forward(*wide(x, W, b)))
    gradients = unset(dtype, rows, fan_in), unset(dtype, fan_in, fan_out), unset(dtype, fan_out)
    dense_backward(*gradients, dy, x, W)
    for result, expected in zip(gradients, reference.dense_backward(*wide(dy, x, W)), strict=True):
        close(result, expected)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_in_a_layer_is_the_reference(rng, dtype, close, name):
    activation = ACTIVATIONS[name]
    layer = dense_activation(activation, INITIALIZERS["framework_default"], 19)
    state = layer.init(rng, (13, 21), dtype)
    for array in (*state.grads.values(), *(state.saved[key] for key in ("y", "z", "dx", "dz"))):
        array.fill(np.nan)
    x, dy = draw(rng, dtype, 13, 21), draw(rng, dtype, 13, 19)
    y, dx = layer.forward(state, x), layer.backward(state, dy)
    W, b, a = wide(state.params["W"], state.params["b"], state.saved["a"])
    z, expected = reference.dense_activation_forward(activation, *wide(x), W, b, a)
    close(state.saved["z"], z)
    close(y, expected)
    expected_dx, expected_dW, expected_db = reference.dense_activation_backward(activation, *wide(dy, x), W, b, a)
    close(dx, expected_dx)
    close(state.grads["W"], expected_dW)
    close(state.grads["b"], expected_db)


@pytest.mark.parametrize("leading", [(1, 1), (3, 4), (2, 1, 6), (5, 0)])
def test_rows_of_any_leading_shape_are_independent(rng, dtype, leading):
    """Sequences (T, N, F) give the bits of their rows as one batch, and keep their shape."""
    layer, n = dense_activation(ACTIVATIONS["prelu"], XAVIER, 9), math.prod(leading)
    x, dy = draw(rng, dtype, *leading, 7), draw(rng, dtype, *leading, 9)
    state = layer.init(np.random.default_rng(1), x.shape, dtype)
    flat = layer.init(np.random.default_rng(1), (n, 7), dtype)
    for whole, batch in (
        (layer.forward(state, x), layer.forward(flat, x.reshape(n, 7))),
        (layer.backward(state, dy), layer.backward(flat, dy.reshape(n, 9))),
    ):
        assert whole.shape == (*leading, batch.shape[1])
        np.testing.assert_array_equal(whole.reshape(batch.shape), batch)
    for (name, _, gradient), (_, _, other) in zip(parameters(state), parameters(flat), strict=True):
        np.testing.assert_array_equal(gradient, other, name)


@pytest.mark.parametrize("name", ["tanh", "gelu", "prelu", "swish"])
def test_layer_gradients_are_finite_differences(rng, check_gradient, name):
    layer = dense_activation(ACTIVATIONS[name], XAVIER, 6)
    state = layer.init(rng, (4, 5), np.dtype(np.float64))
    x, u = rng.standard_normal((4, 5)), rng.standard_normal((4, 6))
    layer.forward(state, x)
    dx = layer.backward(state, u)
    check_gradient(lambda: np.sum(layer.forward(state, x) * u), [*parameters(state), ("x", x, dx)])


def test_only_prelu_learns_a_slope(rng, dtype):
    states = {
        name: dense_activation(activation, XAVIER, 8).init(rng, (2, 3), dtype)
        for name, activation in ACTIVATIONS.items()
    }
    assert {name for name, state in states.items() if "a" in state.params} == {"prelu"}
    np.testing.assert_array_equal(states["prelu"].params["a"], np.full(8, 0.25, dtype))
    assert states["prelu"].grads["a"].shape == (8,)


def test_a_learned_slope_is_used(rng, dtype, close):
    layer = dense_activation(ACTIVATIONS["prelu"], XAVIER, 8)
    state = layer.init(rng, (5, 3), dtype)
    state.params["a"][:] = np.arange(8)
    x = draw(rng, dtype, 5, 3)
    y = layer.forward(state, x)
    z = reference.dense_forward(*wide(x, state.params["W"], state.params["b"]))
    close(y, np.where(z > 0, z, np.arange(8) * z))


@pytest.mark.parametrize("rows", [0, 1])
def test_hardly_any_rows(rng, dtype, rows):
    layer = dense_activation(ACTIVATIONS["tanh"], XAVIER, 4)
    state = layer.init(rng, (rows, 3), dtype)
    assert layer.forward(state, draw(rng, dtype, rows, 3)).shape == (rows, 4)
    assert layer.backward(state, draw(rng, dtype, rows, 4)).shape == (rows, 3)
    if rows == 0:
        assert not state.grads["W"].any()
        assert not state.grads["b"].any()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": np.zeros((2, 9))}, ValueError, r"W must have shape \(9, 4\), got \(3, 4\)"),
        ({"b": np.zeros(3)}, ValueError, r"b must have shape \(4\), got \(3,\)"),
        ({"W": np.zeros((4, 3)).T}, ValueError, "W must be C-contiguous"),
        ({"x": np.zeros((2, 3), np.float32)}, TypeError, "x must be float64, got float32"),
        ({"y": np.zeros(4)}, ValueError, r"y must have shape \(any, any\), got \(4,\)"),
    ],
)
def test_dense_forward_names_the_wrong_argument(change, error, message):
    arguments = {"y": np.zeros((2, 4)), "x": np.zeros((2, 3)), "W": np.zeros((3, 4)), "b": np.zeros(4)}
    with pytest.raises(error, match=message):
        dense_forward(**arguments | change)


@pytest.mark.parametrize("name", ["dx", "dW", "db"])
def test_dense_backward_names_the_output_it_cannot_write(name):
    arguments = {"dx": np.zeros((2, 3)), "dW": np.zeros((3, 4)), "db": np.zeros(4)}
    inputs = {"dy": np.zeros((2, 4)), "x": np.zeros((2, 3)), "W": np.zeros((3, 4))}
    with pytest.raises(ValueError, match=f"{name} must have shape"):
        dense_backward(**arguments | {name: np.zeros((9, 9))}, **inputs)
    arguments[name].flags.writeable = False
    with pytest.raises(ValueError, match=f"{name} is read-only"):
        dense_backward(**arguments, **inputs)


def test_a_layer_refuses_what_does_not_fit_it(rng):
    layer = dense_activation(ACTIVATIONS["relu"], XAVIER, 4)
    state = layer.init(rng, (2, 3), np.dtype(np.float64))
    with pytest.raises(ValueError, match=r"x must have shape \(2, 3\), got \(3, 3\)"):
        layer.forward(state, np.zeros((3, 3)))
    layer.forward(state, np.zeros((2, 3)))
    with pytest.raises(TypeError, match="dy must be float64"):
        layer.backward(state, np.zeros((2, 4), np.float32))
    with pytest.raises(ValueError, match=r"shape must be \(..., rows, features\), got \(3,\)"):
        layer.init(rng, (3,), np.dtype(np.float64))
    with pytest.raises(ValueError, match=r"shape must have features along its last axis, got \(5, 0\)"):
        layer.init(rng, (5, 0), np.dtype(np.float64))
    with pytest.raises(ValueError, match="fan_out must be at least 1, got 0"):
        dense_activation(ACTIVATIONS["relu"], XAVIER, 0)
