"""The gate of layers passes right layers and finds a fault in any array that forward or backward writes."""

import numpy as np
import pytest

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS
from kernels.activate import activate
from kernels.attention import attention
from kernels.batch_norm import batch_norm
from kernels.layer import residual
from kernels.layer_norm import layer_norm
from kernels.rms_norm import rms_norm
from kernels.sequences import as_sequence, last_step
from suites import layer_gate, norm_gate
from suites.bench_layers import evaluating
from suites.gate import GateError

INITIALIZER = INITIALIZERS["framework_default"]
ROWS, SEQUENCE = (5, 8), (4, 5, 8)


def deep(name):
    """One block of width 8."""
    return lambda row: ARCHITECTURES[name].build(row, INITIALIZER, 8, 1)


def recurrent(name):
    """Six hidden units."""
    return lambda row: ARCHITECTURES[name].build(row, INITIALIZER, 6)


# Layer -> its function of an activation, the shape of x, and what can be wrong in it.
NORM = ("y", "dx", "gamma", "rstd")
CELL = ("h", "dh", "dx", "Wx", "Wh", "b")
# The gradient of bk is 0 but for rounding: the same number added to a row of scores changes nothing.
ATTENTION = ("q", "k", "v", "p", "h", "y", "dx", "Wq", "Wk", "Wv", "Wo", "bq", "bv", "bo")
LAYERS = {
    "dense": (deep("plain"), ROWS, ("z", "y", "dz", "dx", "W", "b", "a")),
    "activate": (activate, ROWS, ("y", "dx", "a")),
    "residual": (lambda row: residual(deep("plain")(row), 0.5), ROWS, ("y", "dh", "dx")),
    "layer_norm": (lambda row: layer_norm(), SEQUENCE, (*NORM, "beta", "mean")),
    "batch_norm": (lambda row: batch_norm(), ROWS, (*NORM, "beta", "mean", "running_mean", "running_var")),
    "batch_norm_evaluate": (lambda row: evaluating(), ROWS, ("y", "dx", "gamma", "beta")),
    "rms_norm": (lambda row: rms_norm(), SEQUENCE, NORM),
    "rnn": (recurrent("rnn"), SEQUENCE, ("z", "dz", "a", *CELL)),
    "lstm": (recurrent("lstm"), SEQUENCE, ("gates", "c", "dc", *CELL)),
    "gru": (recurrent("gru"), SEQUENCE, ("gates", "q", "bh", *CELL)),
    "attention": (lambda row: attention(INITIALIZER, 2), SEQUENCE, ATTENTION),
    "causal": (lambda row: attention(INITIALIZER, 2, True), SEQUENCE, ATTENTION),
    "as_sequence": (lambda row: as_sequence(2), ROWS, ("y", "dx")),
    "last_step": (lambda row: last_step(), SEQUENCE, ("y", "dx")),
    "batchnorm": (deep("batchnorm"), ROWS, ("W", "gamma", "y")),
    "transformer_pre": (deep("transformer_pre"), SEQUENCE, ("gamma", "Wq", "W")),
    "transformer_post": (deep("transformer_post"), SEQUENCE, ("gamma", "Wq", "W")),
}
FAULTS = [(layer, fault) for layer, (_, _, faults) in LAYERS.items() for fault in faults]


def passed(layer, activation, dtype):
    """The state after forward and backward of a small layer, and its check."""
    make, shape, _ = LAYERS[layer]
    rng = np.random.default_rng(1)
    built = make(ACTIVATIONS[activation])
    state = built.init(rng, shape, np.dtype(dtype))
    layer_gate.poison(state)
    built.forward(state, rng.standard_normal(shape).astype(dtype))
    built.backward(state, rng.standard_normal(state.saved["y"].shape).astype(dtype))
    return state, lambda: layer_gate.check("a layer", built, state)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["tanh", "prelu"])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_right_layer_passes(layer, activation, dtype):
    _, check = passed(layer, activation, dtype)
    check()


@pytest.mark.parametrize(("layer", "written"), FAULTS)
def test_a_fault_in_any_result_is_found(layer, written):
    state, check = passed(layer, "prelu", "float32")
    spoil(state, written)
    with pytest.raises(GateError, match="a layer"):
        check()


def spoil(state, written):
    """Make an element of the smallest row of a result wrong by a hundredth of the largest in that row.

    Of what this layer wrote, or the first of those it is made of that has it; what it starts with is left.
    """
    arrays = state.saved | state.buffers | state.grads
    if written in arrays:
        array = arrays[written][1:] if written in layer_gate.CARRIED and "Wh" in state.params else arrays[written]
        flat = array.reshape(-1, array.shape[-1])
        largest = np.abs(flat).max(axis=1)
        row = np.argmin(np.where(largest > 0, largest, np.inf))
        flat[row, np.argmax(np.abs(flat[row]))] *= 1.01
        return True
    return any(spoil(child, written) for child in state.children)


def test_the_layer_that_is_wrong_is_named():
    network = ARCHITECTURES["plain"].build(ACTIVATIONS["tanh"], INITIALIZER, 8, 3)
    other = ARCHITECTURES["plain"].build(ACTIVATIONS["relu"], INITIALIZER, 8, 3)
    rng = np.random.default_rng(1)
    state = network.init(rng, ROWS, np.dtype(np.float32))
    network.forward(state, rng.standard_normal(ROWS, dtype=np.float32))
    network.backward(state, rng.standard_normal(ROWS, dtype=np.float32))
    layer_gate.check("network", network, state)
    with pytest.raises(GateError, match="network, layer 0: y"):
        layer_gate.check("network", other, state)
    state.children[2].grads["W"].flat[0] += 1
    with pytest.raises(GateError, match="network, layer 2: dW"):
        layer_gate.check("network", network, state)


def test_poison_spares_what_a_layer_is_given():
    for layer in ("rnn", "lstm"):
        state, _ = passed(layer, "tanh", "float32")
        start, x = state.saved["h"][0].copy(), state.saved["x"].copy()
        layer_gate.poison(state)
        assert np.array_equal(state.saved["h"][0], start)
        assert np.array_equal(state.saved["x"], x)
        assert all(np.isnan(state.saved[name]).all() for name in ("y", "dh", "dx"))
        assert all(np.isnan(grad).all() for grad in state.grads.values())
    assert not state.saved["c"][0].any()
    assert np.isnan(state.saved["c"][1:]).all()


@pytest.mark.parametrize("wrong", ["y", "dx"])
def test_a_fault_in_softmax_is_found(wrong):
    x, dy = (np.random.default_rng(seed).standard_normal((3, 5)) for seed in (1, 2))
    y = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    arrays = {"y": y, "dx": y * dy - y * (y * dy).sum(axis=1, keepdims=True)}
    norm_gate.softmax("softmax", *arrays.values(), x, dy)
    arrays[wrong][1, 2] += 1e-9
    with pytest.raises(GateError, match=f"softmax: {wrong}"):
        norm_gate.softmax("softmax", *arrays.values(), x, dy)
