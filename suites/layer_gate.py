"""The gate of whole layers: every array that forward and backward left in a State, against float64 NumPy.

Each result is computed anew from the arrays that it was made of, as they are: so one layer's rounding is not taken
for another's error, however deep the network, and no pre-activation falls on the other side of a kink.
"""

import numpy as np

from kernels.elementwise import Activation
from kernels.layer import State
from suites import gate
from suites.gate import Array

# What forward and backward are given, or keep from one call to the next.
GIVEN = ("x", "dy", "a", "h")


def poison(state: State) -> None:
    """Fill with NaN what forward and backward write, in this layer and those it is made of."""
    gate.poison(*(array for name, array in state.saved.items() if name not in GIVEN), *state.grads.values())
    for child in state.children:
        poison(child)


def check_dense(name: str, state: State, activation: Activation) -> None:
    """Check a dense layer with its activation, x (N, F), after forward and backward; GateError where it is wrong."""
    saved, W = state.saved, state.params["W"]
    product(f"{name}: z", saved["z"], (saved["x"], W), plus=state.params["b"])
    _pointwise(name, state, activation, saved["y"], saved["dy"])
    product(f"{name}: dx", saved["dx"], (saved["dz"], W.T))
    product(f"{name}: dW", state.grads["W"], (saved["x"].T, saved["dz"]))
    product(f"{name}: db", state.grads["b"], (np.ones(len(saved["dz"])), saved["dz"]))


def check_rnn(name: str, state: State, activation: Activation) -> None:
    """Check a recurrent layer, x (T, N, F), after forward and backward; GateError where it is wrong."""
    saved, Wx, Wh = state.saved, state.params["Wx"], state.params["Wh"]
    h, dh, x, dz, steps = saved["h"], saved["dh"], _rows(saved["x"]), _rows(saved["dz"]), len(saved["z"])
    inputs, weights = np.hstack([x, _rows(h[:-1])]), np.vstack([Wx, Wh])
    product(f"{name}: z", _rows(saved["z"]), (inputs, weights), plus=state.params["b"])
    gate.check(f"{name}: dh at the end", dh[steps], saved["dy"][-1].astype(np.float64), 0.0)
    entering = np.concatenate([np.zeros_like(saved["dy"][:1]), saved["dy"][:-1]])
    product(f"{name}: dh", _rows(dh[:-1]), (dz, Wh.T), plus=_rows(entering))
    _pointwise(name, state, activation, h[1:], dh[1:])
    product(f"{name}: dx", _rows(saved["dx"]), (dz, Wx.T))
    product(f"{name}: dWx", state.grads["Wx"], (x.T, dz))
    product(f"{name}: dWh", state.grads["Wh"], (_rows(h[:-1]).T, dz))
    product(f"{name}: db", state.grads["b"], (np.ones(len(dz)), dz))


def product(name: str, got: Array, factors: tuple[Array, Array], plus: Array | float = 0.0) -> None:
    """Check got = left @ right + plus."""
    left, right = (factor.astype(np.float64) for factor in factors)
    added = np.asarray(plus, dtype=np.float64)
    magnitude = np.abs(left) @ np.abs(right) + np.abs(added)
    gate.check_sums(name, got, left @ right + added, magnitude, terms=len(right) + 1)


def _rows(array: Array) -> Array:
    """(T, N, H) as (T * N, H)."""
    return array.reshape(-1, array.shape[-1])


def _pointwise(name: str, state: State, activation: Activation, y: Array, upstream: Array) -> None:
    """y = f(z), dz = upstream * f'(z), and the gradient of a learned slope."""
    z, dy, a = (array.astype(np.float64) for array in (state.saved["z"], upstream, state.saved["a"]))
    value, slope = activation.reference(z, a), activation.reference_derivative(z, a)
    gate.check(f"{name}: y", y, value, gate.promised_forward(activation, value, y.dtype))
    allowed = gate.promised_backward(activation, dy, z, a, slope, y.dtype)
    gate.check(f"{name}: dz", state.saved["dz"], dy * slope, allowed)
    if activation.learns and activation.reference_df_da is not None:
        terms = _rows(dy * activation.reference_df_da(z, a))
        gate.check_sums(f"{name}: da", state.grads["a"], terms.sum(axis=0), np.abs(terms).sum(axis=0), len(terms))
