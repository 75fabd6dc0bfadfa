"""The gates of recurrent layers: every step of a pass from the states and gradients that the layer kept of the others.

x (T, N, F), h and dh (T + 1, N, H): with those of all steps known, no step has to wait for another, and the rounding of
one is not taken for the error of the next.
"""

from typing import Any

import numpy as np
from scipy.special import expit

from kernels.elementwise import Activation
from kernels.layer import State
from suites.gate import Array, check, close, in_float64, pointwise, product, rows


def rnn(name: str, state: State, activation: Activation) -> None:
    """Check h_t = f(x_t Wx + h_{t-1} Wh + b) and its gradients after forward and backward."""
    saved, Wx, Wh = state.saved, state.params["Wx"], state.params["Wh"]
    h, z, dz = saved["h"], saved["z"], rows(saved["dz"])
    inputs, weights = np.hstack([rows(saved["x"]), rows(h[:-1])]), np.vstack([Wx, Wh])
    product(f"{name}: z", rows(z), (inputs, weights), plus=state.params["b"])
    pointwise(name, state, activation, z, h[1:], saved["dh"][1:], saved["dz"])
    _gradients(name, state, dz, dz)


def lstm(name: str, state: State, activation: Activation) -> None:
    """Check c_t = s(f) c_{t-1} + s(i) act(g), h_t = s(o) act(c_t) and their gradients after forward and backward."""
    wide, f, df, size_of = _wide(state), *_functions(state, activation)
    h, c, dh, dc, g = wide["h"], wide["c"], wide["dh"], wide["dc"], np.split(wide["gates"], 4, axis=-1)[2]
    z, size = _points(state, h)
    (i, forget, point, o), (of_i, of_forget, of_point, of_o) = (np.split(array, 4, axis=-1) for array in (z, size))
    kept = np.split(state.saved["gates"], 4, axis=-1)
    for key, part, gate, of_gate in (("i", 0, i, of_i), ("f", 1, forget, of_forget), ("o", 3, o, of_o)):
        close(f"{name}: {key}", kept[part], *_folded(gate, of_gate))
    close(f"{name}: g", kept[2], point, of_point)
    entering, keeping = expit(i) * f(g), expit(forget) * c[:-1]
    of_c = expit(i) * size_of(f(g)) * (1 + of_i) + np.abs(keeping) * (1 + of_forget)
    close(f"{name}: c", state.saved["c"][1:], keeping + entering, of_c)
    close(f"{name}: h", state.saved["h"][1:], expit(o) * f(c[1:]), expit(o) * size_of(f(c[1:])) * (1 + of_o))
    later = np.concatenate([dc[2:] * expit(forget[1:]), wide["dc_last"][None]])
    of_later = np.abs(later) * (1 + np.concatenate([of_forget[1:], np.zeros_like(of_forget[:1])]))
    by_h = dh[1:] * expit(o) * df(c[1:])
    of_by_h = np.abs(dh[1:] * expit(o)) * size_of(df(c[1:])) * (1 + of_o)
    close(f"{name}: dc", state.saved["dc"][1:], later + by_h, of_later + of_by_h)
    first = dc[1] * expit(forget[0])
    close(f"{name}: dc at the start", state.saved["dc"][0], first, np.abs(first) * (1 + of_forget[0]))
    by_gate = (
        dc[1:] * f(g) * _slope(i),
        dc[1:] * c[:-1] * _slope(forget),
        dc[1:] * expit(i) * df(g),
        dh[1:] * f(c[1:]) * _slope(o),
    )
    dz = rows(np.concatenate(by_gate, axis=-1))
    _gradients(name, state, dz, dz)


