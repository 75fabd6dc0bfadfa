"""What a measurement says of an array in a few numbers: its norm, its variance, its Gram matrix, how flat slopes are.

Sums are in float64, in any order.
"""

import math
from typing import Any

import numpy as np

from kernels.blas import gemm
from kernels.checks import check_dtype, check_input, check_output
from kernels.intrinsics import load, store
from kernels.jit import kernel, scalar
from kernels.reductions import add, larger, total

Array = np.ndarray[Any, Any]

# Sums of squares that lie between can be trusted: what underflowed is lost beside them. Others are taken again, of
# numbers times SCALE or over it: squares of float32 alone are always within, but for zeros.
SMALLEST_SUM = 1e-280
SCALE = 2.0**600


@scalar
def _squares(x, scale, centre):
    """The sum of (scale x - centre)^2."""
    result = 0.0
    for i in range(x.size):
        gap = scale * np.float64(load(x, i)) - centre
        result = add(result, gap * gap)
    return result


@kernel()
def _log10_norm(x):
    squares = _squares(x, 1.0, 0.0)
    if squares == math.inf:
        return 0.5 * math.log10(_squares(x, 1.0 / SCALE, 0.0)) + math.log10(SCALE)
    if squares < SMALLEST_SUM:
        squares = _squares(x, SCALE, 0.0)
        return 0.5 * math.log10(squares) - math.log10(SCALE) if squares > 0.0 else -math.inf
    return 0.5 * math.log10(squares)


@kernel()
def _variance(x):
    return _squares(x, 1.0, total(x) / x.size) / x.size


@kernel()
def _gram(out, relative, x):
    largest = x.dtype.type(0.0)
    for n in range(x.shape[0]):
        row = x[n]
        for c in range(row.size):
            largest = larger(largest, abs(load(row, c)))
    if 0.0 < largest < math.inf:
        for n in range(x.shape[0]):
            row, scaled = x[n], relative[n]
            for c in range(row.size):
                store(scaled, c, np.float64(load(row, c)) / largest)
        wide = x.shape[0] <= x.shape[1]
        gemm(out, relative, relative, not wide, wide, False)
        trace = 0.0
        for i in range(out.shape[0]):
            trace += out[i, i]
        if trace < math.inf:  # not nan, which the search for the largest steps over
            return True
    out[:] = 0.0
    return False


@kernel()
def _flat(alive, slopes, least):
    alive[:] = 0
    flat, largest = 0, slopes.dtype.type(-math.inf)
    for n in range(slopes.shape[0]):
        row = slopes[n]
        for c in range(alive.size):
            slope = abs(load(row, c))
            flat += slope < least
            alive[c] |= slope != 0
            largest = larger(largest, -slope)
    return flat, alive.sum(), -largest


def log10_norm(x: Array) -> float:
    """log10 of the Frobenius norm of x, float32 or float64 of any shape: no square under- or overflows.

    -inf where every element is 0, inf where one is infinite, NaN where one is NaN. TypeError for another dtype.
    """
    return float(_log10_norm(_line(x)))


def variance(x: Array) -> float:
    """The variance of all elements of x, float32 or float64 of any shape; NaN where one is infinite, or of none."""
    return float(_variance(_line(x)))


def relative_gram(out: Array, x: Array) -> bool:
    """The Gram matrix of the smaller side of x / max |x|, x (N, F): out (n, n), float64, n = min(N, F).

    False, and zeros, where x is all zeros or not finite. Raises TypeError or ValueError for what is no C-contiguous
    float32 or float64 of two dimensions, or an out that is not as above.
    """
    check_input("x", x, check_dtype("x", x), None, None)
    check_output("out", out, np.dtype(np.float64), min(x.shape), min(x.shape))
    return bool(_gram(out, np.empty(x.shape), x))


def flatness(slopes: Array, least: float) -> tuple[float, float, float]:
    """Of slopes (rows, units): the share below least in size, that of units all of whose are 0, and the smallest size.

    Raises TypeError or ValueError for what is no C-contiguous float32 or float64 of two dimensions.
    """
    check_input("slopes", slopes, check_dtype("slopes", slopes), None, None)
    units = slopes.shape[1]
    flat, alive, smallest = _flat(np.empty(units, np.uint8), slopes, least)
    return flat / slopes.size, (units - alive) / units, float(smallest)


def _line(x: Array) -> Array:
    check_dtype("x", x)
    return (x if x.flags.c_contiguous else np.ascontiguousarray(x)).reshape(-1)
