"""Losses: the mean over the batch, and its gradient written beside it."""

from functools import cache
from typing import Any

import numpy as np

from kernels import passes
from kernels.checks import check_apart, check_dtype, check_input, check_output
from kernels.intrinsics import load, store
from kernels.jit import kernel
from kernels.reductions import add, largest, total
from kernels.rows import BLOCK, block_rows, threads_for, vector
from kernels.softmax import row_powers, row_scale, row_unit
from kernels.streams import stage
from kernels.vecmath import shifted_exp

Array = np.ndarray[Any, Any]


@kernel(name="labels_fit")
def _labels_fit(labels, classes):
    fit = True
    for label in labels:
        fit &= 0 <= label < classes
    return fit


@cache
def _softmax_cross_entropy() -> Any:
    """sums (blocks,) are the losses of block_rows(C) rows each, dlogits (N, C) the gradient of the mean of all."""

    @kernel(name="softmax_cross_entropy", sealed=True)
    def loop(dlogits, sums, logits, labels, a, part, parts):
        T = logits.dtype.type
        rows, classes = logits.shape
        tops, step = stage(dlogits[0]), block_rows(classes)
        for block in range(part * sums.size // parts, (part + 1) * sums.size // parts):
            here = slice(block * step, min((block + 1) * step, rows))
            outs, xs, places, losses = dlogits[here], logits[here], labels[here], 0.0
            for n in range(len(xs)):
                tops[n] = largest(xs[n])
                row_powers(outs[n], xs[n], tops[n])
            for n in range(len(xs)):
                base, _, shift = row_unit(tops[n])
                mass, own = total(outs[n]), np.float64(outs[n, places[n]])
                losses += np.float64(tops[n]) - np.float64(xs[n, places[n]])
                losses += np.log(mass / shifted_exp(tops[n] - base, shift))
                factor = 1.0 / (mass * rows)
                row_scale(outs[n], T(factor))
                outs[n, places[n]] = T((own - mass) * factor)
            sums[block] = losses
        return True

    return loop


def softmax_cross_entropy(dlogits: Array, logits: Array, labels: Array) -> float:
    """Mean of -log softmax(logits)[label] over the rows, in nats; dlogits gets its gradient.

    logits and dlogits (N, C), N and C at least 1, float32 or float64; labels (N,), int64 in 0..C-1. The
    largest logit of a row is subtracted first, so no logit is too large; sums are float64.
    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("logits", logits)
    check_input("logits", logits, dtype, None, None)
    if 0 in logits.shape:
        raise ValueError(f"logits must not be empty, got shape {logits.shape}")
    check_output("dlogits", dlogits, dtype, *logits.shape)
    check_input("labels", labels, np.dtype(np.int64), logits.shape[0])
    check_apart("dlogits", dlogits, logits=logits, labels=labels)
    if not _labels_fit(labels, logits.shape[1]):
        row = int(np.argmax((labels < 0) | (labels >= logits.shape[1])))
        raise ValueError(f"labels must be between 0 and {logits.shape[1] - 1}, got {labels[row]} in row {row}")
    sums = np.empty(-(-labels.size // block_rows(logits.shape[1])))
    passes.shared(_softmax_cross_entropy, (), (dlogits, sums), (logits, labels), threads=threads_for(logits))
    return float(sums.sum()) / labels.size


@cache
def _mse() -> Any:
    """sums (blocks,) are those of squares, block by block; a the factor of dy."""

    @kernel(name="mse", sealed=True)
    def loop(dy, sums, y, target, a, part, parts):
        T = y.dtype.type
        for block in range(part * sums.size // parts, (part + 1) * sums.size // parts):
            here = slice(block * BLOCK, min((block + 1) * BLOCK, y.size))
            out, ys, targets, square = dy[here], y[here], target[here], 0.0
            for i in range(ys.size):
                gap = np.float64(load(ys, i)) - np.float64(load(targets, i))
                store(out, i, T(gap * a))
                square = add(square, gap * gap)
            sums[block] = square
        return True

    return loop


def mse(dy: Array, y: Array, target: Array) -> float:
    """Mean of (y - target)^2 over all elements; dy gets its gradient. Any one shape that is not empty.

    Sums are float64. Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("y", y)
    check_input("y", y, dtype, *y.shape)
    if y.size == 0:
        raise ValueError(f"y must not be empty, got shape {y.shape}")
    check_output("dy", dy, dtype, *y.shape)
    check_input("target", target, dtype, *y.shape)
    check_apart("dy", dy, y=y, target=target)
    sums = np.empty(-(-y.size // BLOCK))
    passes.shared(_mse, (), (vector(dy), sums), (vector(y), vector(target)), 2.0 / y.size, threads_for(y))
    return float(sums.sum()) / y.size
