"""Root-mean-square normalisation over the last axis (Zhang & Sennrich 2019): y = x rstd gamma, forward and backward.

rstd = 1 / sqrt(mean(x^2) + EPSILON). Blocks of rows take each pass together, as in layer_norm.py.
"""

from functools import cache
from typing import Any

import numpy as np

from kernels import passes
from kernels.checks import check_dtype, check_input
from kernels.intrinsics import fma, load, store
from kernels.jit import kernel
from kernels.layer import Array, DType, Layer, State, accept, empty, trainable
from kernels.layer_norm import EPSILON
from kernels.reductions import add
from kernels.rows import add_parts, block_rows, check_outputs, check_rows, matrix, sum_buffers, threads_for, vector
from kernels.streams import stage


@cache
def _forward() -> Any:
    @kernel(name="rms_norm", sealed=True)
    def loop(y, rstd, x, gamma, a, part, parts):
        T = x.dtype.type
        rows, width = x.shape
        step, stop = block_rows(width), (part + 1) * rows // parts
        for start in range(part * rows // parts, stop, step):
            here = slice(start, min(start + step, stop))
            ys, xs, rstds = y[here], x[here], rstd[here]
            for n in range(len(xs)):
                row, square = xs[n], T(0)
                for i in range(width):
                    square = add(square, load(row, i) * load(row, i))
                rstds[n] = T(1) / np.sqrt(square / T(width) + T(EPSILON))
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
                upstream, row, product = dys[n], xs[n], T(0)
                for i in range(width):
                    product = add(product, load(upstream, i) * load(gamma, i) * load(row, i))
                products[n] = product
            for n in range(len(xs)):
                out, upstream, row, scale = dxs[n], dys[n], xs[n], rstds[n]
                product = -products[n] * scale / T(width)
                for i in range(width):
                    slope, normal = load(upstream, i), load(row, i) * scale
                    store(out, i, scale * fma(normal, product, slope * load(gamma, i)))
                    store(dgamma, i, fma(slope, normal, load(dgamma, i)))
        return True

    return loop


def rms_norm_forward(y: Array, rstd: Array, x: Array, gamma: Array) -> None:
    """y = x rstd gamma: x, y (..., F), F >= 1, rstd (...), which is written, gamma (F,).

    float32 or float64, C-contiguous. Zhang & Sennrich 2019, eq. 4, with EPSILON, 1e-5, added to the mean square.
    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("x", x)
    check_rows("x", x, dtype)
    check_input("gamma", gamma, dtype, x.shape[-1])
    check_outputs(dtype, {"y": (y, x.shape), "rstd": (rstd, x.shape[:-1])}, {"x": x, "gamma": gamma})
    _normalize(y, rstd, x, gamma)


def rms_norm_backward(dx: Array, dgamma: Array, dy: Array, x: Array, rstd: Array, gamma: Array) -> None:
    """The gradients of rms_norm_forward's x and gamma, overwritten, given dy (..., F) and the rstd that forward wrote.

    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("x", x)
    check_rows("x", x, dtype)
    inputs = {"dy": dy, "x": x, "rstd": rstd, "gamma": gamma}
    for name, shape in (("dy", x.shape), ("rstd", x.shape[:-1]), ("gamma", x.shape[-1:])):
        check_input(name, inputs[name], dtype, *shape)
    check_outputs(dtype, {"dx": (dx, x.shape), "dgamma": (dgamma, gamma.shape)}, inputs)
    _gradients(dx, dgamma, dy, x, rstd, gamma, sum_buffers(1, gamma.size, dtype))


def _normalize(y: Array, rstd: Array, x: Array, gamma: Array) -> None:
    passes.shared(_forward, (), (matrix(y), vector(rstd)), (matrix(x), gamma), threads=threads_for(x))


def _gradients(dx: Array, dgamma: Array, dy: Array, x: Array, rstd: Array, gamma: Array, sums: Array) -> None:
    threads = threads_for(x)
    dgammas = dgamma[None] if threads == 1 else sums[0, :threads]
    inputs = matrix(dy), matrix(x), vector(rstd), gamma
    passes.shared(_backward, (), (matrix(dx), dgammas), inputs, threads=threads)
    if threads > 1:
        add_parts(dgamma, dgammas)


def rms_norm() -> Layer:
    """The layer over x (..., F), F >= 1. params gamma, from 1; saved y, rstd, dx."""

    def init(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> State:
        check_rows("x", empty(shape, dtype), dtype)
        state = trainable(gamma=np.ones(shape[-1], dtype))
        state.saved |= {name: empty(shape, dtype) for name in ("y", "dx")}
        state.saved |= {"rstd": empty(shape[:-1], dtype), "dsums": sum_buffers(1, shape[-1], dtype)}
        return state

    def forward(state: State, x: Array) -> Array:
        saved = state.saved
        accept(state, "x", x, saved["dx"])
        _normalize(saved["y"], saved["rstd"], x, state.params["gamma"])
        return saved["y"]

    def backward(state: State, dy: Array) -> Array:
        saved, gamma = state.saved, state.params["gamma"]
        accept(state, "dy", dy, saved["y"])
        _gradients(saved["dx"], state.grads["gamma"], dy, saved["x"], saved["rstd"], gamma, saved["dsums"])
        return saved["dx"]

    return Layer(init, forward, backward, "rms_norm")
