"""Layer normalisation over the last axis (Ba, Kiros & Hinton 2016): y = (x - mean) rstd gamma + beta.

rstd = 1 / sqrt(variance + EPSILON), of the biased variance. A row is in L1 between its passes; blocks of rows take each
pass together, so that the last operations of a row's sum, which wait for each other, overlap with the next row's.
"""

from functools import cache
from typing import Any

import numpy as np

from kernels import passes
from kernels.checks import check_dtype, check_input
from kernels.intrinsics import fma, load, store
from kernels.jit import kernel, scalar
from kernels.layer import Array, DType, Layer, State, accept, empty, trainable
from kernels.reductions import add
from kernels.rows import add_parts, block_rows, check_outputs, check_rows, matrix, sum_buffers, threads_for, vector
from kernels.streams import stage

EPSILON = 1e-5


# The mean of so many numbers is near enough to that of all: the variance loses log2(F / SAMPLE) bits at the very most,
# where everything else is far from them (Samuelson's inequality), and none where it is like them.
SAMPLE = 64


@scalar
def row_moments(x):
    """(near, rest, variance) of x: its mean is near + rest. Squares are of numbers near 0, to lose no digits."""
    T = x.dtype.type
    near, first, second = T(0), T(0), T(0)
    sample = x[:SAMPLE]
    for i in range(sample.size):
        near = add(near, load(sample, i))
    near /= T(sample.size)
    for i in range(x.size):
        gap = load(x, i) - near
        first = add(first, gap)
        second = add(second, gap * gap)
    rest = first / T(x.size)
    return near, rest, max(second / T(x.size) - rest * rest, T(0))


