import numpy as np
import pytest

from kernels.activate import activate
from kernels.activations import ACTIVATIONS
from kernels.layer import activations, chain

DOUBLE = np.dtype(np.float64)


@pytest.mark.parametrize("shape", [(5,), (3, 7), (2, 3, 5), (0, 4)])
@pytest.mark.parametrize("name", ["tanh", "gelu", "prelu"])
def test_is_the_activation(rng, dtype, close, name, shape):
    row, layer = ACTIVATIONS[name], activate(ACTIVATIONS[name])
    state = layer.init(rng, shape, dtype)
    x, dy = (np.asarray(rng.standard_normal(shape), dtype) for _ in range(2))
    state.saved["y"].fill(np.nan)
    close(layer.forward(state, x), row.reference(x.astype(np.float64), row.a))
    close(layer.backward(state, dy), dy * row.reference_derivative(x.astype(np.float64), row.a))
    assert state.saved["x"] is state.saved["z"] is x


def test_prelu_learns_a_slope_per_feature(rng, check_gradient):
    layer = activate(ACTIVATIONS["prelu"])
    state = layer.init(rng, (2, 6, 5), DOUBLE)
    state.params["a"][...] = rng.random(5)
    x, u = rng.standard_normal((2, 2, 6, 5))
    layer.forward(state, x)
    layer.backward(state, u)
    pairs = [("x", x, state.saved["dx"]), ("a", state.params["a"], state.grads["a"])]
    check_gradient(lambda: np.sum(layer.forward(state, x) * u), pairs)


def test_the_walk_finds_activations_and_what_they_are_applied_to(rng):
    layer = chain(activate(ACTIVATIONS["tanh"]), activate(ACTIVATIONS["relu"]))
    state = layer.init(rng, (2, 3), DOUBLE)
    layer.forward(state, rng.standard_normal((2, 3)))
    (tanh, first), (relu, second) = activations(layer, state)
    assert (tanh.name, relu.name) == ("tanh", "relu")
    assert second.saved["z"] is first.saved["y"]


def test_wrong_arguments_are_named(rng):
    layer = activate(ACTIVATIONS["tanh"])
    with pytest.raises(ValueError, match=r"shape must be \(..., features\), got \(\)"):
        layer.init(rng, (), DOUBLE)
    state = layer.init(rng, (2, 3), DOUBLE)
    with pytest.raises(ValueError, match=r"x must have shape \(2, 3\), got \(2, 4\)"):
        layer.forward(state, np.zeros((2, 4)))
