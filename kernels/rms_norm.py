"""Root-mean-square normalisation over the last axis (Zhang & Sennrich 2019): y = x rstd gamma, forward and backward.

rstd = 1 / sqrt(mean(x^2) + EPSILON). Blocks of rows take each pass together, as in layer_norm.py.
"""

from functools import cache
from typing import Any

from kernels import norm_rows
from kernels.intrinsics import fma, load, store
from kernels.jit import kernel
from kernels.layer import Array, Layer
from kernels.moments import row_roots
from kernels.reductions import add
from kernels.rows import block_rows
from kernels.streams import stage


@cache
def _forward() -> Any:
    @kernel(name="rms_norm", sealed=True)
    def loop(y, rstd, x, gamma, a, part, parts):
        rows, width = x.shape
        squares, step, stop = stage(rstd), block_rows(width), (part + 1) * rows // parts
        for start in range(part * rows // parts, stop, step):
            here = slice(start, min(start + step, stop))
            ys, xs, rstds = y[here], x[here], rstd[here]
            row_roots(rstds, squares, xs)
            for n in range(len(xs)):
                out, row, scale = ys[n], xs[n], rstds[n]
                for i in range(width):
                    store(out, i, load(row, i) * scale * load(gamma, i))
        return True

    return loop


@cache
def _backward() -> Any:
    """dgammas (parts, F) gets the sums over each part's rows."""

    @kernel(name="rms_norm_backward", sealed=True)
    def loop(dx, dgammas, dy, x, rstd, gamma, a, part, parts):
        T = x.dtype.type
        rows, width = x.shape
        dgamma = dgammas[part]
        dgamma[:] = 0
        products, step, stop = stage(dgamma), block_rows(width), (part + 1) * rows // parts
        for start in range(part * rows // parts, stop, step):
            here = slice(start, min(start + step, stop))
            dxs, dys, xs, rstds = dx[here], dy[here], x[here], rstd[here]
            for n in range(len(xs)):
                upstream, row, scale, product = dys[n], xs[n], rstds[n], T(0)
                for i in range(width):
                    product = add(product, load(upstream, i) * load(gamma, i) * (load(row, i) * scale))
                products[n] = -product / T(width)
            for n in range(len(xs)):
                out, upstream, row, scale, product = dxs[n], dys[n], xs[n], rstds[n], products[n]
                for i in range(width):
                    slope, normal = load(upstream, i) * load(gamma, i), load(row, i) * scale
                    store(out, i, scale * fma(normal, product, slope))
                    dgamma[i] += load(upstream, i) * normal
        return True

    return loop


def rms_norm_forward(y: Array, rstd: Array, x: Array, gamma: Array) -> None:
    """y = x rstd gamma: x, y (..., F), F >= 1, rstd (...), which is written, gamma (F,).

    float32 or float64, C-contiguous. Zhang & Sennrich 2019, eq. 4, with EPSILON, 1e-5, added to the mean square. x may
    be of any size.
    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    norm_rows.forward(_forward, y, {"rstd": rstd}, x, {"gamma": gamma})


def rms_norm_backward(dx: Array, dgamma: Array, dy: Array, x: Array, rstd: Array, gamma: Array) -> None:
    """The gradients of rms_norm_forward's x and gamma, overwritten, given dy (..., F) and the rstd that forward wrote.

    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    norm_rows.backward(_backward, dx, {"dgamma": dgamma}, dy, x, {"rstd": rstd}, gamma)


def rms_norm() -> Layer:
    """The layer over x (..., F), F >= 1. params gamma, from 1; saved y, rstd, dx."""
    return norm_rows.layer("rms_norm", _forward, _backward, ("rstd",), {"gamma": 1.0})
