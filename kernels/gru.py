"""The GRU, unrolled: r, z = s(x_t Wx + h_{t-1} Wh + b), q = h_{t-1} Wh + bh, n = act(x_t Wx + b + r q),
h_t = (1 - z) n + z h_{t-1}, each with its own columns of Wx, Wh and b.

Cho et al. 2014, the reset gate applied after the product as cuDNN and PyTorch do; s is sigmoid, act tanh or any other
activation. x (T, N, F), h (T + 1, N, H) with the initial state first, Wx (F, 3H), Wh (H, 3H), b (3H,), bh (H,).

gates (T, N, 3H) and q (T, N, H) are what forward keeps for backward besides h, 4 numbers for each unit and step: r, z
as kernels/cell_loops.py folds them, and what n is the activation of. Backward computes n anew.
"""

import numpy as np

from kernels import cells
from kernels import gru_loops as loops
from kernels.checks import check_input, check_outputs
from kernels.elementwise import Activation
from kernels.initializers import Initializer
from kernels.layer import Array, DType, Layer, State, accept, empty


def gru_forward(
    h: Array,
    gates: Array,
    q: Array,
    x: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    bh: Array,
    activation: Activation,
    a: Array | None = None,
) -> None:
    """Every h[t + 1], gates[t] and q[t], from the initial state that h[0] holds.

    h (T + 1, N, H), gates (T, N, 3H), q (T, N, H), x (T, N, F), Wx (F, 3H), Wh (H, 3H), b (3H,), bh and a (H,), T at
    least 1; float32 or float64, C-contiguous. Raises TypeError or ValueError, naming the argument, before anything is
    written.
    """
    dtype, hidden = cells.check_sequence(3, x, h, Wx, Wh, b)
    check_input("bh", bh, dtype, hidden)
    check_input("gates", gates, dtype, *x.shape[:2], 3 * hidden)
    parameter = cells.slope_parameter(activation, a, hidden, dtype)
    inputs = {"x": x, "Wx": Wx, "Wh": Wh, "b": b, "bh": bh, "a": parameter}
    outputs = {"h": (h, h.shape), "gates": (gates, gates.shape), "q": (q, h[1:].shape)}
    check_outputs(dtype, outputs, inputs)
    loops.forward(activation, h, gates, q, x, (Wx, Wh, b, bh), parameter, loops.workspace(x, hidden))


def gru_backward(
    dx: Array,
    dWx: Array,
    dWh: Array,
    db: Array,
    dbh: Array,
    dh: Array,
    dy: Array,
    x: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    bh: Array,
    h: Array,
    gates: Array,
    q: Array,
    activation: Activation,
    a: Array | None = None,
) -> None:
    """Every gradient of gru_forward, overwritten, given dy (T, N, H), what enters at each h[t + 1] from outside.

    dh (T + 1, N, H) has the whole gradient at every step, dh[0] at the initial state. The values of b and bh, which are
    there to be forward's arguments, do not matter.
    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype, hidden = cells.check_sequence(3, x, h, Wx, Wh, b)
    check_input("bh", bh, dtype, hidden)
    check_input("gates", gates, dtype, *x.shape[:2], 3 * hidden)
    for name, array in (("q", q), ("dy", dy)):
        check_input(name, array, dtype, *h[1:].shape)
    parameter = cells.slope_parameter(activation, a, hidden, dtype)
    inputs = {"dy": dy, "x": x, "Wx": Wx, "Wh": Wh, "h": h, "gates": gates, "q": q, "a": parameter}
    outputs = {
        "dx": (dx, x.shape),
        "dWx": (dWx, Wx.shape),
        "dWh": (dWh, Wh.shape),
        "db": (db, b.shape),
        "dbh": (dbh, bh.shape),
        "dh": (dh, h.shape),
    }
    check_outputs(dtype, outputs, inputs)
    gradients, weights, work = (dWx, dWh, db, dbh), (Wx, Wh, b, bh), loops.workspace(x, hidden)
    loops.backward(activation, dx, gradients, dh, dy, x, weights, h, gates, q, parameter, work)


def gru(activation: Activation, initializer: Initializer, hidden: int) -> Layer:
    """The GRU over x (T, N, F), y (T, N, hidden), from h_0 = 0; PReLU learns its slope.

    params Wx, Wh, b, bh, and a where it is learned; saved y, h, gates, q, dx, dh (T + 1, N, hidden), the gradient at
    every step, and da, the float64 sums of a's gradient. To start elsewhere, write saved["h"][0] after init.
    What later steps send back to the last state is part of dy[T - 1]: kernels/cells.py walks a sequence in pieces so.
    """
    cells.check_layer(activation, initializer, hidden)

    def init(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> State:
        state = cells.initial(activation, initializer, rng, shape, hidden, dtype, "rzn", apart=True)
        sizes = {"gates": 3 * hidden, "q": hidden}
        state.saved |= {name: empty((*shape[:2], size), dtype) for name, size in sizes.items()}
        state.workspace |= zip(("Wx", "Wh", "dzx", "dzh"), loops.workspace(state.saved["dx"], hidden), strict=True)
        return state

    def forward(state: State, x: Array) -> Array:
        saved = state.saved
        accept(state, "x", x, saved["dx"])
        h, gates, q, a = (saved[name] for name in ("h", "gates", "q", "a"))
        loops.forward(activation, h, gates, q, x, _weights(state.params), a, tuple(state.workspace.values()))
        return saved["y"]

    def backward(state: State, dy: Array) -> Array:
        saved = state.saved
        accept(state, "dy", dy, saved["y"])
        dx, dh, work = saved["dx"], saved["dh"], tuple(state.workspace.values())
        x, h, gates, q, a = (saved[name] for name in ("x", "h", "gates", "q", "a"))
        gradients, weights = _weights(state.grads), _weights(state.params)
        loops.backward(activation, dx, gradients, dh, dy, x, weights, h, gates, q, a, work)
        if activation.learns:
            loops.slope_gradient(activation.f, activation.df_da)(state.grads["a"], saved["da"], dh, gates, a)
        return dx

    return Layer(init, forward, backward, f"gru {hidden} {activation.name}", activation=activation)


def _weights(arrays: dict[str, Array]) -> loops.Weights:
    return arrays["Wx"], arrays["Wh"], arrays["b"], arrays["bh"]
