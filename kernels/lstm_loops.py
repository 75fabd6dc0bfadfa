"""The loops of the LSTM, whose meaning kernels/lstm.py tells; time passes inside of them."""

from collections.abc import Callable
from functools import cache
from typing import Any

from kernels import cell_loops as cells
from kernels import tiles
from kernels.blas import gemm_packed
from kernels.cell_loops import Work, folded, gate_slope, opened
from kernels.elementwise import Activation
from kernels.intrinsics import load, store
from kernels.jit import kernel
from kernels.layer import Array
from kernels.passes import shared

Scalar = Callable[..., Any]
Weights = tuple[Array, Array, Array]  # Wx, Wh, b, or their gradients


@cache
def _forward(f: Scalar) -> Any:
    @kernel(name=f"{f.__name__}_lstm", sealed=True)
    def loop(h, c, gates, x, packed_x, packed_h, b, slope, a, part, parts):
        T, N, H = x.shape[0], x.shape[1], slope.size
        first, last = cells.share(N, tiles.ROWS, part, parts)
        bi, bf, bg, bo = b[:H], b[H : 2 * H], b[2 * H : 3 * H], b[3 * H :]
        ahead = cells.input_products(gates, x, packed_x, part, parts)
        for t in range(T):
            here = gates[t][first:last]
            if not ahead:
                gemm_packed(here, x[t][first:last], packed_x, False)
            gemm_packed(here, h[t][first:last], packed_h, True)
            for n in range(first, last):
                zs, before, cs, hs = gates[t, n], c[t, n], c[t + 1, n], h[t + 1, n]
                zi, zf, zg, zo = zs[:H], zs[H : 2 * H], zs[2 * H : 3 * H], zs[3 * H :]
                for j in range(H):
                    i, forget = folded(load(zi, j) + load(bi, j)), folded(load(zf, j) + load(bf, j))
                    g = load(zg, j) + load(bg, j)
                    store(zi, j, i)
                    store(zf, j, forget)
                    store(zg, j, g)
                    store(cs, j, opened(forget) * before[j] + opened(i) * f(g, load(slope, j)))
                for j in range(H):
                    o = folded(load(zo, j) + load(bo, j))
                    store(zo, j, o)
                    store(hs, j, opened(o) * f(cs[j], load(slope, j)))
        return True

    return loop


@cache
def _backward(f: Scalar, df: Scalar) -> Any:
    """dh and dc of the last state hold what comes from later steps; a: STEPS makes dz, WEIGHTS uses it up, or BOTH."""

    @kernel(name=f"{df.__name__}_lstm_backward", sealed=True)
    def loop(dx, dWx, dWh, db, dh, dc, dz, dy, x, packed_x, packed_h, h, c, gates, slope, a, part, parts):
        T, N, H = x.shape[0], x.shape[1], slope.size
        first, last = cells.share(N, tiles.ROWS, part, parts)
        block = min(cells.block_steps(N), dz.shape[0])
        for end in range(T, 0, -block):
            start = max(0, end - block)
            base = start if a == cells.BOTH else 0  # of dz: used up, a block makes room for the next
            for t in range(end - 1, start - 1 if a != cells.WEIGHTS else end - 1, -1):
                for n in range(first, last):
                    zs, ds = gates[t, n], dz[t - base, n]
                    zi, zf, zg, zo = zs[:H], zs[H : 2 * H], zs[2 * H : 3 * H], zs[3 * H :]
                    di, d_forget, dg, do = ds[:H], ds[H : 2 * H], ds[2 * H : 3 * H], ds[3 * H :]
                    cs, dcs, dhs, dys = c[t + 1, n], dc[t + 1, n], dh[t + 1, n], dy[t, n]
                    before, d_before = c[t, n], dc[t, n]
                    for j in range(H):
                        o, alpha, cell = load(zo, j), load(slope, j), load(cs, j)
                        y = f(cell, alpha)
                        d_state = dhs[j] + load(dys, j)
                        store(dhs, j, d_state)
                        store(dcs, j, dcs[j] + d_state * opened(o) * df(cell, y, alpha))
                        store(do, j, d_state * y * gate_slope(o))
                    for j in range(H):
                        i, forget, g, alpha = load(zi, j), load(zf, j), load(zg, j), load(slope, j)
                        candidate, d_cell = f(g, alpha), dcs[j]
                        store(d_before, j, d_cell * opened(forget))
                        store(di, j, d_cell * candidate * gate_slope(i))
                        store(d_forget, j, d_cell * load(before, j) * gate_slope(forget))
                        store(dg, j, d_cell * opened(i) * df(g, candidate, alpha))
                gemm_packed(dh[t][first:last], dz[t - base][first:last], packed_h, False)
            if a != cells.STEPS:
                dzs = dz[start - base : end - base]
                cells.input_gradients(dx[start:end], dWx, db, dzs, x[start:end], packed_x, part, parts)
                cells.state_gradients(dWh, dzs, h[start:end], part, parts)
        return True

    return loop