@cache
def _forward() -> Any:
    @kernel(name="layer_norm", sealed=True)
    def loop(y, mean, rstd, x, gamma, beta, a, part, parts):
        T = x.dtype.type
        rows, width = x.shape
        rests, step, stop = stage(mean), block_rows(width), (part + 1) * rows // parts
        for start in range(part * rows // parts, stop, step):
            here = slice(start, min(start + step, stop))
            ys, xs, means, rstds = y[here], x[here], mean[here], rstd[here]
            for n in range(len(xs)):
                means[n], rests[n], variance = row_moments(xs[n])
                rstds[n] = T(1) / np.sqrt(variance + T(EPSILON))
            for n in range(len(xs)):
                out, row, near, scale = ys[n], xs[n], means[n], rstds[n]
                offset = -rests[n] * scale
                for i in range(width):
                    normal = fma(load(row, i) - near, scale, offset)
                    store(out, i, fma(normal, load(gamma, i), load(beta, i)))
                means[n] = near + rests[n]
        return True

    return loop


@cache
def _backward() -> Any:
    """dgammas and dbetas (parts, F) get the sums over each part's rows."""

    @kernel(name="layer_norm_backward", sealed=True)
    def loop(dx, dgammas, dbetas, dy, x, mean, rstd, gamma, a, part, parts):
        T = x.dtype.type
        rows, width = x.shape
        dgamma, dbeta = dgammas[part], dbetas[part]
        dgamma[:] = 0
        dbeta[:] = 0
        firsts, seconds = stage(dgamma), stage(dgamma)
        step, stop = block_rows(width), (part + 1) * rows // parts
        for start in range(part * rows // parts, stop, step):
            here = slice(start, min(start + step, stop))
            dxs, dys, xs, means, rstds = dx[here], dy[here], x[here], mean[here], rstd[here]
            for n in range(len(xs)):
                upstream, row, center = dys[n], xs[n], means[n]
                first, second = T(0), T(0)
                for i in range(width):
                    slope = load(upstream, i) * load(gamma, i)
                    first = add(first, slope)
                    second = add(second, slope * (load(row, i) - center))
                firsts[n], seconds[n] = first, second
            for n in range(len(xs)):
                out, upstream, row, center, scale = dxs[n], dys[n], xs[n], means[n], rstds[n]
                first, second = firsts[n] / T(width), -seconds[n] * scale / T(width)
                for i in range(width):
                    slope = load(upstream, i)
                    normal = (load(row, i) - center) * scale
                    store(out, i, scale * fma(normal, second, slope * load(gamma, i) - first))
                    store(dgamma, i, fma(slope, normal, load(dgamma, i)))
                    store(dbeta, i, load(dbeta, i) + slope)
        return True

    return loop


def layer_norm_forward(y: Array, mean: Array, rstd: Array, x: Array, gamma: Array, beta: Array) -> None:
    """y = (x - mean) rstd gamma + beta: x, y (..., F), F >= 1, mean and rstd (...), written, gamma and beta (F,).

    float32 or float64, C-contiguous. Ba, Kiros & Hinton 2016, eq. 3, with PyTorch's EPSILON, 1e-5.
    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("x", x)
    check_rows("x", x, dtype)
    outputs = {"y": (y, x.shape), "mean": (mean, x.shape[:-1]), "rstd": (rstd, x.shape[:-1])}
    inputs = {"gamma": gamma, "beta": beta}
    for name, array in inputs.items():
        check_input(name, array, dtype, x.shape[-1])
    check_outputs(dtype, outputs, {"x": x, **inputs})
    _normalize(y, mean, rstd, x, gamma, beta)


def layer_norm_backward(
    dx: Array, dgamma: Array, dbeta: Array, dy: Array, x: Array, mean: Array, rstd: Array, gamma: Array
) -> None:
    """The gradients of layer_norm_forward's x, gamma and beta, overwritten, given dy (..., F) and what forward wrote.

    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("x", x)
    check_rows("x", x, dtype)
    width = x.shape[-1]
    inputs = {"dy": dy, "x": x, "mean": mean, "rstd": rstd, "gamma": gamma}
    for name, shape in (("dy", x.shape), ("mean", x.shape[:-1]), ("rstd", x.shape[:-1]), ("gamma", (width,))):
        check_input(name, inputs[name], dtype, *shape)
    check_outputs(dtype, {"dx": (dx, x.shape), "dgamma": (dgamma, (width,)), "dbeta": (dbeta, (width,))}, inputs)
    _gradients(dx, dgamma, dbeta, dy, x, mean, rstd, gamma, sum_buffers(2, width, dtype))


def _normalize(y: Array, mean: Array, rstd: Array, x: Array, gamma: Array, beta: Array) -> None:
    outputs, inputs = (matrix(y), vector(mean), vector(rstd)), (matrix(x), gamma, beta)
    passes.shared(_forward, (), outputs, inputs, threads=threads_for(x))


def _gradients(
    dx: Array, dgamma: Array, dbeta: Array, dy: Array, x: Array, mean: Array, rstd: Array, gamma: Array, sums: Array
) -> None:
    threads = threads_for(x)
    dgammas, dbetas = (dgamma[None], dbeta[None]) if threads == 1 else sums[:, :threads]
    inputs = matrix(dy), matrix(x), vector(mean), vector(rstd), gamma
    passes.shared(_backward, (), (matrix(dx), dgammas, dbetas), inputs, threads=threads)
    if threads > 1:
        add_parts(dgamma, dgammas)
        add_parts(dbeta, dbetas)


def layer_norm() -> Layer:
    """The layer over x (..., F), F >= 1. params gamma, from 1, and beta, from 0; saved y, mean, rstd, dx."""

    def init(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> State:
        check_rows("x", empty(shape, dtype), dtype)
        state = trainable(gamma=np.ones(shape[-1], dtype), beta=np.zeros(shape[-1], dtype))
        state.saved |= {name: empty(shape, dtype) for name in ("y", "dx")}
        state.saved |= {name: empty(shape[:-1], dtype) for name in ("mean", "rstd")}
        state.saved["dsums"] = sum_buffers(2, shape[-1], dtype)
        return state

    def forward(state: State, x: Array) -> Array:
        params, saved = state.params, state.saved
        accept(state, "x", x, saved["dx"])
        _normalize(saved["y"], saved["mean"], saved["rstd"], x, params["gamma"], params["beta"])
        return saved["y"]

    def backward(state: State, dy: Array) -> Array:
        grads, saved = state.grads, state.saved
        accept(state, "dy", dy, saved["y"])
        outputs = saved["dx"], grads["gamma"], grads["beta"]
        _gradients(*outputs, dy, saved["x"], saved["mean"], saved["rstd"], state.params["gamma"], saved["dsums"])
        return saved["dx"]

    return Layer(init, forward, backward, "layer_norm")
