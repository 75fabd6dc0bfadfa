"""The gate of whole layers: every array that forward and backward left in a State, against float64 NumPy.

Each result is computed anew from the arrays that it was made of, as they are: so one layer's rounding is not taken
for another's error, however deep the network, and no pre-activation falls on the other side of a kink.
"""

from collections.abc import Callable

import numpy as np

from kernels.cells import CARRIED
from kernels.elementwise import Activation
from kernels.layer import Layer, State
from suites import attention_gate, gate, norm_gate, recurrent_gate
from suites.gate import Array, pointwise, product, rows

# What forward and backward are given, or keep from one call to the next; of h and c that is the first step alone, of
# the gradient of sequences of which a layer takes the last step all but that.
GIVEN = ("x", "dy", "a", "dc_last")


def poison(state: State) -> None:
    """Fill with NaN what forward and backward write, in this layer and those it is made of.

    Running statistics, which a training batch moves, begin anew.
    """
    recurrent, fewer_axes = "Wh" in state.params, state.saved["y"].ndim < state.saved["dx"].ndim
    for name, array in state.saved.items():
        if name not in GIVEN:
            kept = 1 if recurrent and name in CARRIED else -1 if fewer_axes and name == "dx" else 0
            gate.poison(array[kept:])
    gate.poison(*state.grads.values())
    for name, array in state.buffers.items() if state.training else ():
        array.fill(norm_gate.START[name])
    for child in state.children:
        poison(child)


def check(name: str, layer: Layer, state: State, path: str = "") -> None:
    """Check a layer after forward and backward, with all that it is made of; GateError names what is wrong.

    path counts the children down to it.
    """
    for position, (part, child) in enumerate(zip(layer.layers, state.children, strict=True)):
        check(name, part, child, f"{path}.{position}".removeprefix("."))
    here = f"{name}, layer {path}" if path else name
    if not layer.layers:
        cell = ("c",) if "Wh" in state.params and "c" in state.saved else ()
        LAYERS[frozenset([*state.params, *state.buffers, *cell]) - {"a"}](here, layer, state)
    elif state.saved["y"] is not state.children[-1].saved["y"]:  # which is a chain's
        residual(here, state, layer.scale)


def dense(name: str, state: State, activation: Activation) -> None:
    """Check a dense layer with its activation, x (..., F)."""
    saved, W = state.saved, state.params["W"]
    x, dz = rows(saved["x"]), rows(saved["dz"])
    product(f"{name}: z", rows(saved["z"]), (x, W), plus=state.params["b"])
    pointwise(name, state, activation, saved["z"], saved["y"], saved["dy"], saved["dz"])
    product(f"{name}: dx", rows(saved["dx"]), (dz, W.T))
    product(f"{name}: dW", state.grads["W"], (x.T, dz))
    product(f"{name}: db", state.grads["b"], (np.ones(len(dz)), dz))


def activate(name: str, state: State, activation: Activation) -> None:
    """Check a layer that is an activation alone."""
    saved = state.saved
    pointwise(name, state, activation, saved["z"], saved["y"], saved["dy"], saved["dx"])


def residual(name: str, state: State, scale: float) -> None:
    """Check y = x + scale h and its gradients."""
    saved, (child,) = state.saved, state.children
    given = saved.get("dh", saved["dy"]), saved["dy"], _input(child), child.saved["y"], child.saved["dx"]
    dh, dy, x, h, branch = (array.astype(np.float64) for array in given)
    eps = float(np.finfo(saved["y"].dtype).eps)
    gate.check(f"{name}: dh", dh, scale * dy, 2 * eps * np.abs(scale * dy))
    gate.check(f"{name}: y", saved["y"], x + scale * h, 4 * eps * (np.abs(x) + np.abs(scale * h)))
    gate.check(f"{name}: dx", saved["dx"], dy + branch, 4 * eps * (np.abs(dy) + np.abs(branch)))


def rearranged(name: str, state: State) -> None:
    """Check a layer that only moves numbers: the pieces of examples as steps, or the last step of sequences."""
    saved = state.saved
    if saved["y"].ndim > saved["x"].ndim:
        steps, examples, features = saved["y"].shape
        y = saved["x"].reshape(examples, steps, features).swapaxes(0, 1)
        dx = saved["dy"].swapaxes(0, 1).reshape(saved["x"].shape)
    else:
        y, dx = saved["x"][-1], np.zeros_like(saved["x"])
        dx[-1] = saved["dy"]
    gate.check(f"{name}: y", saved["y"], y, 0.0)
    gate.check(f"{name}: dx", saved["dx"], dx, 0.0)


def _input(state: State) -> Array:
    """What went into the first layer of a chain, where it is kept: an activation alone calls it z."""
    if state.children:
        return _input(state.children[0])
    return state.saved["x"] if "x" in state.saved else state.saved["z"]


Check = Callable[[str, Layer, State], None]


def _active(check: Callable[[str, State, Activation], None]) -> Check:
    """Of a layer with an activation."""
    return lambda name, layer, state: check(name, state, layer.activation)


def _plain(check: Callable[[str, State], None]) -> Check:
    """Of a layer without."""
    return lambda name, layer, state: check(name, state)


# What a layer has, besides a learned slope -> its check: parameters, buffers, and a cell state where there is one.
LAYERS: dict[frozenset[str], Check] = {
    frozenset(): lambda name, layer, state: (
        activate(name, state, layer.activation) if layer.activation else rearranged(name, state)
    ),
    frozenset({"W", "b"}): _active(dense),
    frozenset({"Wx", "Wh", "b"}): _active(recurrent_gate.rnn),
    frozenset({"Wx", "Wh", "b", "c"}): _active(recurrent_gate.lstm),
    frozenset({"Wx", "Wh", "b", "bh"}): _active(recurrent_gate.gru),
    frozenset({"gamma", "beta"}): _plain(norm_gate.layer_norm),
    frozenset({"gamma", "beta", "running_mean", "running_var"}): _plain(norm_gate.batch_norm),
    frozenset({"gamma"}): _plain(norm_gate.rms_norm),
    frozenset({"Wq", "Wk", "Wv", "Wo", "bq", "bk", "bv", "bo"}): (
        lambda name, layer, state: attention_gate.attention(name, state, layer.name.endswith("causal"))
    ),
}
