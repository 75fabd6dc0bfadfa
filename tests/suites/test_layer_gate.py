"""The gate of layers passes right layers and finds a fault in any array that forward or backward writes."""

import numpy as np
import pytest

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS
from suites import layer_gate
from suites.gate import GateError

SHAPES = {"plain": (5, 7), "rnn": (4, 5, 7)}


def passed(architecture, activation, dtype):
    """The first layer's state after forward and backward of a small network, and its check."""
    row, rng = ACTIVATIONS[activation], np.random.default_rng(1)
    sizes = (7, 2) if architecture == "plain" else (6,)
    network = ARCHITECTURES[architecture].build(row, INITIALIZERS["framework_default"], *sizes)
    state = network.init(rng, SHAPES[architecture], np.dtype(dtype))
    layer_gate.poison(state)
    network.forward(state, rng.standard_normal(SHAPES[architecture]).astype(dtype))
    network.backward(state, rng.standard_normal(state.saved["y"].shape).astype(dtype))
    if architecture == "plain":
        return state.children[0], lambda: layer_gate.check_dense("layer", state.children[0], row)
    return state, lambda: layer_gate.check_rnn("layer", state, row)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["tanh", "prelu"])
@pytest.mark.parametrize("architecture", SHAPES)
def test_a_right_layer_passes(architecture, activation, dtype):
    _, check = passed(architecture, activation, dtype)
    check()


@pytest.mark.parametrize(
    ("architecture", "written"),
    [
        *(("plain", name) for name in ("z", "y", "dz", "dx", "W", "b", "a")),
        *(("rnn", name) for name in ("z", "y", "dz", "dh", "dx", "Wx", "Wh", "b", "a")),
    ],
)
def test_a_fault_in_any_result_is_found(architecture, written):
    state, check = passed(architecture, "prelu", "float32")
    array = state.grads[written] if written in state.grads else state.saved[written]
    array.flat[-1] += 0.01 + 0.01 * abs(array.flat[-1])
    with pytest.raises(GateError, match="layer: "):
        check()


def test_poison_spares_what_a_layer_is_given():
    state, _ = passed("rnn", "tanh", "float32")
    start, x = state.saved["h"][0].copy(), state.saved["x"].copy()
    layer_gate.poison(state)
    assert np.array_equal(state.saved["h"][0], start)
    assert np.array_equal(state.saved["x"], x)
    assert all(np.isnan(state.saved[name]).all() for name in ("y", "z", "dz", "dh", "dx"))
    assert all(np.isnan(grad).all() for grad in state.grads.values())
