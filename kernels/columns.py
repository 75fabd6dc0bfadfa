"""The loops of batch normalisation over x (N, F): statistics of columns, and what is done with them.

Columns are taken in blocks, which stay in the cache between one pass and the next, and which threads share. Sums over
a column go through the rows in order: side by side, they are vector code.
"""

from functools import cache
from typing import Any

import numpy as np

from kernels.intrinsics import fma, load, store
from kernels.jit import kernel, scalar
from kernels.layer_norm import EPSILON
from kernels.streams import stage

MOMENTUM = 0.1  # how far the running statistics move towards the batch's
LINE = 16  # columns; the parts of threads begin on multiples of it
# Rows, from everywhere, whose mean is near enough to that of all: the variance loses log2(N / SAMPLE) bits at the very
# most, where everything else is far from them (Samuelson's inequality), and none where it is like them.
SAMPLE = 16


@scalar
def columns(width, part, parts):
    """(start, stop): the columns of this part, whole lines but for the last part's end."""
    lines = (width + LINE - 1) // LINE
    return min(part * lines // parts * LINE, width), min((part + 1) * lines // parts * LINE, width)


@scalar
def column_moments(near, first, second, x, here):
    """Of every column of x[:, here]: near, the mean of SAMPLE rows, and the means of x - near and its square."""
    T = x.dtype.type
    rows, sample = len(x), min(len(x), SAMPLE)
    near[:] = 0
    first[:] = 0
    second[:] = 0
    for k in range(sample):
        row = x[k * rows // sample, here]
        for i in range(near.size):
            store(near, i, fma(load(row, i), T(1 / sample), load(near, i)))
    for n in range(rows):
        row = x[n, here]
        for i in range(near.size):
            gap = load(row, i) - load(near, i)
            store(first, i, load(first, i) + gap)
            store(second, i, fma(gap, gap, load(second, i)))
    for i in range(near.size):
        first[i] /= T(rows)
        second[i] /= T(rows)


@scalar
def scale_columns(y, x, near, scale, offset, here):
    """y = (x - near) scale + offset, in the columns here."""
    for n in range(len(x)):
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
        nears, firsts, seconds = stage(mean), stage(mean), stage(mean)
        begin, end = columns(x.shape[1], part, parts)
        for start in range(begin, end, len(nears)):
            here = slice(start, min(start + len(nears), end))
            width = here.stop - start
            near, first, second = nears[:width], firsts[:width], seconds[:width]
            column_moments(near, first, second, x, here)
            for i in range(width):
                c = start + i
                variance = max(second[i] - first[i] * first[i], T(0))
                mean[c] = near[i] + first[i]
                rstd[c] = T(1) / np.sqrt(variance + T(EPSILON))
                running_mean[c] += T(MOMENTUM) * (mean[c] - running_mean[c])
                running_var[c] += T(MOMENTUM) * (variance * T(rows / (rows - 1)) - running_var[c])
                second[i] = rstd[c] * gamma[c]
                first[i] = fma(-first[i], second[i], beta[c])
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
    """dx, dgamma and dbeta; spread is rstd of the batch in training, else the running variance."""

    @kernel(name="batch_norm_backward" if training else "batch_norm_evaluate_backward", sealed=True)
    def loop(dx, dgamma, dbeta, dy, x, mean, spread, gamma, a, part, parts):
        T = x.dtype.type
        factors, slopes, offsets = stage(dgamma), stage(dgamma), stage(dgamma)
        begin, end = columns(x.shape[1], part, parts)
        for start in range(begin, end, len(factors)):
            here = slice(start, min(start + len(factors), end))
            center, first, second = mean[here], dbeta[here], dgamma[here]
            factor, slope, offset = factors[: center.size], slopes[: center.size], offsets[: center.size]
            first[:] = 0
            second[:] = 0
            for n in range(len(x)):
                upstream, row = dy[n, here], x[n, here]
                for i in range(center.size):
                    store(first, i, load(first, i) + load(upstream, i))
                    store(second, i, fma(load(upstream, i), load(row, i) - load(center, i), load(second, i)))
            for i in range(center.size):
                rstd = spread[start + i] if training else T(1) / np.sqrt(spread[start + i] + T(EPSILON))
                second[i] *= rstd
                factor[i] = gamma[start + i] * rstd
                slope[i] = -factor[i] * rstd * second[i] / T(len(x))
                offset[i] = -factor[i] * first[i] / T(len(x))
            for n in range(len(x)):
                out, upstream, row = dx[n, here], dy[n, here], x[n, here]
                for i in range(center.size):
                    rest = fma(load(row, i) - load(center, i), load(slope, i), load(offset, i)) if training else T(0)
                    store(out, i, fma(load(upstream, i), load(factor, i), rest))
        return True

    return loop
