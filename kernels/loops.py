"""The element-wise loop factories: forward, backward, and both at once. kernels/channels.py has those per channel.

Each factory closes over plain scalar functions and is memoised by them; the parameter a is a run-time
argument. Arrays are 1-D and a is one float64, rounded to their dtype here. Loops return False, having written
nothing, where an output partly overlaps an array that is read: the same array is allowed, because element i is read
before it is written.

A loop over 1-D arrays does one part of so many, or ALL_IF_SMALL, and returns False, too, where sizes differ.
streams: its outputs go past the caches, in blocks that are computed in L1; kernels/passes.py says when.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from kernels.intrinsics import address, load, store
from kernels.jit import kernel, scalar
from kernels.streams import BLOCK_BYTES, LINE_BYTES, fence, stage, stream

Scalar = Callable[..., Any]

# In place of parts: do everything, or refuse more elements than one thread does best in the ordinary way.
ALL_IF_SMALL = 0
SMALL = 2**17  # measured: docs/performance.md
WORTH_ALIGNING = 2**12  # in smaller arrays the step before the first line costs as much as it saves


@scalar
def partly_overlaps(y, x):
    """Whether two arrays of one size share memory without being the same."""
    gap = abs(address(y) - address(x))
    return 0 < gap < x.size * x.itemsize


@scalar
def fits(y, x):
    """Whether y can be written, element by element, from x."""
    return y.size == x.size and not partly_overlaps(y, x)


@scalar
def refused(y, parts):
    """Whether a call that hopes for little to do has too much."""
    return parts == ALL_IF_SMALL and y.size > SMALL


@scalar
def blocks(y, part, parts, streams):
    """(start, stop, first, step): elements start to stop are this part of y, computed from first on in steps.

    Parts are whole cache lines, as far as y starts on one. Steps of a streaming loop are aligned blocks of y, so that
    only the first and the last are not full; other loops do what comes before the first whole line of y in one step,
    and the rest in another: a vector that is stored across two lines takes twice as long.
    """
    line = LINE_BYTES // y.itemsize
    if parts == ALL_IF_SMALL:
        if y.size < WORTH_ALIGNING:
            return 0, y.size, 0, SMALL
        return 0, y.size, -(address(y) // y.itemsize) % line - SMALL, SMALL
    share = (y.size // line // parts + 1) * line
    start = min(part * share, y.size)
    stop = min(start + share, y.size)
    before = -(address(y) // y.itemsize + start)
    if streams:
        block = BLOCK_BYTES // y.itemsize
        return start, stop, start + before % block - block, block
    return start, stop, start + before % line - share, share


@cache
def forward(f: Scalar, streams: bool) -> Any:
    """y = f(x, a)."""

    @kernel(name=f"{f.__name__}_forward{'_streaming' * streams}", sealed=True)
    def loop(y, x, a, part, parts):
        if refused(y, parts) or not fits(y, x):
            return False
        a = x.dtype.type(a)
        start, stop, first, step = blocks(y, part, parts, streams)
        buffer = stage(y)
        for block in range(first, stop, step):
            here = slice(max(block, start), min(block + step, stop))
            ys, xs = y[here], x[here]
            out = buffer[: ys.size] if streams else ys
            for i in range(xs.size):
                store(out, i, f(load(xs, i), a))
            if streams:
                stream(ys, out)
        if streams:
            fence()
        return True

    return loop


@cache
def backward(df: Scalar, streams: bool) -> Any:
    """dx = dy * f'(x); df takes y = f(x, a) too, and LLVM drops the load where it does not use it."""

    @kernel(name=f"{df.__name__}_backward{'_streaming' * streams}", sealed=True)
    def loop(dx, dy, x, y, a, part, parts):
        if refused(dx, parts) or not (fits(dx, dy) and fits(dx, x) and fits(dx, y)):
            return False
        a = x.dtype.type(a)
        start, stop, first, step = blocks(dx, part, parts, streams)
        buffer = stage(dx)
        for block in range(first, stop, step):
            here = slice(max(block, start), min(block + step, stop))
            dxs, dys, xs, ys = dx[here], dy[here], x[here], y[here]
            out = buffer[: xs.size] if streams else dxs
            for i in range(xs.size):
                store(out, i, load(dys, i) * df(load(xs, i), load(ys, i), a))
            if streams:
                stream(dxs, out)
        if streams:
            fence()
        return True

    return loop


@cache
def forward_backward(f: Scalar, df: Scalar, streams: bool) -> Any:
    """y = f(x, a) and dx = dy * f'(x) in one pass: what they share is computed once."""

    @kernel(name=f"{f.__name__}_{df.__name__}_forward_backward{'_streaming' * streams}", sealed=True)
    def loop(y, dx, dy, x, a, part, parts):
        if refused(y, parts) or not (fits(y, x) and fits(y, dy) and fits(dx, x) and fits(dx, dy)):
            return False
        if address(y) == address(dx) or partly_overlaps(y, dx):
            return False
        a = x.dtype.type(a)
        start, stop, first, step = blocks(y, part, parts, streams)
        y_buffer, dx_buffer = stage(y), stage(dx)
        for block in range(first, stop, step):
            here = slice(max(block, start), min(block + step, stop))
            ys, dxs, dys, xs = y[here], dx[here], dy[here], x[here]
            y_out = y_buffer[: xs.size] if streams else ys
            dx_out = dx_buffer[: xs.size] if streams else dxs
            for i in range(xs.size):
                point, upstream = load(xs, i), load(dys, i)
                value = f(point, a)
                store(y_out, i, value)
                store(dx_out, i, upstream * df(point, value, a))
            if streams:
                stream(ys, y_out)
                stream(dxs, dx_out)
        if streams:
            fence()
        return True

    return loop
