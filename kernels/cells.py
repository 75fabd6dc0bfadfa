"""What gated recurrent cells share: gates that keep their tails, products of many steps, checks, weights.

A gate is sigmoid. Kept for backward is its smaller side min(s, 1 - s), with the sign of the pre-activation: from it s,
1 - s and s' = s (1 - s) come without an exponential and without subtracting from 1 what is near it.

A sequence can be walked in pieces, each with a state of its own or all with one that runs forward again: saved["h"][0]
(of an LSTM saved["c"][0], too) of a piece is what the piece before ended with. Backward, from the last piece to the
first, saved["dh"][0] of a piece is added to dy[-1] of the one before, saved["dc"][0] written to its saved["dc_last"].
Multiplied by one power of two, all gradients before are exactly that multiple. Those of parameters add up over pieces.
"""

from collections.abc import Iterator

import numpy as np

from kernels import jit, tiles
from kernels.blas import gemm_columns, gemm_packed, pack, room_to_pack
from kernels.checks import check_apart, check_input, check_output
from kernels.elementwise import Activation
from kernels.initializers import Initializer
from kernels.intrinsics import copysign, fma, load, store
from kernels.jit import kernel, scalar
from kernels.layer import Array, DType, State, empty, trainable
from kernels.vecmath import over_growth

STEPS, WEIGHTS, BOTH = 1.0, 2.0, 3.0  # what a backward loop does
# Rows (steps times batch) that backward does at a time: the pre-activations' gradients stay in L2 until they are used.
BLOCK_ROWS = 256
SHARED = 2**21  # multiply-adds of a network that is worth a second thread


@scalar
def folded(x):
    """The smaller of sigmoid(x) and 1 - sigmoid(x), with the sign of x."""
    return copysign(over_growth(type(x)(1), abs(x)), x)


@scalar
def opened(v):
    """sigmoid(x) of v = folded(x); -0.0 is a gate that is shut."""
    T = type(v)
    return abs(v) if copysign(T(1), v) < 0 else T(1) - abs(v)


@scalar
def closed(v):
    """1 - sigmoid(x) of v = folded(x)."""
    return opened(-v)


@scalar
def gate_slope(v):
    """sigmoid'(x) of v = folded(x)."""
    w = abs(v)
    return fma(-w, w, w)


