"""What the loops of recurrent layers share: gates that keep their tails, products of many steps, work for threads.

A gate is sigmoid. Kept for backward is its smaller side min(s, 1 - s), with the sign of the pre-activation: from it s,
1 - s and s' = s (1 - s) come without an exponential and without subtracting from 1 what is near it.

Weights are packed once for all steps. Backward makes the pre-activations' gradients of a block of steps and uses them
up for those of the weights while they are in the cache. Several threads share the rows N of each step, and the
columns of the weights' gradients: no sums of several threads have to be added.

What one loop or step stores and another reads is read by plain indexing: `load` is for what is stored, if at all, in
the same place and afterwards.
"""

from collections.abc import Iterator

from kernels import jit, tiles
from kernels.blas import gemm_alone, gemm_packed, pack, room_to_pack
from kernels.intrinsics import copysign, fma
from kernels.jit import kernel, scalar
from kernels.layer import Array, empty
from kernels.rows import share
from kernels.vecmath import over_growth

Work = tuple[Array, ...]  # packed Wx and Wh, then room for blocks of steps

STEPS, WEIGHTS, BOTH = 1.0, 2.0, 3.0  # what a backward loop does
# Rows (steps times batch) that backward does at a time: the pre-activations' gradients stay in L2 until they are used.
BLOCK_ROWS = 256
BLOCKS = 8  # that several threads do between two times that they wait for each other
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
def block_steps(rows):
    """Steps of a block, of that many rows each."""
    return max(1, BLOCK_ROWS // max(1, rows))


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
    gemm_alone(dWx[:, left:right], xs, rows[:, left:right], True, False, True)
    sum_rows(db[left:right], rows, left)
    first, last = share(S * N, tiles.ROWS, part, parts)
    gemm_packed(dxs[first:last], rows[first:last], packed_x, False)


@scalar
def state_gradients(dWh, dz, h, part, parts):
    """What these steps add to dWh, of z = h Wh, given dz (S, N, G), h (S, N, H)."""
    S, N, G = dz.shape
    left, right = share(G, tiles.WIDTH // dz.itemsize, part, parts)
    rows, hs = dz.reshape(S * N, G), h.reshape(S * N, h.shape[2])
    gemm_alone(dWh[:, left:right], hs, rows[:, left:right], True, False, True)


@scalar
def sum_rows(total, rows, first):
    """Add to total the sum of all rows, from column first on."""
    for n in range(rows.shape[0]):
        row = rows[n, first : first + total.size]
        for j in range(total.size):
            total[j] += row[j]


@kernel(name="cell_weights")
def pack_weights(packed_x, packed_h, Wx, Wh, transpose):
    """Both weights, or both transposed, as gemm_packed reads them."""
    pack(packed_x, Wx, transpose)
    pack(packed_h, Wh, transpose)


def workspace(x: Array, hidden: int, gates: int, scratch: int) -> Work:
    """Room for Wx (F, gates * H) and Wh, packed, or for both transposed, and so many times for blocks of backward."""
    steps, rows, features = x.shape
    columns = gates * hidden
    packed = (
        max(room_to_pack(fan_in, columns, x.dtype), room_to_pack(columns, fan_in, x.dtype), key=len)
        for fan_in in (features, hidden)
    )
    shape = min(steps, BLOCKS * block_steps(rows)), rows, columns
    return *packed, *(empty(shape, x.dtype) for _ in range(scratch))


def threads(z: Array, features: int, hidden: int) -> int:
    """How many threads a network of these pre-activations deserves: each has a tile's rows of every step at least."""
    if not tiles.AVAILABLE or z.size * (features + hidden) < SHARED:
        return 1
    return max(1, min(jit.num_threads(), -(-z.shape[1] // tiles.ROWS)))


def phases(steps: int, length: int, threads: int) -> Iterator[tuple[float, slice]]:
    """How backward is called, and for which steps: one thread at once, several for length steps after the others."""
    if threads == 1:
        yield BOTH, slice(0, steps)
        return
    for stop in range(steps, 0, -length):
        for phase in (STEPS, WEIGHTS):
            yield phase, slice(max(0, stop - length), stop)
