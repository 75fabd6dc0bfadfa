"""The vanilla recurrent network, unrolled: h_t = f(x_t Wx + h_{t-1} Wh + b) (Elman 1990, Finding structure in time).

x (T, N, F), z (T, N, H), h (T + 1, N, H): h[0] is the initial state, h[t] the state after step t.
"""

import numpy as np

from kernels import cells
from kernels import rnn_loops as loops
from kernels.channels import parameter_gradient
from kernels.checks import check_input, check_outputs
from kernels.elementwise import Activation
from kernels.initializers import Initializer
from kernels.layer import Array, DType, Layer, State, accept, empty


def rnn_forward(
    h: Array, z: Array, x: Array, Wx: Array, Wh: Array, b: Array, activation: Activation, a: Array | None = None
) -> None:
    """z[t] = x[t] Wx + h[t] Wh + b, h[t + 1] = f(z[t], a), from the initial state that h[0] holds.

    h (T + 1, N, H), z (T, N, H), x (T, N, F), Wx (F, H), Wh (H, H), b and a (H,), T at least 1; float32 or float64,
    C-contiguous. Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype, hidden = cells.check_sequence(1, x, h, Wx, Wh, b)
    parameter = cells.slope_parameter(activation, a, hidden, dtype)
    inputs = {"x": x, "Wx": Wx, "Wh": Wh, "b": b, "a": parameter}
    check_outputs(dtype, {"h": (h, h.shape), "z": (z, h[1:].shape)}, inputs)
    loops.forward(activation, h, z, x, (Wx, Wh, b), parameter, loops.workspace(x, hidden))


def rnn_backward(
    dx: Array,
    dWx: Array,
    dWh: Array,
    db: Array,
    dh: Array,
    dz: Array,
    dy: Array,
    x: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    h: Array,
    z: Array,
    activation: Activation,
    a: Array | None = None,
) -> None:
    """Every gradient of rnn_forward, overwritten, given dy (T, N, H), what enters at each h[t + 1] from outside.

    dh (T + 1, N, H) has the whole gradient at every step, dh[0] at the initial state; dz (T, N, H). The values of b,
    which is there to be forward's argument, do not matter.
    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype, hidden = cells.check_sequence(1, x, h, Wx, Wh, b)
    for name, array in (("z", z), ("dy", dy)):
        check_input(name, array, dtype, *h[1:].shape)
    parameter = cells.slope_parameter(activation, a, hidden, dtype)
    inputs = {"dy": dy, "x": x, "Wx": Wx, "Wh": Wh, "h": h, "z": z, "a": parameter}
    outputs = {
        "dx": (dx, x.shape),
        "dWx": (dWx, Wx.shape),
        "dWh": (dWh, Wh.shape),
        "db": (db, b.shape),
        "dh": (dh, h.shape),
        "dz": (dz, z.shape),
    }
    check_outputs(dtype, outputs, inputs)
    gradients, weights, work = (dWx, dWh, db), (Wx, Wh, b), loops.workspace(x, hidden)
    loops.backward(activation, dx, gradients, dh, dz, dy, x, weights, h, z, parameter, work)


def rnn(activation: Activation, initializer: Initializer, hidden: int) -> Layer:
    """The recurrent layer over x (T, N, F), y (T, N, hidden), from h_0 = 0; PReLU learns its slope.

    params Wx, Wh, b, and a where it is learned; saved y, h, z, dx, dz, da (the float64 sums of a's
    gradient) and dh (T + 1, N, hidden), the gradient at every step. To start elsewhere, write saved["h"][0] after init.
    What later steps send back to the last state is part of dy[T - 1]: kernels/cells.py walks a sequence in pieces so.
    """
    cells.check_layer(activation, initializer, hidden)

    def init(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> State:
        state = cells.initial(activation, initializer, rng, shape, hidden, dtype)
        state.saved |= {name: empty((*shape[:2], hidden), dtype) for name in ("z", "dz")}
        state.workspace |= zip(("Wx", "Wh"), loops.workspace(state.saved["dx"], hidden), strict=True)
        return state

    def forward(state: State, x: Array) -> Array:
        saved = state.saved
        accept(state, "x", x, saved["dx"])
        h, z, a = (saved[name] for name in ("h", "z", "a"))
        loops.forward(activation, h, z, x, _weights(state.params), a, tuple(state.workspace.values()))
        return saved["y"]

    def backward(state: State, dy: Array) -> Array:
        saved = state.saved
        accept(state, "dy", dy, saved["y"])
        dx, dh, dz, work = saved["dx"], saved["dh"], saved["dz"], tuple(state.workspace.values())
        x, h, z, a = (saved[name] for name in ("x", "h", "z", "a"))
        gradients, weights = _weights(state.grads), _weights(state.params)
        loops.backward(activation, dx, gradients, dh, dz, dy, x, weights, h, z, a, work)
        if activation.learns:
            rows = (array.reshape(-1, hidden) for array in (dh[1:], z, saved["y"]))
            parameter_gradient(activation.df_da)(state.grads["a"], saved["da"], *rows, a)
        return dx

    return Layer(init, forward, backward, f"rnn {hidden} {activation.name}", activation=activation)


def _weights(arrays: dict[str, Array]) -> loops.Weights:
    return arrays["Wx"], arrays["Wh"], arrays["b"]
