"""The loops of the vanilla recurrent network, whose meaning kernels/rnn.py tells; time passes inside of them."""

from collections.abc import Callable
from functools import cache
from typing import Any

from kernels import cell_loops as cells
from kernels import tiles
from kernels.blas import gemm_packed
from kernels.elementwise import Activation
from kernels.intrinsics import load, store
from kernels.jit import kernel
from kernels.layer import Array
from kernels.passes import shared

Scalar = Callable[..., Any]
Weights = tuple[Array, Array, Array]  # Wx, Wh, b, or their gradients


@cache
def _forward(f: Scalar) -> Any:
    @kernel(name=f"{f.__name__}_rnn", sealed=True)
    def loop(h, z, x, packed_x, packed_h, b, slope, a, part, parts):
        T, N, H = z.shape
        first, last = cells.share(N, tiles.ROWS, part, parts)
        ahead = cells.input_products(z, x, packed_x, part, parts)
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
    """dh of the last state holds what comes from later steps; a: STEPS makes dz, WEIGHTS uses it up, or BOTH."""

    @kernel(name=f"{df.__name__}_rnn_backward", sealed=True)
    def loop(dx, dWx, dWh, db, dh, dz, dy, x, packed_x, packed_h, h, z, slope, a, part, parts):
        T, N, H = z.shape
        first, last = cells.share(N, tiles.ROWS, part, parts)
        block = cells.block_steps(N)
        for end in range(T, 0, -block):
            start = max(0, end - block)
            for t in range(end - 1, start - 1 if a != cells.WEIGHTS else end - 1, -1):
                for n in range(first, last):
                    dzs, dhs, dys, zs, hs = dz[t, n], dh[t + 1, n], dy[t, n], z[t, n], h[t + 1, n]
                    for j in range(H):
                        total = dhs[j] + load(dys, j)
                        store(dhs, j, total)
                        store(dzs, j, total * df(load(zs, j), load(hs, j), load(slope, j)))
                gemm_packed(dh[t][first:last], dz[t][first:last], packed_h, False)
            if a != cells.STEPS:
                cells.input_gradients(dx[start:end], dWx, db, dz[start:end], x[start:end], packed_x, part, parts)
                cells.state_gradients(dWh, dz[start:end], h[start:end], part, parts)
        return True

    return loop


def forward(activation: Activation, h: Array, z: Array, x: Array, weights: Weights, a: Array, work: cells.Work) -> None:
    """Fill h and z; a is the activation's parameter, one per unit."""
    Wx, Wh, b = weights
    cells.pack_weights(*work, Wx, Wh, False)
    threads = cells.threads(z, x.shape[2], a.size)
    shared(_forward, (activation.f,), (h, z), (x, *work, b, a), threads=threads)


def backward(
    activation: Activation,
    dx: Array,
    gradients: Weights,
    dh: Array,
    dz: Array,
    dy: Array,
    x: Array,
    weights: Weights,
    h: Array,
    z: Array,
    a: Array,
    work: cells.Work,
) -> None:
    """Fill every gradient, given what enters from outside."""
    Wx, Wh, _ = weights
    cells.pack_weights(*work, Wx, Wh, True)
    dh[-1] = 0
    for gradient in gradients:
        gradient.fill(0)
    threads = cells.threads(z, x.shape[2], a.size)
    for phase, _ in cells.phases(len(x), len(x), threads):  # dz has room for all steps
        shared(_backward, (activation.df,), (dx, *gradients, dh, dz), (dy, x, *work, h, z, a), phase, threads)


def workspace(x: Array, hidden: int) -> cells.Work:
    """Room for the passes of a network over x (T, N, F)."""
    return cells.workspace(x, hidden, gates=1, scratch=0)
