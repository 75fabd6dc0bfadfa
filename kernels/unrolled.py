"""The loops of the vanilla recurrent network, whose meaning kernels/recurrent.py tells; time passes inside of them.

Weights are packed once for all steps. Of one thread, the weights' gradients take up some steps at a time, as long as
these are in the cache. Several threads share the rows N of each step first, and then, for the weights' gradients,
which are sums over T * N rows, the columns H: no sums of several threads have to be added.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from kernels import jit, passes, tiles
from kernels.blas import gemm_columns, gemm_packed, pack, room_to_pack
from kernels.intrinsics import load, store
from kernels.jit import kernel, scalar
from kernels.layer import Array, DType, empty

Scalar = Callable[..., Any]

STEPS, WEIGHTS, BOTH = 1.0, 2.0, 3.0  # what a backward loop does
CACHED = 2**17  # bytes of an array's time steps that stay in L2 until the weights' gradients take them up
SHARED = 2**21  # multiply-adds of a network that is worth a second thread


@kernel()
def _pack_weights(packed_x, packed_h, Wx, Wh, transpose):
    pack(packed_x, Wx, transpose)
    pack(packed_h, Wh, transpose)


@scalar
def _share(n, unit, part, parts):
    """First and last of n that are this part's, in whole units."""
    units = -(-n // unit)
    return min(n, units * part // parts * unit), min(n, units * (part + 1) // parts * unit)


@cache
def _forward(f: Scalar) -> Any:
    @kernel(name=f"{f.__name__}_rnn", sealed=True)
    def loop(h, z, x, packed_x, packed_h, b, slope, a, part, parts):
        T, N, H = z.shape
        first, last = _share(N, tiles.ROWS, part, parts)
        ahead = parts == 1 and N % tiles.ROWS != 0  # all rows at once make fuller tiles
        if ahead:
            gemm_packed(z.reshape(T * N, H), x.reshape(T * N, x.shape[2]), packed_x, False)
        for t in range(T):
            here = z[t][first:last]
            if not ahead:
                gemm_packed(here, x[t][first:last], packed_x, False)
            gemm_packed(here, h[t][first:last], packed_h, True)
            for n in range(first, last):
                zs, hs = z[t, n], h[t + 1, n]
                for j in range(H):
                    point = load(zs, j) + load(b, j)
                    store(zs, j, point)
                    store(hs, j, f(point, load(slope, j)))
        return True

    return loop


@cache
def _backward(df: Scalar) -> Any:
    @kernel(name=f"{df.__name__}_rnn_backward", sealed=True)
    def loop(dx, dWx, dWh, db, dh, dz, dy, x, packed_x, packed_h, h, z, slope, a, part, parts):
        T, N, F = x.shape
        H = z.shape[2]
        first, last = _share(N, tiles.ROWS, part, parts)
        left, right = _share(H, tiles.WIDTH // z.itemsize, part, parts)
        chunk = max(1, CACHED // max(1, N * max(F, H) * z.itemsize))
        if a != WEIGHTS:
            dh[T][first:last] = 0
        if a != STEPS:
            db[left:right] = 0
        for end in range(T, 0, -chunk):
            start = max(0, end - chunk)
            if a != WEIGHTS:
                for t in range(end, start, -1):
                    for n in range(first, last):
                        dzs, dhs, dys, zs, hs = dz[t - 1, n], dh[t, n], dy[t - 1, n], z[t - 1, n], h[t, n]
                        for j in range(H):
                            total = load(dhs, j) + load(dys, j)
                            store(dhs, j, total)
                            store(dzs, j, total * df(load(zs, j), load(hs, j), load(slope, j)))
                    gemm_packed(dh[t - 1][first:last], dz[t - 1][first:last], packed_h, False)
            if a != STEPS:
                rows = (end - start) * N
                dzs, xs = dz[start:end].reshape(rows, H), x[start:end].reshape(rows, F)
                gemm_columns(dWh, h[start:end].reshape(rows, H), dzs, True, False, end < T, left, right)
                gemm_columns(dWx, xs, dzs, True, False, end < T, left, right)
                for n in range(rows):
                    sums, row = db[left:right], dzs[n][left:right]
                    for j in range(right - left):
                        store(sums, j, load(sums, j) + load(row, j))
                top, bottom = _share(rows, tiles.ROWS, part, parts)
                gemm_packed(dx[start:end].reshape(rows, F)[top:bottom], dzs[top:bottom], packed_x, False)
        if T == 0 and a != STEPS:
            dWx[:, left:right] = 0
            dWh[:, left:right] = 0
        return True

    return loop


def _threads(z: Array, features: int) -> int:
    """How many threads a network of these pre-activations deserves: each has a tile's rows of every step at least."""
    _, rows, hidden = z.shape
    if not tiles.AVAILABLE or z.size * (features + hidden) < SHARED:
        return 1
    return max(1, min(jit.num_threads(), -(-rows // tiles.ROWS)))


def forward(
    f: Scalar, h: Array, z: Array, x: Array, Wx: Array, Wh: Array, b: Array, a: Array, packed: tuple[Array, Array]
) -> None:
    """Fill h and z; a is the activation's parameter, one per unit, and packed a workspace."""
    _pack_weights(*packed, Wx, Wh, False)
    passes.shared(_forward, (f,), (h, z), (x, *packed, b, a), threads=_threads(z, x.shape[2]))


def backward(
    df: Scalar,
    outputs: tuple[Array, ...],
    dy: Array,
    x: Array,
    Wx: Array,
    Wh: Array,
    h: Array,
    z: Array,
    a: Array,
    packed: tuple[Array, Array],
) -> None:
    """Fill the outputs dx, dWx, dWh, db, dh and dz."""
    _pack_weights(*packed, Wx, Wh, True)
    threads = _threads(z, x.shape[2])
    for phase in (BOTH,) if threads == 1 else (STEPS, WEIGHTS):
        passes.shared(_backward, (df,), outputs, (dy, x, *packed, h, z, a), phase, threads)


def workspace(features: int, hidden: int, dtype: DType) -> tuple[Array, Array]:
    """Room for Wx (features, hidden) and Wh, packed, or for both transposed."""
    sizes = [room_to_pack(*shape, dtype).size for shape in ((features, hidden), (hidden, features))]
    return empty((max(sizes),), dtype), room_to_pack(hidden, hidden, dtype)
