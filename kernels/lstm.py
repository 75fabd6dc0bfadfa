"""The LSTM, unrolled: (i, f, g, o) = x_t Wx + h_{t-1} Wh + b, c_t = s(f) c_{t-1} + s(i) act(g), h_t = s(o) act(c_t).

Hochreiter & Schmidhuber 1997 with the forget gate of Gers, Schmidhuber & Cummins 2000; s is sigmoid, act tanh or any
other activation. x (T, N, F), h and c (T + 1, N, H) with the initial states first, Wx (F, 4H), Wh (H, 4H), b (4H,).

gates (T, N, 4H) is what forward keeps for backward besides h and c, 6 numbers for each unit and step: i, f, o as
kernels/cells.py folds them, and the pre-activation g. Backward computes act(g) and act(c) anew: in long sequences that
takes less time than fetching them from memory would.
"""

import numpy as np

from kernels import cells
from kernels import lstm_loops as loops
from kernels.checks import check_dtype, check_input
from kernels.elementwise import Activation
from kernels.initializers import Initializer
from kernels.layer import Array, DType, Layer, State, accept, empty


def lstm_forward(
    h: Array,
    c: Array,
    gates: Array,
    x: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    activation: Activation,
    a: Array | None = None,
) -> None:
    """Every h[t + 1], c[t + 1] and gates[t], from the initial states that h[0] and c[0] hold.

    h, c (T + 1, N, H), gates (T, N, 4H), x (T, N, F), Wx (F, 4H), Wh (H, 4H), b (4H,), a (H,); float32 or float64,
    C-contiguous. Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("x", x)
    cells.check_sequence(dtype, x, h, gates, Wx, Wh, b, 4)
    parameter = cells.slope_parameter(activation, a, h.shape[2], dtype)
    inputs = {"x": x, "Wx": Wx, "Wh": Wh, "b": b, "a": parameter}
    cells.check_outputs({"h": (h, h), "c": (c, h), "gates": (gates, gates)}, inputs)
    loops.forward(activation, h, c, gates, x, (Wx, Wh, b), parameter, loops.workspace(x, parameter.size))


def lstm_backward(
    dx: Array,
    dWx: Array,
    dWh: Array,
    db: Array,
    dh: Array,
    dc: Array,
    dy: Array,
    dc_last: Array,
    x: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    h: Array,
    c: Array,
    gates: Array,
    activation: Activation,
    a: Array | None = None,
) -> None:
    """Every gradient of lstm_forward, overwritten, given what enters from outside: dy (T, N, H) at each h[t + 1],
    dc_last (N, H) at c[T].

    dh and dc (T + 1, N, H) have the whole gradient at every step, dc also what reaches c[t] by way of h[t], and first
    that at the initial states, which are independent.
    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("x", x)
    cells.check_sequence(dtype, x, h, gates, Wx, Wh, b, 4)
    check_input("c", c, dtype, *h.shape)
    check_input("dy", dy, dtype, *h[1:].shape)
    check_input("dc_last", dc_last, dtype, *h.shape[1:])
    parameter = cells.slope_parameter(activation, a, h.shape[2], dtype)
    inputs = {"dy": dy, "dc_last": dc_last, "x": x, "Wx": Wx, "Wh": Wh, "h": h, "c": c, "gates": gates, "a": parameter}
    outputs = {"dx": (dx, x), "dWx": (dWx, Wx), "dWh": (dWh, Wh), "db": (db, b), "dh": (dh, h), "dc": (dc, c)}
    cells.check_outputs(outputs, inputs)
    gradients, weights, work = (dWx, dWh, db), (Wx, Wh, b), loops.workspace(x, parameter.size)
    loops.backward(activation, dx, gradients, dh, dc, dy, dc_last, x, weights, h, c, gates, parameter, work)


def lstm(activation: Activation, initializer: Initializer, hidden: int) -> Layer:
    """The LSTM over x (T, N, F), y (T, N, hidden), from h_0 = c_0 = 0; PReLU learns its slope, one in both its places.

    params Wx, Wh, b, and a where it is learned; saved y, h, c, gates, dx, dh and dc (T + 1, N, hidden), the gradients
    at every step, and da, the float64 sums of a's gradient. To start elsewhere, write saved["h"][0] and
    saved["c"][0] after init. What later steps, or a loss, send back to the last states is part of dy[T - 1] and, for c,
    saved["dc_last"] (N, hidden), 0 unless it is written: kernels/cells.py walks a sequence in pieces so.
    """
    cells.check_hidden(hidden)

    def init(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> State:
        cells.check_shape(shape)
        steps, rows, fan_in = shape
        state = cells.gated(activation, initializer, rng, fan_in, hidden, dtype, "ifgo")
        for name in ("h", "c", "dh", "dc"):
            state.saved[name] = empty((steps + 1, rows, hidden), dtype)
            state.saved[name][0] = 0
        state.saved |= {
            "y": state.saved["h"][1:],
            "dx": empty(shape, dtype),
            "dc_last": np.zeros((rows, hidden), dtype),
        }
        state.saved["gates"] = empty((steps, rows, 4 * hidden), dtype)
        state.workspace |= zip(("Wx", "Wh", "dz"), loops.workspace(state.saved["dx"], hidden), strict=True)
        return state

    def forward(state: State, x: Array) -> Array:
        params, saved = state.params, state.saved
        accept(state, "x", x, saved["dx"])
        h, c, gates, a = (saved[name] for name in ("h", "c", "gates", "a"))
        weights, work = (params["Wx"], params["Wh"], params["b"]), tuple(state.workspace.values())
        loops.forward(activation, h, c, gates, x, weights, a, work)
        return saved["y"]

    def backward(state: State, dy: Array) -> Array:
        params, grads, saved = state.params, state.grads, state.saved
        accept(state, "dy", dy, saved["y"])
        weights, gradients = ((arrays["Wx"], arrays["Wh"], arrays["b"]) for arrays in (params, grads))
        dx, dh, dc, dc_last = (saved[name] for name in ("dx", "dh", "dc", "dc_last"))
        x, h, c, gates, a = (saved[name] for name in ("x", "h", "c", "gates", "a"))
        work = tuple(state.workspace.values())
        loops.backward(activation, dx, gradients, dh, dc, dy, dc_last, x, weights, h, c, gates, a, work)
        if activation.learns:
            loops.slope_gradient(activation.f, activation.df_da)(grads["a"], saved["da"], dh, dc, c, gates, a)
        return dx

    return Layer(init, forward, backward, f"lstm {hidden} {activation.name}")
