"""Layer normalisation over the last axis (Ba, Kiros & Hinton 2016): y = (x - mean) rstd gamma + beta.

rstd = 1 / sqrt(variance + EPSILON), of the biased variance. A row is in L1 between its passes; blocks of rows take each
pass together, so that the last operations of a row's sum, which wait for each other, overlap with the next row's.
"""

from functools import cache
from typing import Any

from kernels import norm_rows
from kernels.intrinsics import fma, load, store
from kernels.jit import kernel
from kernels.layer import Array, Layer
from kernels.moments import row_moments
from kernels.reductions import add
from kernels.rows import block_rows
from kernels.streams import stage


@cache
def _forward() -> Any:
    @kernel(name="layer_norm", sealed=True)
    def loop(y, mean, rstd, x, gamma, beta, a, part, parts):
        rows, width = x.shape
        nears, rests, firsts, seconds = stage(mean), stage(mean), stage(mean), stage(mean)
        step, stop = block_rows(width), (part + 1) * rows // parts
        for start in range(part * rows // parts, stop, step):
            here = slice(start, min(start + step, stop))
            ys, xs, means, rstds = y[here], x[here], mean[here], rstd[here]
            row_moments(nears, rests, rstds, firsts, seconds, xs)
            for n in range(len(xs)):
                means[n] = nears[n] + rests[n]
                out, row, near, scale, offset = ys[n], xs[n], nears[n], rstds[n], -rests[n] * rstds[n]
                for i in range(width):
                    normal = fma(load(row, i) - near, scale, offset)
                    store(out, i, fma(normal, load(gamma, i), load(beta, i)))
        return True

    return loop


@cache
def _backward() -> Any:
    """dgammas and dbetas (parts, F) get the sums over each part's rows.

    A large mean, rounded, is not that of its row: what the row then has left is taken off it, as rest.
    """

    @kernel(name="layer_norm_backward", sealed=True)
    def loop(dx, dgammas, dbetas, dy, x, mean, rstd, gamma, a, part, parts):
        T = x.dtype.type
        rows, width = x.shape
        dgamma, dbeta = dgammas[part], dbetas[part]
        dgamma[:] = 0
        dbeta[:] = 0
        rests, firsts, seconds = stage(dgamma), stage(dgamma), stage(dgamma)
        step, stop = block_rows(width), (part + 1) * rows // parts
        for start in range(part * rows // parts, stop, step):
            here = slice(start, min(start + step, stop))
            dxs, dys, xs, means, rstds = dx[here], dy[here], x[here], mean[here], rstd[here]
            for n in range(len(xs)):
                upstream, row, center, scale = dys[n], xs[n], means[n], rstds[n]
                rest, first, second = T(0), T(0), T(0)
                for i in range(width):
                    slope, normal = load(upstream, i) * load(gamma, i), (load(row, i) - center) * scale
                    rest = add(rest, normal)
                    first = add(first, slope)
                    second = add(second, slope * normal)
                rests[n], firsts[n] = -rest / T(width), -first / T(width)
                seconds[n] = -fma(rests[n], first, second) / T(width)
            for n in range(len(xs)):
                out, upstream, row, center, scale = dxs[n], dys[n], xs[n], means[n], rstds[n]
                rest, first, second = rests[n], firsts[n], seconds[n]
                for i in range(width):
                    normal = fma(load(row, i) - center, scale, rest)
                    slope = fma(load(upstream, i), load(gamma, i), first)
                    store(out, i, scale * fma(normal, second, slope))
                    dgamma[i] += load(upstream, i) * normal
                    dbeta[i] += load(upstream, i)
        return True

    return loop


def layer_norm_forward(y: Array, mean: Array, rstd: Array, x: Array, gamma: Array, beta: Array) -> None:
    """y = (x - mean) rstd gamma + beta: x, y (..., F), F >= 1, mean and rstd (...), written, gamma and beta (F,).

    float32 or float64, C-contiguous. Ba, Kiros & Hinton 2016, eq. 3, with PyTorch's EPSILON, 1e-5. However large the
    mean is beside the deviation, y is that of x within the rounding of a few sums; x may be up to half of the largest
    number. A row with nan or inf is nan.
    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    norm_rows.forward(_forward, y, {"mean": mean, "rstd": rstd}, x, {"gamma": gamma, "beta": beta})


def layer_norm_backward(
    dx: Array, dgamma: Array, dbeta: Array, dy: Array, x: Array, mean: Array, rstd: Array, gamma: Array
) -> None:
    """The gradients of layer_norm_forward's x, gamma and beta, overwritten, given dy (..., F) and what forward wrote.

    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    grads, statistics = {"dgamma": dgamma, "dbeta": dbeta}, {"mean": mean, "rstd": rstd}
    norm_rows.backward(_backward, dx, grads, dy, x, statistics, gamma)


def layer_norm() -> Layer:
    """The layer over x (..., F), F >= 1. params gamma, from 1, and beta, from 0; saved y, mean, rstd, dx."""
    return norm_rows.layer("layer_norm", _forward, _backward, ("mean", "rstd"), {"gamma": 1.0, "beta": 0.0})