def gru(name: str, state: State, activation: Activation) -> None:
    """Check h_t = (1 - z) n + z h_{t-1}, n = act(x_t Wxn + bn + r (h_{t-1} Whn + bhn)), and its gradients."""
    wide, f, df, size_of = _wide(state), *_functions(state, activation)
    h, dh, q, n = wide["h"], wide["dh"], wide["q"], np.split(wide["gates"], 3, axis=-1)[2]
    Whn, hidden = np.split(state.params["Wh"], 3, axis=1)[2], h.shape[2]
    points, sizes = _points(state, h)
    (r, z, _), (of_r, of_z, _) = (np.split(array, 3, axis=-1) for array in (points, sizes))
    kept = np.split(state.saved["gates"], 3, axis=-1)
    for key, part, gate, of_gate in (("r", 0, r, of_r), ("z", 1, z, of_z)):
        close(f"{name}: {key}", kept[part], *_folded(gate, of_gate))
    product(f"{name}: q", rows(state.saved["q"]), (rows(h[:-1]), Whn), plus=state.params["bh"])
    Wxn, bn = (state.params[key][..., 2 * hidden :].astype(np.float64) for key in ("Wx", "b"))
    of_n = np.abs(wide["x"]) @ np.abs(Wxn) + np.abs(bn) + np.abs(expit(r) * q) * (1 + of_r)
    close(f"{name}: n", kept[2], wide["x"] @ Wxn + bn + expit(r) * q, of_n)
    new, old = expit(-z) * f(n), expit(z) * h[:-1]
    close(f"{name}: h", state.saved["h"][1:], new + old, (expit(-z) * size_of(f(n)) + np.abs(old)) * (1 + of_z))
    dn = dh[1:] * expit(-z) * df(n)
    both = dn * q * _slope(r), dh[1:] * (h[:-1] - f(n)) * _slope(z)
    by_x, by_h = (rows(np.concatenate([*both, last], axis=-1)) for last in (dn, dn * expit(r)))
    _gradients(name, state, by_x, by_h, plus=dh[1:] * expit(z))
    product(f"{name}: dbh", state.grads["bh"], (np.ones(len(by_h)), by_h[:, 2 * hidden :]))


def _wide(state: State) -> dict[str, Array]:
    return {name: array.astype(np.float64) for name, array in state.saved.items()}


def _functions(state: State, activation: Activation) -> tuple[Any, Any, Any]:
    """f and f' with the state's parameter, and what their terms come to where they come to a value.

    Where nothing is promised terms as large as 1 may cancel, and what is checked is the layer: float64 forms that are
    another function in the ninth digit would make it wrong.
    """
    if np.isinf(activation.ulp):
        f, df = in_float64(activation.f, activation.df, activation.a or 0.0)
        return f, df, lambda value: np.maximum(1, np.abs(value))
    a = state.params.get("a", np.array(activation.a or 0.0, state.saved["h"].dtype)).astype(np.float64)
    return lambda x: activation.reference(x, a), lambda x: activation.reference_derivative(x, a), np.abs


def _points(state: State, h: Array) -> tuple[Array, Array]:
    """x_t Wx + h_{t-1} Wh + b of all steps, in float64, and the same sums over absolute values."""
    given = (*(state.params[name] for name in ("Wx", "Wh", "b")), state.saved["x"])
    Wx, Wh, b, x = (array.astype(np.float64) for array in given)
    sizes = np.abs(x) @ np.abs(Wx) + np.abs(h[:-1]) @ np.abs(Wh) + np.abs(b)
    return x @ Wx + h[:-1] @ Wh + b, sizes


def _folded(z: Array, size: Array) -> tuple[Array, Array]:
    """What is kept of a gate sigmoid(z), its smaller side with the sign of z, and its size where z's terms have one."""
    side = expit(-np.abs(z))
    return np.copysign(side, z), side * (1 + size)


def _slope(x: Array) -> Array:
    """The derivative of sigmoid, tails included."""
    return np.asarray(expit(x) * expit(-x))


def _gradients(name: str, state: State, by_x: Array, by_h: Array, plus: Array | float = 0.0) -> None:
    """Check all gradients from those of x Wx and of h Wh (T N, gates H), and plus, what else flows a step back."""
    saved, grads = state.saved, state.grads
    x, h, dy = rows(saved["x"]), rows(saved["h"][:-1]), saved["dy"].astype(np.float64)
    check(f"{name}: dh at the end", saved["dh"][-1], dy[-1], 0.0)
    entering = np.concatenate([np.zeros_like(dy[:1]), dy[:-1]]) + plus
    product(f"{name}: dh", rows(saved["dh"][:-1]), (by_h, state.params["Wh"].T), plus=rows(entering))
    product(f"{name}: dx", rows(saved["dx"]), (by_x, state.params["Wx"].T))
    product(f"{name}: dWx", grads["Wx"], (x.T, by_x))
    product(f"{name}: dWh", grads["Wh"], (h.T, by_h))
    product(f"{name}: db", grads["b"], (np.ones(len(by_x)), by_x))
