"""All ways that a gradient takes back through a gated cell, summed: the weights are the same at every step."""

import math
from collections.abc import Callable
from dataclasses import astuple, dataclass

import numpy as np

from suites.prediction import Array

WALKED = 1024  # steps after which the factor per step is taken to be the last one's
CLASSES_WALKED = 512  # the same where units differ
SHRUNK = 8.0  # ln of what the last coefficient of a series is shrunk by, so that those beyond it do not fold into it


@dataclass(frozen=True)
class Ways:
    """What a step does to a gradient in a unit: first and second moments over time, an array over the units of each.

    stay: what remains in the unit; hop: what goes on through the weights, times the root of sw2; stay_hop: the mean of
    the product of both.
    """

    stay: Array
    stay_squared: Array
    hop: Array
    hop_squared: Array
    stay_hop: Array


def alike(ways: Ways, steps: int) -> Array:
    """ln of the mean squared gradient after 0 to steps steps back, of a cell whose units are all alike.

    The square of a norm is a sum over pairs of ways. A pair counts if both have gone through the same weights, that is
    if they have hopped equally often in the end. So two ways are walked side by side: while one is hops ahead of the
    other they are in different units, where gates are independent; otherwise in the same one at the same time.

    Derived here, with p_k the weight of pairs of which one is k hops ahead. At k > 0 both stay or both hop, stay^2 +
    hop^2, which keeps k; one of them hops, stay hop, which moves k by 1 up or down. At k = 0 they are one way: both
    stay or both hop, E[stay^2] + E[hop^2], or one of them hops, E[stay hop]; negative k mirror positive ones. So p_0
    after n steps is the mean square. Where gates stand still it is the sum of (C(n, k) stay^(n - k) hop^k)^2. What of
    it is due to 1/width, ways that meet again, is left out.
    """
    walked = min(steps, WALKED)
    pairs, logs = np.zeros(walked + 2), np.zeros(steps + 1)  # pairs by how many hops one is ahead; times the last one's
    pairs[0] = 1.0
    stay, stay_squared, hop, hop_squared, stay_hop = (float(np.mean(moment)) for moment in astuple(ways))
    even, uneven = stay**2 + hop**2, stay * hop
    for n in range(1, walked + 1):
        together, pairs[0] = pairs[0], 0.0
        after = even * pairs
        after[1:] += uneven * pairs[:-1]
        after[:-1] += uneven * pairs[1:]
        after[0] += uneven * pairs[1] + (stay_squared + hop_squared) * together
        after[1] += stay_hop * together
        logs[n] = logs[n - 1] + math.log(after[0])
        pairs = after / after[0]
    logs[walked:] = logs[walked] + (logs[walked] - logs[walked - 1]) * np.arange(steps - walked + 1)
    return logs


def various(ways: Ways, steps: int, staying: bool) -> Array:
    """The same where units differ: their moments are arrays. After CLASSES_WALKED steps the last factor is repeated.

    staying: whether a way may end with steps in its last unit, or ends as it hops. Gates are taken for independent of
    one another even where two ways are in one unit, unless they came into it together and leave it together.

    Of independent gates it is the diagonal of a series in x and y, the steps of both ways: 1/(1 - x y B(x, y)), times
    A(x, y) where staying; A = E[1/((1 - f x)(1 - f y))], B = E[a^2/((1 - f x)(1 - f y))], f = stay, a = hop. Derived
    here: between two hops a way stays any number of steps in one unit, a geometric series in f x, and both ways of a
    pair hop through the same units in the same order, each of which has an f of its own: x y B for each hop.
    """
    if steps > CLASSES_WALKED:
        logs = various(ways, CLASSES_WALKED, staying)
        return np.append(logs, logs[-1] + (logs[-1] - logs[-2]) * np.arange(1, steps - CLASSES_WALKED + 1))
    size, n = 3 * steps // 2 + 2, np.arange(steps + 1)
    radius = math.exp(-SHRUNK / steps) / fastest(ways)
    x = radius * np.exp(2j * np.pi * np.arange(size) / size)
    pairs = _pairs(ways.stay, x)
    hopping = 1 / (1 - np.outer(x, x) * pairs(ways.hop**2))

    def diagonal(series: Array) -> Array:
        return np.fft.fft(_antidiagonals(series)).real[: steps + 1] / size**2 * radius ** (-2.0 * n)

    together, apart = _powers(ways.stay_squared, steps), _powers(ways.stay**2, steps)
    more_hopping = np.append(0.0, np.mean(ways.hop_squared * together - ways.hop**2 * apart, axis=1)[:-1])
    independent = diagonal(hopping)
    recurring = np.convolve(independent, more_hopping)[: steps + 1]
    from scipy.signal import lfilter  # here, because importing it takes a second

    hops = lfilter([1.0], np.append(1.0, -recurring[1:]), independent)
    if not staying:
        return np.log(hops)
    ends = diagonal(hopping * pairs(np.ones_like(ways.stay)))
    then = np.convolve(more_hopping, ends)[: steps + 1] + np.mean(together - apart, axis=1)
    return np.log(ends + np.convolve(hops, then)[: steps + 1])


def _powers(base: Array, most: int) -> Array:
    """Rows base^0 to base^most."""
    return np.vstack([np.ones_like(base), np.multiply.accumulate(np.broadcast_to(base, (most, base.size)))])


def _pairs(stay: Array, x: Array) -> Callable[[Array], Array]:
    """The mean over units of weights/((1 - stay x) (1 - stay y)), a function of the weights, for x and y of an array.

    1/((1 - s x) (1 - s y)) = (x/(1 - s x) - y/(1 - s y))/(x - y): one sum over units for each x is enough. x are points
    of a circle, the first one on the real axis, where the second half has the conjugates of the first.
    """
    half = len(x) // 2 + 1
    kept = 1 / (1 - x[:half, None] * stay)
    squared = kept**2
    apart = np.subtract.outer(x, x)
    np.fill_diagonal(apart, 1.0)

    def around(sums: Array) -> Array:
        return np.append(sums, sums[1 : len(x) - half + 1][::-1].conj()) / stay.size

    def mean(weights: Array) -> Array:
        once = x * around(kept @ weights)
        pairs = np.subtract.outer(once, once) / apart
        np.fill_diagonal(pairs, around(squared @ weights))
        return pairs

    return mean


def _antidiagonals(square: Array) -> Array:
    """Sums of those elements (j, k) for which j + k is the same modulo the size."""
    size = len(square)
    twice = np.hstack([square, square])
    rows, columns = twice.strides
    shifted = np.lib.stride_tricks.as_strided(twice[:, size:], (size, size), (rows - columns, columns))
    return shifted.sum(axis=0)


def fastest(ways: Ways) -> float:
    """The spectral radius z of diag(stay) + W diag(hop), W Gaussian of variance 1/width: E[hop^2/(z - stay)^2] = 1."""
    low = float(np.max(ways.stay))
    high = low + float(np.max(ways.hop)) + 1.0
    while True:
        z = (low + high) / 2
        if z in (low, high):
            return high
        low, high = (z, high) if np.mean((ways.hop / (z - ways.stay)) ** 2) > 1 else (low, z)
