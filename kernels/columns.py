"""The loops of batch normalisation over x (N, F): statistics of columns, and what is done with them.

Columns are taken in blocks, which threads share. Sums over a column go through the rows in order: side by side, they
are vector code. The pass that writes goes backward: the rows that the sums have read last are still in the caches.
"""

from functools import cache
from typing import Any

import numpy as np

from kernels.intrinsics import fma, load, store
from kernels.jit import kernel, scalar
from kernels.moments import EPSILON, doubtful, moments, moments_again
from kernels.streams import stage

MOMENTUM = 0.1  # how far the running statistics move towards the batch's
LINE = 16  # columns; the parts of threads begin on multiples of it
SAMPLE = 16  # rows, from everywhere, whose mean is near that of all


@scalar
def columns(width, part, parts):
    """(start, stop): the columns of this part, whole lines but for the last part's end."""
    lines = (width + LINE - 1) // LINE
    return min(part * lines // parts * LINE, width), min((part + 1) * lines // parts * LINE, width)


@scalar
def column_sums(near, first, second, x, here):
    """Of every column of x[:, here]: near, the mean of SAMPLE rows, and the sums of x - near and its square."""
    T = x.dtype.type
    rows, sample = len(x), min(len(x), SAMPLE)
    near[:] = 0
    first[:] = 0
    second[:] = 0
    for k in range(sample):
        row = x[k * rows // sample, here]
        for i in range(near.size):
            near[i] += load(row, i) * T(1 / sample)
    for n in range(rows):
        row = x[n, here]
        for i in range(near.size):
            gap = load(row, i) - near[i]
            first[i] += gap
            second[i] = fma(gap, gap, second[i])


@scalar
def scale_columns(y, x, near, scale, offset, here):
    """y = (x - near) scale + offset, in the columns here."""
    for n in range(len(x) - 1, -1, -1):
        out, row = y[n, here], x[n, here]
        for i in range(near.size):
            store(out, i, fma(load(row, i) - load(near, i), load(scale, i), load(offset, i)))


@cache
def train() -> Any:
    """The batch's statistics, the running ones moved towards them, and y."""

    @kernel(name="batch_norm", sealed=True)
    def loop(y, mean, rstd, running_mean, running_var, x, gamma, beta, a, part, parts):
        T = x.dtype.type
        rows = len(x)
        nears, firsts, seconds, rests, variances = stage(mean), stage(mean), stage(mean), stage(mean), stage(mean)
        begin, end = columns(x.shape[1], part, parts)
        for start in range(begin, end, len(nears)):
            here = slice(start, min(start + len(nears), end))
            width = here.stop - start
            near, first, second, doubts = nears[:width], firsts[:width], seconds[:width], 0
            column_sums(near, first, second, x, here)
            for i in range(width):
                rests[i], variances[i], rstd[start + i] = moments(first[i], second[i], T(1), rows)
                doubts += doubtful(first[i], second[i], rows)
            if doubts > 0:
                for i in range(width):
                    if doubtful(first[i], second[i], rows):
                        column = x[:, start + i]
                        near[i], rests[i], variances[i], rstd[start + i] = moments_again(near[i], second[i], column)
            for i in range(width):
                c = start + i
                mean[c] = near[i] + rests[i]
                running_mean[c] += T(MOMENTUM) * (mean[c] - running_mean[c])
                running_var[c] += T(MOMENTUM) * (variances[i] * T(rows / (rows - 1)) - running_var[c])
                second[i] = rstd[c] * gamma[c]
                first[i] = fma(-rests[i], second[i], beta[c])
            scale_columns(y, x, near, second, first, here)
        return True

    return loop


@cache
def evaluate() -> Any:
    """y by the running statistics."""

    @kernel(name="batch_norm_evaluate", sealed=True)
    def loop(y, x, gamma, beta, running_mean, running_var, a, part, parts):
        T = x.dtype.type
        scales = stage(y[0])
        begin, end = columns(x.shape[1], part, parts)
        for start in range(begin, end, len(scales)):
            here = slice(start, min(start + len(scales), end))
            scale = scales[: here.stop - start]
            for i in range(scale.size):
                scale[i] = gamma[start + i] / np.sqrt(running_var[start + i] + T(EPSILON))
            scale_columns(y, x, running_mean[here], scale, beta[here], here)
        return True

    return loop


@cache
def backward(training: bool) -> Any:
    """dx, dgamma and dbeta; spread is rstd of the batch in training, else the running variance.

    A large mean, rounded, is not that of its column: what the column then has left is taken off it, as rest.
    """

    @kernel(name="batch_norm_backward" if training else "batch_norm_evaluate_backward", sealed=True)
    def loop(dx, dgamma, dbeta, dy, x, mean, spread, gamma, a, part, parts):
        T = x.dtype.type
        scales, rests, firsts, seconds = stage(dgamma), stage(dgamma), stage(dgamma), stage(dgamma)
        factors = stage(dgamma)
        begin, end = columns(x.shape[1], part, parts)
        for start in range(begin, end, len(scales)):
            here = slice(start, min(start + len(scales), end))
            center, width = mean[here], here.stop - start
            scale, rest, first, second = scales[:width], rests[:width], firsts[:width], seconds[:width]
            factor = factors[:width]
            rest[:] = 0
            first[:] = 0
            second[:] = 0
            for i in range(width):
                scale[i] = spread[start + i] if training else T(1) / np.sqrt(spread[start + i] + T(EPSILON))
            for n in range(len(x)):
                upstream, row = dy[n, here], x[n, here]
                for i in range(width):
                    normal = (load(row, i) - load(center, i)) * scale[i]
                    first[i] += load(upstream, i)
                    second[i] = fma(load(upstream, i), normal, second[i])
                    if training:
                        rest[i] += normal
            for i in range(width):
                if training:
                    rest[i] /= T(len(x))
                    second[i] = fma(-rest[i], first[i], second[i])
                factor[i] = gamma[start + i] * scale[i]
                dgamma[start + i], dbeta[start + i] = second[i], first[i]
                second[i] *= -factor[i] / T(len(x))
                first[i] = fma(-rest[i], second[i], -factor[i] * first[i] / T(len(x)))
            for n in range(len(x) - 1, -1, -1):
                out, upstream, row = dx[n, here], dy[n, here], x[n, here]
                for i in range(width):
                    normal = (load(row, i) - load(center, i)) * load(scale, i)
                    others = fma(normal, load(second, i), load(first, i)) if training else T(0)
                    store(out, i, fma(load(upstream, i), load(factor, i), others))
        return True

    return loop