@scalar
def share(n, unit, part, parts):
    """First and last of n that are this part's, in whole units."""
    units = -(-n // unit)
    return min(n, units * part // parts * unit), min(n, units * (part + 1) // parts * unit)


@scalar
def input_products(z, x, packed_x, part, parts):
    """In one thread, z (T, N, G) = x (T, N, F) Wx of all steps where that makes fuller tiles; whether it was done."""
    T, N, G = z.shape
    ahead = parts == 1 and N % tiles.ROWS != 0
    if ahead:
        gemm_packed(z.reshape(T * N, G), x.reshape(T * N, x.shape[2]), packed_x, False)
    return ahead


@scalar
def input_gradients(dx, dWx, db, dz, x, packed_x, part, parts):
    """dx, and what these steps add to dWx and db, of z = x Wx + b, given dz (S, N, G); packed_x is Wx', packed."""
    S, N, G = dz.shape
    rows, xs, dxs = dz.reshape(S * N, G), x.reshape(S * N, x.shape[2]), dx.reshape(S * N, x.shape[2])
    left, right = share(G, tiles.WIDTH // dz.itemsize, part, parts)
    gemm_columns(dWx, xs, rows, True, False, True, left, right)
    sum_rows(db[left:right], rows, left)
    first, last = share(S * N, tiles.ROWS, part, parts)
    gemm_packed(dxs[first:last], rows[first:last], packed_x, False)


@scalar
def state_gradients(dWh, dz, h, part, parts):
    """What these steps add to dWh, of z = h Wh, given dz (S, N, G), h (S, N, H)."""
    S, N, G = dz.shape
    left, right = share(G, tiles.WIDTH // dz.itemsize, part, parts)
    gemm_columns(dWh, h.reshape(S * N, h.shape[2]), dz.reshape(S * N, G), True, False, True, left, right)


@scalar
def sum_rows(total, rows, first):
    """Add to total the sum of all rows, from column first on."""
    for n in range(rows.shape[0]):
        row = rows[n, first : first + total.size]
        for j in range(total.size):
            store(total, j, load(total, j) + load(row, j))


@kernel(name="cell_weights")
def pack_weights(packed_x, packed_h, Wx, Wh, transpose):
    """Both weights, or both transposed, as gemm_packed reads them."""
    pack(packed_x, Wx, transpose)
    pack(packed_h, Wh, transpose)


def workspace(x: Array, hidden: int, gates: int, scratch: int) -> tuple[Array, ...]:
    """Room for Wx (F, gates * H) and Wh, packed, or for both transposed, and so many times for a block of backward."""
    steps, rows, features = x.shape
    columns = gates * hidden
    packed = (
        max(room_to_pack(fan_in, columns, x.dtype), room_to_pack(columns, fan_in, x.dtype), key=len)
        for fan_in in (features, hidden)
    )
    length = min(steps, max(1, BLOCK_ROWS // max(1, rows)))
    return *packed, *(empty((length, rows, columns), x.dtype) for _ in range(scratch))


def threads(gates: Array, features: int, hidden: int) -> int:
    """How many threads a network deserves: each has a tile's rows of every step at least."""
    if not tiles.AVAILABLE or gates.size * (features + hidden) < SHARED:
        return 1
    return max(1, min(jit.num_threads(), -(-gates.shape[1] // tiles.ROWS)))


def phases(steps: int, length: int, threads: int) -> Iterator[tuple[float, slice]]:
    """How backward is called, and for which steps: one thread at once, several for one block after the other."""
    if threads == 1:
        yield BOTH, slice(0, steps)
        return
    for stop in range(steps, 0, -length):
        for phase in (STEPS, WEIGHTS):
            yield phase, slice(max(0, stop - length), stop)


def check_sequence(dtype: DType, x: Array, h: Array, gates: Array, Wx: Array, Wh: Array, b: Array, n: int) -> None:
    """What the networks of n gates a unit have in common; ValueError, too, unless there is a time step."""
    check_input("x", x, dtype, None, None, None)
    steps, rows, features = x.shape
    if steps < 1:
        raise ValueError(f"x must have at least one time step, got {x.shape}")
    check_input("h", h, dtype, steps + 1, rows, None)
    hidden = h.shape[2]
    check_input("gates", gates, dtype, steps, rows, n * hidden)
    check_input("Wx", Wx, dtype, features, n * hidden)
    check_input("Wh", Wh, dtype, hidden, n * hidden)
    check_input("b", b, dtype, n * hidden)


def check_outputs(outputs: dict[str, tuple[Array, Array]], inputs: dict[str, Array]) -> None:
    """Raise unless every output, given beside the array it is shaped like, can be written and is apart from all."""
    for name, (output, like) in outputs.items():
        check_output(name, output, like.dtype, *like.shape)
        others = {other: array for other, (array, _) in outputs.items() if other != name}
        check_apart(name, output, **others, **inputs)


def slope_parameter(activation: Activation, a: Array | None, hidden: int, dtype: DType) -> Array:
    """The activation's parameter, one per unit."""
    if not isinstance(activation, Activation):
        raise TypeError(f"activation must be a row of ACTIVATIONS, got {type(activation).__name__}")
    if activation.a is None and a is not None:
        raise ValueError(f"a is given, but {activation.name} takes no parameter")
    if a is None:
        return np.full(hidden, activation.a or 0.0, dtype)
    check_input("a", a, dtype, hidden)
    return a


def check_hidden(hidden: int) -> None:
    """ValueError unless there is a unit."""
    if hidden < 1:
        raise ValueError(f"hidden must be at least 1, got {hidden}")


def check_shape(shape: tuple[int, ...]) -> None:
    """ValueError unless shape is (steps, rows, features) with a step."""
    if len(shape) != 3:
        raise ValueError(f"shape must be (steps, rows, features), got {shape}")
    if shape[0] < 1:
        raise ValueError(f"shape must have at least one time step, got {shape}")


def gated(
    activation: Activation,
    initializer: Initializer,
    rng: np.random.Generator,
    fan_in: int,
    hidden: int,
    dtype: DType,
    gates: str,
    apart: bool = False,
) -> State:
    """The parameters Wx, Wh, b, and the slope a where it is learned; saved a, da.

    Each gate's columns are drawn as a matrix of their own. apart: bh, too, the last gate's own bias of h Wh.
    """

    def weights(rows: int) -> Array:
        return np.hstack([initializer.draw(rng, rows, hidden, dtype, hidden) for _ in gates])

    Wx, Wh, b = weights(fan_in), weights(hidden), initializer.bias(rng, fan_in, len(gates) * hidden, dtype, hidden)
    if initializer.gates is not None:
        initializer.gates(rng, dict(zip(gates, np.split(b, len(gates)), strict=True)))
    more = {"bh": initializer.bias(rng, fan_in, hidden, dtype, hidden)} if apart else {}
    a = np.full(hidden, activation.a or 0.0, dtype)
    state = trainable(Wx=Wx, Wh=Wh, b=b, **more, **({"a": a} if activation.learns else {}))
    state.saved |= {"a": state.params.get("a", a), "da": np.empty(hidden)}
    return state
