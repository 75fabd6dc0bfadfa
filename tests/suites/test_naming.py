"""Names of parameters: a number only where several have one name, in the order of the layers."""

import numpy as np
import pytest

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS
from suites.naming import named


@pytest.mark.parametrize(
    ("architecture", "names"),
    [("plain", ["W", "b"]), ("residual", ["W1", "b1", "W2", "b2"]), ("layernorm", ["W", "b", "gamma", "beta"])],
)
def test_names_follow_the_layers(architecture, names):
    network = ARCHITECTURES[architecture].build(ACTIVATIONS["tanh"], INITIALIZERS["xavier_normal"], 4, 1)
    state = network.init(np.random.default_rng(0), (3, 4), np.dtype(np.float64))
    pairs = named(state)
    assert list(pairs) == names
    assert all(value.shape == gradient.shape for value, gradient in pairs.values())
    deepest = state.children[0]
    while deepest.children:
        deepest = deepest.children[0]
    assert pairs[names[0]][0] is deepest.params["W"]
    assert pairs[names[0]][1] is deepest.grads["W"]
