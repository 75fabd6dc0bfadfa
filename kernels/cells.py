"""What recurrent layers share: the states they start with, and what they refuse.

A sequence can be walked in pieces, each with a state of its own or all with one that runs forward again: saved["h"][0]
(of an LSTM saved["c"][0], too) of a piece is what the piece before ended with. Backward, from the last piece to the
first, saved["dh"][0] of a piece is added to dy[-1] of the one before, saved["dc"][0] written to its saved["dc_last"].
Multiplied by one power of two, all gradients before are exactly that multiple. Those of parameters add up over pieces.
"""

import numpy as np

from kernels.checks import check_dtype, check_input, check_row, check_sequence_shape, check_size
from kernels.elementwise import Activation
from kernels.initializers import Initializer
from kernels.layer import Array, DType, State, empty, trainable

# What one step hands to the next, in saved; only an LSTM has a c.
CARRIED = ("h", "c")


def check_sequence(gates: int, x: Array, h: Array, Wx: Array, Wh: Array, b: Array) -> tuple[DType, int]:
    """The dtype and the hidden size of a network of so many gates a unit, with at least one time step.

    Raises TypeError or ValueError, naming the argument, unless x is (T, N, F), h (T + 1, N, H), Wx (F, gates * H),
    Wh (H, gates * H), b (gates * H,). N may be 0: there are no examples, and the weights' gradients are 0.
    """
    dtype = check_dtype("x", x)
    check_input("x", x, dtype, None, None, None)
    steps, rows, features = x.shape
    if steps < 1:
        raise ValueError(f"x must have at least one time step, got {x.shape}")
    check_input("h", h, dtype, steps + 1, rows, None)
    hidden = h.shape[2]
    check_input("Wx", Wx, dtype, features, gates * hidden)
    check_input("Wh", Wh, dtype, hidden, gates * hidden)
    check_input("b", b, dtype, gates * hidden)
    return dtype, hidden


def slope_parameter(activation: Activation, a: Array | None, hidden: int, dtype: DType) -> Array:
    """The activation's parameter, one per unit."""
    check_row("activation", activation, Activation)
    if activation.a is None and a is not None:
        raise ValueError(f"a is given, but {activation.name} takes no parameter")
    if a is None:
        return np.full(hidden, activation.a or 0.0, dtype)
    check_input("a", a, dtype, hidden)
    return a


def check_layer(activation: Activation, initializer: Initializer, hidden: int) -> None:
    """Raise TypeError or ValueError, naming the argument, unless a layer can be made of them."""
    check_row("activation", activation, Activation)
    check_row("initializer", initializer, Initializer)
    check_size("hidden", hidden)


def initial(
    activation: Activation,
    initializer: Initializer,
    rng: np.random.Generator,
    shape: tuple[int, ...],
    hidden: int,
    dtype: DType,
    gates: str = "",
    apart: bool = False,
) -> State:
    """The parameters Wx, Wh, b, and the slope a where it is learned; saved h, from 0 on, y, dh, dx, a, da.

    Each gate's columns are drawn as a matrix of their own. apart: bh, too, the last gate's own bias of h Wh.
    """
    check_sequence_shape(shape)
    steps, rows, fan_in = shape
    h, dh, dx = empty((steps + 1, rows, hidden), dtype), empty((steps + 1, rows, hidden), dtype), empty(shape, dtype)
    h[0] = 0
    count = max(1, len(gates))

    def weights(rows: int) -> Array:
        return np.hstack([initializer.draw(rng, rows, hidden, dtype, hidden) for _ in range(count)])

    Wx, Wh, b = weights(fan_in), weights(hidden), initializer.bias(rng, fan_in, count * hidden, dtype, hidden)
    if gates and initializer.gates is not None:
        initializer.gates(rng, dict(zip(gates, np.split(b, count), strict=True)), steps)
    more = {"bh": initializer.bias(rng, fan_in, hidden, dtype, hidden)} if apart else {}
    a = slope_parameter(activation, None, hidden, dtype)
    state = trainable(Wx=Wx, Wh=Wh, b=b, **more, **({"a": a} if activation.learns else {}))
    state.saved |= {"h": h, "y": h[1:], "dh": dh, "dx": dx, "a": state.params.get("a", a), "da": np.empty(hidden)}
    return state
