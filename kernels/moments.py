"""Mean and reciprocal deviation of numbers of any size, in one pass over them where they are ordinary.

Sums are of gaps, numbers less one that is near all of them. Of the variance, mean(gap^2) - mean(gap)^2, the difference
costs two bits at most: where it would cost more, or a square overflows, sums are taken again, about the mean.
"""

import math

import numpy as np

from kernels.intrinsics import pick
from kernels.jit import scalar, subroutine
from kernels.reductions import add

EPSILON = 1e-5

# Times this no gap has a square that overflows, and none that is lost beside one that overflows without it.
_UNIT = (2.0**-80, 2.0**-540)


@scalar
def sums_about(near, unit, x):
    """The sums over x (n,) of (x - near) unit and of its square; unit is a power of two."""
    T = type(near)
    first, second = T(0), T(0)
    for i in range(x.size):
        gap = x[i] * unit - near * unit
        first = add(first, gap)
        second = add(second, gap * gap)
    return first, second


@scalar
def doubtful(first, second, size):
    """Whether sums about a number do not give the variance: a square overflowed, or two bits of it would cancel."""
    T = type(first)
    return not second < math.inf or first / T(size) * first > T(0.75) * second


@scalar
def moments(first, second, unit, size):
    """(rest, variance, rstd) by the sums about near of size numbers, whose mean is near + rest."""
    T = type(first)
    mean = first / T(size)
    spread = second / T(size) - mean * mean
    if spread < 0:
        spread = T(0)
    variance = spread / unit / unit
    root = np.sqrt(variance + T(EPSILON))
    return mean / unit, variance, T(1) / root if variance < math.inf else unit / np.sqrt(spread)


@subroutine
def moments_again(near, second, x):
    """(near, rest, variance, rstd) of x (n,), contiguous or not, about its mean; second is the doubtful sum."""
    unit = type(near)(1) if second < math.inf else pick(near, _UNIT)
    first, _ = sums_about(near, unit, x)
    near += first / type(near)(x.size) / unit
    first, second = sums_about(near, unit, x)
    rest, variance, rstd = moments(first, second, unit, x.size)
    return near, rest, variance, rstd


@subroutine
def root_again(x):
    """The reciprocal root of the mean square of x (n,), the squares of which overflow."""
    unit = pick(x[0], _UNIT)
    _, second = sums_about(x.dtype.type(0), unit, x)
    return unit / np.sqrt(second / x.dtype.type(x.size))


# The mean of so many numbers is near that of all, unless those are a few that are far from the others.
SAMPLE = 64


@scalar
def row_sums(x):
    """(near, first, second): a number near those of a row x (n,), n >= 1, and the sums about it."""
    T = x.dtype.type
    near = T(0)
    sample = x[:SAMPLE]
    for i in range(sample.size):
        near = add(near, sample[i] * T(1 / sample.size))
    first, second = sums_about(near, T(1), x)
    return near, first, second


@scalar
def row_moments(nears, rests, rstds, firsts, seconds, x):
    """nears, rests and rstds (rows,) of x (rows, n), n >= 1: means are nears + rests. firsts and seconds are room.

    No row is decided about before the sums of all: sums of several rows overlap.
    """
    doubts = 0
    for n in range(len(x)):
        nears[n], firsts[n], seconds[n] = row_sums(x[n])
        rests[n], _, rstds[n] = moments(firsts[n], seconds[n], x.dtype.type(1), x.shape[1])
        doubts += doubtful(firsts[n], seconds[n], x.shape[1])
    if doubts > 0:
        for n in range(len(x)):
            if doubtful(firsts[n], seconds[n], x.shape[1]):
                nears[n], rests[n], _, rstds[n] = moments_again(nears[n], seconds[n], x[n])


@scalar
def row_roots(rstds, squares, x):
    """rstds (rows,) = 1 / sqrt(mean(x^2) + EPSILON) of x (rows, n), n >= 1. squares is room."""
    T = x.dtype.type
    doubts = 0
    for n in range(len(x)):
        _, squares[n] = sums_about(T(0), T(1), x[n])
        rstds[n] = T(1) / np.sqrt(squares[n] / T(x.shape[1]) + T(EPSILON))
        doubts += not squares[n] < math.inf
    if doubts > 0:
        for n in range(len(x)):
            if not squares[n] < math.inf:
                rstds[n] = root_again(x[n])
