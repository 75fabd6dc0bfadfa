"""A gradient so small that float32 has it only as subnormal numbers, through the weights of a dense layer.

A processor takes a hundred times as long over one of them as over others. In float64 they are like others, and a sum
that begins at OFFSET, instead of 0, has the last place that all subnormal float32 have, 2^-149: it rounds as they do,
term by term in order, by fused products. A product that adds in another order may round a last place otherwise.
"""

import math
from typing import Any

import numpy as np

from kernels.blas import matmul
from kernels.checks import check_apart, check_dtype, check_input, check_output
from kernels.intrinsics import load, store
from kernels.jit import kernel
from kernels.reductions import add, larger

Array = np.ndarray[Any, Any]

# Sums of float32 are multiples of 2^-149 up to here, and nothing beside OFFSET.
LARGEST_SUM = 2.0**-125
OFFSET = 1.5 * 2.0**-97  # an even multiple: halves round to even, as they do beside 0


@kernel()
def _largest_sum(dz, W):
    """What no |sum of dz[n, j] W[i, j]| over some j exceeds; inf where dz alone is too large to tell.

    Numbers that are nan may be passed over: either product of theirs is nan.
    """
    largest = np.float32(0.0)
    for n in range(dz.shape[0]):
        row = dz[n]
        for j in range(row.size):
            largest = larger(largest, abs(load(row, j)))
    if not largest <= LARGEST_SUM:
        return math.inf
    widest = 0.0
    for i in range(W.shape[0]):
        row, total = W[i], 0.0
        for j in range(row.size):
            total = add(total, np.float64(abs(load(row, j))))
        widest = max(widest, total)
    return np.float64(largest) * widest


@kernel()
def _product(dx, columns, sums, rounded, W):
    """columns: dz' in float64."""
    for i in range(W.shape[0]):
        row = W[i]
        sums[:] = OFFSET
        for j in range(row.size):
            weight, column = np.float64(row[j]), columns[j]
            for n in range(sums.size):
                store(sums, n, load(sums, n) + weight * load(column, n))
        for n in range(sums.size):
            store(rounded, n, np.float32(load(sums, n) - OFFSET))
        for n in range(sums.size):
            dx[n, i] = rounded[n]


def gradient_of_inputs(dx: Array, dz: Array, W: Array) -> None:
    """dx (N, F) = dz W', dz (N, M), W (F, M), all float32 or all float64: the sums that the dtype makes of it.

    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("dz", dz)
    check_input("dz", dz, dtype, None, None)
    check_input("W", W, dtype, None, dz.shape[1])
    check_output("dx", dx, dtype, len(dz), len(W))
    check_apart("dx", dx, dz=dz, W=W)
    if dz.dtype == np.float32 and _largest_sum(dz, W) <= LARGEST_SUM:
        _product(dx, np.ascontiguousarray(dz.T, np.float64), np.empty(len(dz)), np.empty(len(dz), np.float32), W)
    else:
        matmul(dx, dz, W, transpose_b=True)
