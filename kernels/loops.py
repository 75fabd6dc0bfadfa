"""The element-wise loop factories: forward, backward, both at once, and the gradient of the parameter.

Each factory closes over plain scalar functions and is memoised by them; the parameter a is a run-time
argument. Arrays are 1-D and a is one float64, rounded to their dtype here; the per-channel loops take
arrays as (rows, channels) and a as (channels,). Loops return False, having written nothing, where an
output partly overlaps an array that is read: the same array is allowed, because element i is read
before it is written.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from kernels.intrinsics import address, load, store
from kernels.jit import kernel, scalar

Scalar = Callable[..., Any]


@scalar
def partly_overlaps(y, x):
    """Whether two arrays of one size share memory without being the same."""
    gap = abs(address(y) - address(x))
    return 0 < gap < x.size * x.itemsize


@cache
def forward(f: Scalar) -> Any:
    """y = f(x, a)."""

    @kernel(name=f"{f.__name__}_forward")
    def loop(y, x, a):
        if partly_overlaps(y, x):
            return False
        a = x.dtype.type(a)
        for i in range(x.size):
            store(y, i, f(load(x, i), a))
        return True

    return loop


@cache
def backward(f: Scalar, df: Scalar) -> Any:
    """dx = dy * f'(x); df takes y = f(x, a) too, and LLVM drops the load where it does not use it."""

    @kernel(name=f"{df.__name__}_backward")
    def loop(dx, dy, x, y, a):
        if partly_overlaps(dx, dy) or partly_overlaps(dx, x) or partly_overlaps(dx, y):
            return False
        a = x.dtype.type(a)
        for i in range(x.size):
            store(dx, i, load(dy, i) * df(load(x, i), load(y, i), a))
        return True

    return loop


@cache
def backward_from_output(df: Scalar) -> Any:
    """dx = dy * f'(x), the slope computed from y = f(x, a) alone."""

    @kernel(name=f"{df.__name__}_backward")
    def loop(dx, dy, y, a):
        if partly_overlaps(dx, dy) or partly_overlaps(dx, y):
            return False
        a = y.dtype.type(a)
        for i in range(y.size):
            store(dx, i, load(dy, i) * df(load(y, i), a))
        return True

    return loop


@cache
def forward_backward(f: Scalar, df: Scalar) -> Any:
    """y = f(x, a) and dx = dy * f'(x) in one pass: what they share is computed once."""

    @kernel(name=f"{df.__name__}_forward_backward")
    def loop(y, dx, dy, x, a):
        if partly_overlaps(y, x) or partly_overlaps(y, dy) or partly_overlaps(dx, x) or partly_overlaps(dx, dy):
            return False
        if address(y) == address(dx) or partly_overlaps(y, dx):
            return False
        a = x.dtype.type(a)
        for i in range(x.size):
            point, upstream = load(x, i), load(dy, i)
            value = f(point, a)
            store(y, i, value)
            store(dx, i, upstream * df(point, value, a))
        return True

    return loop


@cache
def forward_channels(f: Scalar) -> Any:
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
def backward_channels(f: Scalar, df: Scalar) -> Any:
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
def forward_backward_channels(f: Scalar, df: Scalar) -> Any:
    """y = f(x, a) and dx = dy * f'(x) in one pass with one a per channel."""

    @kernel(name=f"{df.__name__}_forward_backward_channels")
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
                term = load(dys, c) * df_da(load(xs, c), load(ys, c), load(a, c))
                store(total, c, load(total, c) + term)
        for c in range(a.size):
            da[c] = total[c]

    return loop
