"""The loops of the GRU, whose meaning kernels/gru.py tells; time passes inside of them."""

from collections.abc import Callable
from functools import cache
from typing import Any

from kernels import cell_loops as cells
from kernels import tiles
from kernels.blas import gemm_packed
from kernels.cell_loops import Work, closed, folded, gate_slope, opened
from kernels.elementwise import Activation
from kernels.intrinsics import load, store
from kernels.jit import kernel
from kernels.layer import Array
from kernels.passes import shared

Scalar = Callable[..., Any]
Weights = tuple[Array, Array, Array, Array]  # Wx, Wh, b, bh, or their gradients


@cache
def _forward(f: Scalar) -> Any:
    """ps (S, N, 3H) is room for h Wh of one step."""

    @kernel(name=f"{f.__name__}_gru", sealed=True)
    def loop(h, gates, q, ps, x, packed_x, packed_h, b, bh, slope, a, part, parts):
        T, N, H = q.shape
        first, last = cells.share(N, tiles.ROWS, part, parts)
        br, bz, bn = b[:H], b[H : 2 * H], b[2 * H :]
        p = ps[0]
        ahead = cells.input_products(gates, x, packed_x, part, parts)
        for t in range(T):
            if not ahead:
                gemm_packed(gates[t][first:last], x[t][first:last], packed_x, False)
            gemm_packed(p[first:last], h[t][first:last], packed_h, False)
            for n in range(first, last):
                zs, hs, qs, before, after = gates[t, n], p[n], q[t, n], h[t, n], h[t + 1, n]
                zr, zz, zn = zs[:H], zs[H : 2 * H], zs[2 * H :]
                hr, hz, hn = hs[:H], hs[H : 2 * H], hs[2 * H :]
                for j in range(H):
                    r, recurrent = folded(load(zr, j) + load(hr, j) + load(br, j)), load(hn, j) + load(bh, j)
                    store(zr, j, r)
                    store(qs, j, recurrent)
                    store(zn, j, load(zn, j) + load(bn, j) + opened(r) * recurrent)
                for j in range(H):
                    z = folded(load(zz, j) + load(hz, j) + load(bz, j))
                    store(zz, j, z)
                    store(after, j, closed(z) * f(zn[j], load(slope, j)) + opened(z) * before[j])
        return True

    return loop


@cache
def _backward(f: Scalar, df: Scalar) -> Any:
    """dh of the last state holds what comes from later steps; dzx and dzh are the gradients of x Wx and h Wh.

    a: STEPS makes dzx and dzh, WEIGHTS uses them up, or BOTH.
    """

    @kernel(name=f"{df.__name__}_gru_backward", sealed=True)
    def loop(dx, dWx, dWh, db, dbh, dh, dzx, dzh, dy, x, packed_x, packed_h, h, gates, q, slope, a, part, parts):
        T, N, H = q.shape
        first, last = cells.share(N, tiles.ROWS, part, parts)
        block = min(cells.block_steps(N), dzx.shape[0])
        for end in range(T, 0, -block):
            start = max(0, end - block)
            base = start if a == cells.BOTH else 0  # of both: used up, a block makes room for the next one
            for t in range(end - 1, start - 1 if a != cells.WEIGHTS else end - 1, -1):
                for n in range(first, last):
                    zs, qs, dhs, dys = gates[t, n], q[t, n], dh[t + 1, n], dy[t, n]
                    before, d_before, dxs, dps = h[t, n], dh[t, n], dzx[t - base, n], dzh[t - base, n]
                    zr, zz, zn = zs[:H], zs[H : 2 * H], zs[2 * H :]
                    xr, xz, xn = dxs[:H], dxs[H : 2 * H], dxs[2 * H :]
                    hr, hz, hn = dps[:H], dps[H : 2 * H], dps[2 * H :]
                    for j in range(H):
                        z, point, alpha = load(zz, j), load(zn, j), load(slope, j)
                        candidate, d_state = f(point, alpha), dhs[j] + load(dys, j)
                        dz = d_state * (load(before, j) - candidate) * gate_slope(z)
                        store(dhs, j, d_state)
                        store(d_before, j, d_state * opened(z))
                        store(xz, j, dz)
                        store(hz, j, dz)
                        store(xn, j, d_state * closed(z) * df(point, candidate, alpha))
                    for j in range(H):
                        r, d_point = load(zr, j), xn[j]
                        dr = d_point * load(qs, j) * gate_slope(r)
                        store(xr, j, dr)
                        store(hr, j, dr)
                        store(hn, j, d_point * opened(r))
                gemm_packed(dh[t][first:last], dzh[t - base][first:last], packed_h, True)
            if a != cells.STEPS:
                by_x, by_h = dzx[start - base : end - base], dzh[start - base : end - base]
                cells.input_gradients(dx[start:end], dWx, db, by_x, x[start:end], packed_x, part, parts)
                cells.state_gradients(dWh, by_h, h[start:end], part, parts)
                left, right = cells.share(H, 1, part, parts)
                cells.sum_rows(dbh[left:right], by_h.reshape(by_h.shape[0] * N, 3 * H), 2 * H + left)
        return True

    return loop


@cache
def slope_gradient(f: Scalar, df_da: Scalar) -> Any:
    """da, the gradient of the activation's parameter; total (H,) is float64, the running sums."""

    @kernel(name=f"{df_da.__name__}_gru_sum")
    def loop(da, total, dh, gates, a):
        S, N, H = gates.shape[0], gates.shape[1], a.size
        total[:] = 0
        for t in range(S):
            for n in range(N):
                zs, dhs = gates[t, n], dh[t + 1, n]
                zz, zn = zs[H : 2 * H], zs[2 * H :]
                for j in range(H):
                    slope, point = load(a, j), load(zn, j)
                    total[j] += load(dhs, j) * closed(load(zz, j)) * df_da(point, f(point, slope), slope)
        for j in range(H):
            da[j] = total[j]

    return loop


def forward(
    activation: Activation, h: Array, gates: Array, q: Array, x: Array, weights: Weights, a: Array, work: Work
) -> None:
    """Fill the states and what backward needs; a is the activation's parameter, one per unit."""
    (Wx, Wh, b, bh), (*packed, p, _) = weights, work
    cells.pack_weights(*packed, Wx, Wh, False)
    threads = cells.threads(gates, x.shape[2], a.size)
    shared(_forward, (activation.f,), (h, gates, q, p), (x, *packed, b, bh, a), threads=threads)


def backward(
    activation: Activation,
    dx: Array,
    gradients: Weights,
    dh: Array,
    dy: Array,
    x: Array,
    weights: Weights,
    h: Array,
    gates: Array,
    q: Array,
    a: Array,
    work: Work,
) -> None:
    """Fill every gradient, given what enters from outside."""
    (Wx, Wh, _, _), (*packed, dzx, dzh) = weights, work
    cells.pack_weights(*packed, Wx, Wh, True)
    dh[-1] = 0
    for gradient in gradients:
        gradient.fill(0)
    threads = cells.threads(gates, x.shape[2], a.size)
    for phase, now in cells.phases(len(x), len(dzx), threads):
        outputs = dx[now], *gradients, dh[now.start : now.stop + 1], dzx, dzh
        inputs = dy[now], x[now], *packed, h[now], gates[now], q[now], a
        shared(_backward, (activation.f, activation.df), outputs, inputs, phase, threads)


def workspace(x: Array, hidden: int) -> Work:
    """Room for the passes of a network over x (T, N, F)."""
    return cells.workspace(x, hidden, gates=3, scratch=2)
