"""The vanilla recurrent network, unrolled: h_t = f(x_t Wx + h_{t-1} Wh + b).

x (T, N, F), z (T, N, H), h (T + 1, N, H): h[0] is the initial state, h[t] the state after step t.
"""

import numpy as np

from kernels import unrolled
from kernels.checks import check_apart, check_dtype, check_input, check_output
from kernels.elementwise import Activation
from kernels.initializers import Initializer
from kernels.layer import Array, DType, Layer, State, accept, empty, trainable
from kernels.loops import parameter_gradient


def _check_network(dtype: DType, h: Array, z: Array, x: Array, Wx: Array, Wh: Array, b: Array) -> None:
    check_input("z", z, dtype, None, None, None)
    steps, rows, hidden = z.shape
    check_input("h", h, dtype, steps + 1, rows, hidden)
    check_input("x", x, dtype, steps, rows, None)
    check_input("Wx", Wx, dtype, x.shape[2], hidden)
    check_input("Wh", Wh, dtype, hidden, hidden)
    check_input("b", b, dtype, hidden)


def _slope(activation: Activation, a: Array | None, hidden: int, dtype: DType) -> Array:
    """The activation's parameter, one per unit."""
    if not isinstance(activation, Activation):
        raise TypeError(f"activation must be a row of ACTIVATIONS, got {type(activation).__name__}")
    if activation.a is None and a is not None:
        raise ValueError(f"a is given, but {activation.name} takes no parameter")
    if a is None:
        return np.full(hidden, activation.a or 0.0, dtype)
    check_input("a", a, dtype, hidden)
    return a


def rnn_forward(
    h: Array, z: Array, x: Array, Wx: Array, Wh: Array, b: Array, activation: Activation, a: Array | None = None
) -> None:
    """z[t] = x[t] Wx + h[t] Wh + b, h[t + 1] = f(z[t], a), from the initial state that h[0] holds.

    h (T + 1, N, H), z (T, N, H), x (T, N, F), Wx (F, H), Wh (H, H), b and a (H,); float32 or float64,
    C-contiguous. Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("x", x)
    _check_network(dtype, h, z, x, Wx, Wh, b)
    parameter = _slope(activation, a, b.size, dtype)
    inputs = {"x": x, "Wx": Wx, "Wh": Wh, "b": b, "a": parameter}
    check_output("h", h, dtype, *h.shape)
    check_output("z", z, dtype, *z.shape)
    check_apart("h", h, z=z, **inputs)
    check_apart("z", z, **inputs)
    unrolled.forward(activation.f, h, z, x, Wx, Wh, b, parameter, unrolled.workspace(x.shape[2], b.size, dtype))


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

    dh (T + 1, N, H) has the whole gradient at every step, dh[0] at the initial state; dz (T, N, H).
    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("x", x)
    _check_network(dtype, h, z, x, Wx, Wh, b)
    parameter = _slope(activation, a, b.size, dtype)
    inputs = {"dy": dy, "x": x, "Wx": Wx, "Wh": Wh, "h": h, "z": z, "a": parameter}
    check_input("dy", dy, dtype, *z.shape)
    outputs = {"dx": (dx, x), "dWx": (dWx, Wx), "dWh": (dWh, Wh), "db": (db, b), "dh": (dh, h), "dz": (dz, z)}
    for name, (output, like) in outputs.items():
        check_output(name, output, dtype, *like.shape)
        others = {other: array for other, (array, _) in outputs.items() if other != name}
        check_apart(name, output, **others, **inputs)
    arrays, packed = (dx, dWx, dWh, db, dh, dz), unrolled.workspace(x.shape[2], b.size, dtype)
    unrolled.backward(activation.df, arrays, dy, x, Wx, Wh, h, z, parameter, packed)


def rnn(activation: Activation, initializer: Initializer, hidden: int) -> Layer:
    """The recurrent layer over x (T, N, F), y (T, N, hidden), from h_0 = 0; PReLU learns its slope.

    params Wx, Wh, b, and a where it is learned; saved y, h, z, dx, dz, da (the float64 sums of a's
    gradient) and dh (T + 1, N, hidden), the gradient at every step. To start elsewhere, write saved["h"][0] after init.
    What later steps send back to the last state is part of dy[T - 1]: kernels/cells.py walks a sequence in pieces so.
    """
    if hidden < 1:
        raise ValueError(f"hidden must be at least 1, got {hidden}")

    def init(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> State:
        if len(shape) != 3:
            raise ValueError(f"shape must be (steps, rows, features), got {shape}")
        steps, rows, fan_in = shape
        if steps < 1:
            raise ValueError(f"shape must have at least one time step, got {shape}")
        a = np.full(hidden, activation.a or 0.0, dtype)
        state = trainable(
            Wx=initializer.draw(rng, fan_in, hidden, dtype, hidden),
            Wh=initializer.draw(rng, hidden, hidden, dtype, hidden),
            b=initializer.bias(rng, fan_in, hidden, dtype, hidden),
            **({"a": a} if activation.learns else {}),
        )
        h = empty((steps + 1, rows, hidden), dtype)
        h[0] = 0
        state.saved |= {"y": h[1:], "h": h, "dh": empty(h.shape, dtype), "dx": empty(shape, dtype)}
        state.saved |= {name: empty((steps, rows, hidden), dtype) for name in ("z", "dz")}
        state.saved |= {"a": state.params.get("a", a), "da": np.empty(hidden)}
        state.workspace |= zip(("Wx", "Wh"), unrolled.workspace(fan_in, hidden, dtype), strict=True)
        return state

    def packed(state: State) -> tuple[Array, Array]:
        return state.workspace["Wx"], state.workspace["Wh"]

    def forward(state: State, x: Array) -> Array:
        params, saved = state.params, state.saved
        accept(state, "x", x, saved["dx"])
        weights = params["Wx"], params["Wh"], params["b"], saved["a"]
        unrolled.forward(activation.f, saved["h"], saved["z"], x, *weights, packed(state))
        return saved["y"]

    def backward(state: State, dy: Array) -> Array:
        params, grads, saved = state.params, state.grads, state.saved
        accept(state, "dy", dy, saved["y"])
        x, h, z, dh, dz, a = (saved[name] for name in ("x", "h", "z", "dh", "dz", "a"))
        outputs = saved["dx"], grads["Wx"], grads["Wh"], grads["b"], dh, dz
        unrolled.backward(activation.df, outputs, dy, x, params["Wx"], params["Wh"], h, z, a, packed(state))
        if activation.learns:
            rows = (array.reshape(-1, hidden) for array in (dh[1:], z, saved["y"]))
            parameter_gradient(activation.df_da)(grads["a"], saved["da"], *rows, a)
        return saved["dx"]

    return Layer(init, forward, backward, f"rnn {hidden} {activation.name}")
