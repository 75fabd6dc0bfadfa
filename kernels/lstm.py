"""The LSTM, unrolled: (i, f, g, o) = x_t Wx + h_{t-1} Wh + b, c_t = s(f) c_{t-1} + s(i) act(g), h_t = s(o) act(c_t).

Hochreiter & Schmidhuber 1997 with the forget gate of Gers, Schmidhuber & Cummins 2000; s is sigmoid, act tanh or any
other activation. x (T, N, F), h and c (T + 1, N, H) with the initial states first, Wx (F, 4H), Wh (H, 4H), b (4H,).

gates (T, N, 4H) is what forward keeps for backward besides h and c, 6 numbers for each unit and step: i, f, o as
kernels/cell_loops.py folds them, and the pre-activation g. Backward computes act(g) and act(c) anew: in long sequences
that takes less time than fetching them from memory would.
"""

import numpy as np

from kernels import cells
from kernels import lstm_loops as loops
from kernels.checks import check_input, check_outputs
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

    h, c (T + 1, N, H), gates (T, N, 4H), x (T, N, F), Wx (F, 4H), Wh (H, 4H), b (4H,), a (H,), T at least 1; float32 or
    float64, C-contiguous. Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype, hidden = cells.check_sequence(4, x, h, Wx, Wh, b)
    check_input("gates", gates, dtype, *x.shape[:2], 4 * hidden)
    parameter = cells.slope_parameter(activation, a, hidden, dtype)
    inputs = {"x": x, "Wx": Wx, "Wh": Wh, "b": b, "a": parameter}
    check_outputs(dtype, {"h": (h, h.shape), "c": (c, h.shape), "gates": (gates, gates.shape)}, inputs)
    loops.forward(activation, h, c, gates, x, (Wx, Wh, b), parameter, loops.workspace(x, hidden))


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
    that at the initial states, which are independent. The values of b, which is there to be forward's argument, do not
    matter.
    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype, hidden = cells.check_sequence(4, x, h, Wx, Wh, b)
    check_input("c", c, dtype, *h.shape)
    check_input("gates", gates, dtype, *x.shape[:2], 4 * hidden)
    check_input("dy", dy, dtype, *h[1:].shape)
    check_input("dc_last", dc_last, dtype, *h.shape[1:])
    parameter = cells.slope_parameter(activation, a, hidden, dtype)
    inputs = {"dy": dy, "dc_last": dc_last, "x": x, "Wx": Wx, "Wh": Wh, "h": h, "c": c, "gates": gates, "a": parameter}
    outputs = {
        "dx": (dx, x.shape),
        "dWx": (dWx, Wx.shape),
        "dWh": (dWh, Wh.shape),
        "db": (db, b.shape),
        "dh": (dh, h.shape),
        "dc": (dc, c.shape),
    }
    check_outputs(dtype, outputs, inputs)
    gradients, weights, work = (dWx, dWh, db), (Wx, Wh, b), loops.workspace(x, hidden)
    loops.backward(activation, dx, gradients, dh, dc, dy, dc_last, x, weights, h, c, gates, parameter, work)


def lstm(activation: Activation, initializer: Initializer, hidden: int) -> Layer:
    """The LSTM over x (T, N, F), y (T, N, hidden), from h_0 = c_0 = 0; PReLU learns its slope, one in both its places.

    params Wx, Wh, b, and a where it is learned; saved y, h, c, gates, dx, dh and dc (T + 1, N, hidden), the gradients
    at every step, and da, the float64 sums of a's gradient. To start elsewhere, write saved["h"][0] and
    saved["c"][0] after init. What later steps, or a loss, send back to the last states is part of dy[T - 1] and, for c,
    saved["dc_last"] (N, hidden), 0 unless it is written: kernels/cells.py walks a sequence in pieces so.
    """
    cells.check_layer(activation, initializer, hidden)

    def init(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> State:
        state = cells.initial(activation, initializer, rng, shape, hidden, dtype, "ifgo")
        saved = state.saved
        saved |= {name: empty(saved["h"].shape, dtype) for name in ("c", "dc")}
        saved["c"][0] = 0
        saved |= {"gates": empty((*shape[:2], 4 * hidden), dtype), "dc_last": np.zeros((shape[1], hidden), dtype)}
        state.workspace |= zip(("Wx", "Wh", "dz"), loops.workspace(saved["dx"], hidden), strict=True)
        return state

    def forward(state: State, x: Array) -> Array:
        saved = state.saved
        accept(state, "x", x, saved["dx"])
        h, c, gates, a = (saved[name] for name in ("h", "c", "gates", "a"))
        loops.forward(activation, h, c, gates, x, _weights(state.params), a, tuple(state.workspace.values()))
        return saved["y"]

    def backward(state: State, dy: Array) -> Array:
        saved = state.saved
        accept(state, "dy", dy, saved["y"])
        dx, dh, dc, dc_last = (saved[name] for name in ("dx", "dh", "dc", "dc_last"))
        x, h, c, gates, a = (saved[name] for name in ("x", "h", "c", "gates", "a"))
        gradients, weights, work = _weights(state.grads), _weights(state.params), tuple(state.workspace.values())
        loops.backward(activation, dx, gradients, dh, dc, dy, dc_last, x, weights, h, c, gates, a, work)
        if activation.learns:
            loops.slope_gradient(activation.f, activation.df_da)(state.grads["a"], saved["da"], dh, dc, c, gates, a)
        return dx

    return Layer(init, forward, backward, f"lstm {hidden} {activation.name}", activation=activation)


def _weights(arrays: dict[str, Array]) -> loops.Weights:
    return arrays["Wx"], arrays["Wh"], arrays["b"]
