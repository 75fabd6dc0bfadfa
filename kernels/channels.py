"""The element-wise loop factories with a parameter per channel: forward, backward, both, the parameter's gradient.

As those of kernels/loops.py, with arrays as (rows, channels) and a as (channels,).
"""

from functools import cache
from typing import Any

from kernels.intrinsics import address, load, store
from kernels.jit import kernel
from kernels.loops import Scalar, partly_overlaps


@cache
def forward(f: Scalar) -> Any:
    """y = f(x, a) with one a per channel."""

    @kernel(name=f"{f.__name__}_forward_channels")
    def loop(y, x, a):
        if partly_overlaps(y, x):
            return False
        for r in range(x.shape[0]):
            ys, xs = y[r], x[r]
            for c in range(a.size):
                store(ys, c, f(load(xs, c), load(a, c)))
        return True

    return loop


@cache
def backward(df: Scalar) -> Any:
    """dx = dy * f'(x) with one a per channel."""

    @kernel(name=f"{df.__name__}_backward_channels")
    def loop(dx, dy, x, y, a):
        if partly_overlaps(dx, dy) or partly_overlaps(dx, x) or partly_overlaps(dx, y):
            return False
        for r in range(x.shape[0]):
            dxs, dys, xs, ys = dx[r], dy[r], x[r], y[r]
            for c in range(a.size):
                store(dxs, c, load(dys, c) * df(load(xs, c), load(ys, c), load(a, c)))
        return True

    return loop


@cache
def forward_backward(f: Scalar, df: Scalar) -> Any:
    """y = f(x, a) and dx = dy * f'(x) in one pass with one a per channel."""

    @kernel(name=f"{f.__name__}_{df.__name__}_forward_backward_channels")
    def loop(y, dx, dy, x, a):
        if partly_overlaps(y, x) or partly_overlaps(y, dy) or partly_overlaps(dx, x) or partly_overlaps(dx, dy):
            return False
        if address(y) == address(dx) or partly_overlaps(y, dx):
            return False
        for r in range(x.shape[0]):
            ys, dxs, dys, xs = y[r], dx[r], dy[r], x[r]
            for c in range(a.size):
                point, upstream = load(xs, c), load(dys, c)
                value = f(point, load(a, c))
                store(ys, c, value)
                store(dxs, c, upstream * df(point, value, load(a, c)))
        return True

    return loop


@cache
def parameter_gradient(df_da: Scalar) -> Any:
    """da (channels,) = sum of dy * df/da over the rows; total (channels,) is float64 and its running sums."""

    @kernel(name=f"{df_da.__name__}_sum")
    def loop(da, total, dy, x, y, a):
        total[:] = 0
        for r in range(x.shape[0]):
            dys, xs, ys = dy[r], x[r], y[r]
            for c in range(a.size):
                total[c] += load(dys, c) * df_da(load(xs, c), load(ys, c), load(a, c))
        for c in range(a.size):
            da[c] = total[c]

    return loop