@cache
def slope_gradient(f: Scalar, df_da: Scalar) -> Any:
    """da, the gradient of the activation's parameter over both of its uses; total (H,) is float64, the running sums."""

    @kernel(name=f"{df_da.__name__}_lstm_sum")
    def loop(da, total, dh, dc, c, gates, a):
        S, N, H = gates.shape[0], gates.shape[1], a.size
        total[:] = 0
        for t in range(S):
            for n in range(N):
                zs, cs, dcs, dhs = gates[t, n], c[t + 1, n], dc[t + 1, n], dh[t + 1, n]
                zi, zg, zo = zs[:H], zs[2 * H : 3 * H], zs[3 * H :]
                for j in range(H):
                    slope, g, cell = load(a, j), load(zg, j), load(cs, j)
                    by_candidate = load(dcs, j) * opened(load(zi, j)) * df_da(g, f(g, slope), slope)
                    by_output = load(dhs, j) * opened(load(zo, j)) * df_da(cell, f(cell, slope), slope)
                    total[j] += by_candidate + by_output
        for j in range(H):
            da[j] = total[j]

    return loop


def forward(
    activation: Activation, h: Array, c: Array, gates: Array, x: Array, weights: Weights, a: Array, work: Work
) -> None:
    """Fill the states and what backward needs; a is the activation's parameter, one per unit."""
    (Wx, Wh, b), (*packed, _) = weights, work
    cells.pack_weights(*packed, Wx, Wh, False)
    threads = cells.threads(gates, x.shape[2], a.size)
    shared(_forward, (activation.f,), (h, c, gates), (x, *packed, b, a), threads=threads)


def backward(
    activation: Activation,
    dx: Array,
    gradients: Weights,
    dh: Array,
    dc: Array,
    dy: Array,
    dc_last: Array,
    x: Array,
    weights: Weights,
    h: Array,
    c: Array,
    gates: Array,
    a: Array,
    work: Work,
) -> None:
    """Fill every gradient, given what enters from outside."""
    (Wx, Wh, _), (*packed, dz) = weights, work
    cells.pack_weights(*packed, Wx, Wh, True)
    dh[-1], dc[-1] = 0, dc_last
    for gradient in gradients:
        gradient.fill(0)
    threads = cells.threads(gates, x.shape[2], a.size)
    for phase, now in cells.phases(len(x), len(dz), threads):
        states = slice(now.start, now.stop + 1)
        outputs = dx[now], *gradients, dh[states], dc[states], dz
        inputs = dy[now], x[now], *packed, h[now], c[states], gates[now], a
        shared(_backward, (activation.f, activation.df), outputs, inputs, phase, threads)


def workspace(x: Array, hidden: int) -> Work:
    """Room for the passes of a network over x (T, N, F)."""
    return cells.workspace(x, hidden, gates=4, scratch=1)
