"""Losses: the mean over the batch, and its gradient written beside it."""

from typing import Any

import numpy as np

from kernels.checks import check_apart, check_dtype, check_input, check_output
from kernels.intrinsics import load, store
from kernels.jit import kernel
from kernels.vecmath import EXACT, exp_nonpositive

Array = np.ndarray[Any, Any]


@kernel()
def _softmax_cross_entropy(dlogits, logits, labels):
    N, C = logits.shape
    for n in range(N):
        if not 0 <= labels[n] < C:
            return -1.0
    T = type(logits[0, 0])
    total = 0.0
    for n in range(N):
        row, out = logits[n], dlogits[n]
        largest = row[0]
        for c in range(1, C):
            largest = max(largest, row[c])
        for c in range(C):
            store(out, c, load(row, c) - largest)
        total -= out[labels[n]]
    # over all rows at once: as vectors, however few the classes
    powers = dlogits.reshape(N * C)
    for i in range(N * C):
        power, rest = exp_nonpositive(load(powers, i), T(EXACT))
        store(powers, i, power + rest)
    for n in range(N):
        out = dlogits[n]
        mass = 0.0
        for c in range(C):
            mass += out[c]
        total += np.log(mass)
        scale = T(1.0 / (mass * N))
        for c in range(C):
            out[c] *= scale
        out[labels[n]] -= T(1.0 / N)
    return total / N


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
    loss = _softmax_cross_entropy(dlogits, logits, labels)
    if loss < 0.0:
        raise ValueError(f"labels must be between 0 and {logits.shape[1] - 1}")
    return float(loss)


@kernel()
def _mse(dy, y, target):
    total = 0.0
    scale = 2.0 / y.size
    T = type(y[0])
    for i in range(y.size):
        gap = y[i] - target[i]
        total += gap * gap
        dy[i] = T(scale) * gap
    return total / y.size


def mse(dy: Array, y: Array, target: Array) -> float:
    """Mean of (y - target)^2 over all elements; dy gets its gradient. Any one shape that is not empty.

    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("y", y)
    check_input("y", y, dtype, *y.shape)
    if y.size == 0:
        raise ValueError(f"y must not be empty, got shape {y.shape}")
    check_output("dy", dy, dtype, *y.shape)
    check_input("target", target, dtype, *y.shape)
    check_apart("dy", dy, y=y, target=target)
    return float(_mse(dy.reshape(-1), y.reshape(-1), target.reshape(-1)))
