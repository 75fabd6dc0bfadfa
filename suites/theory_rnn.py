"""Predictions of vanilla RNNs across time, from h_0 = 0 on x ~ N(0, I), and how far the same weights are from them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.polynomial import polynomial
from scipy.special import eval_hermitenorm

from kernels.critical import Function, MeanField, expectation
from kernels.initializers import Initializer
from suites.prediction import (
    PROMISED,
    Array,
    Moments,
    NoTheoryError,
    Prediction,
    check_spread,
    flatness,
    ingredients,
    less,
    settled,
)

# Mean of ln of the spectral radius of a Gaussian matrix, of n columns and entries of variance 1/n, times the root of n:
# this times ln n less that. Of 30 to 2000 matrices of n = 8 to 256 it is 0.002 to 0.03 less.
RADIUS, RADIUS_LESS, LEAST_COLUMNS = 0.136, 0.13, 8.0
# Where slopes change, ways of another time weigh r, see Added: simulated networks, widths 32 to 256, 100 to 500 steps,
# are above their lines by 0.3 of what the radius gives at r = 0.8, 0.4 at 0.92, 0.7 at 0.98: less than this power of r.
FEWER = 4
NEAR = 1e-2  # relative difference in q of numerical derivatives
TERMS = 40  # of a series in the correlation of two pre-activations
MET = 16  # steps after which two times share what they will
SAME = 1 - 1e-9  # of slopes that are the same at all times but for rounding
LONGEST_KEPT = 0.99  # slope of the variance map, for which a fluctuation of q lasts 100 steps


def rnn(*, activation: str, initializer: str, length: int, width: int, inputs: int, batch: int, **_: Any) -> Prediction:
    """Each step adds the input's variance to the pre-activation's, and multiplies the squared gradient by chi.

    That is of independent weights at every step, infinitely many units and inputs (Schoenholz et al. 2017). It is drawn
    where what the same weights and few inputs add, see Added, is at most PROMISED per step. Most of that is what
    networks differ by: to leading order half of a variance, by which the mean square is larger and the mean of log10 is
    not. So it is in the curve of one sample, which has a band, where it is as little, and not in that of a batch.
    Simulated networks, widths 32 to 256, up to 500 steps, have 0.6 to 1.5 times the band's standard deviation, most of
    them, and are centred within PROMISED per step of it.
    """
    field, rule = ingredients(activation, initializer)
    mixed, entering = variances(rule, width, inputs)
    moments = Moments.of(field)
    found = settled(lambda q: mixed * moments.value(q) + entering, entering, length)
    spreads = np.array([moments.spread(q) for q in found])
    check_spread(float(np.mean(spreads)), width, batch, length)
    factors = [mixed * moments.slope(q) for q in found]
    prediction = Prediction.of_factors(factors)
    added = Added.of(field, rule, found[-1], length, width, inputs)
    if not math.isfinite(added.largest):
        raise NoTheoryError("its pre-activations outgrow float64")
    if not added.largest <= PROMISED * length:
        raise NoTheoryError(
            f"that its weights are the same at every step, or its inputs few, adds some {added.largest / length:.2g} "
            "decades per step, and the theory is of independent ones"
        )
    variance, more = (spreads - less(rule)) / width, added.by_steps[::-1]
    if batch > 1 or not more[0] / (2 * math.log(10)) <= PROMISED * length:
        return prediction
    # -np.diff: what each step adds, so that sums from the end are by_steps
    banded = Prediction.of_factors(factors, list(variance - 2 * np.diff(more)))
    return replace(banded, curve=banded.curve + more / (2 * math.log(10)))


@dataclass(frozen=True)
class Added:
    """What the same weights at every step and few inputs add to ln of an RNN's squared gradient, to leading order.

    by_steps: after 0 to L steps back, shape (L + 1,). largest: decades by which a network is more, after L steps, at
    most: ways that meet once are what networks differ by, and beyond leading order a gradient grows no faster than by
    the spectral radius of the weights.

    Derived here. A squared norm is a sum over pairs of ways through the units; with independent weights both are the
    same way, each step of it weighs chi = sw2 E[f'^2]. Of t steps and N units there are besides:

    - ways that meet themselves twice, a X b Y a Z b, beside those with X and Z exchanged, a Z b Y a X b, which have the
      same weights: 1/N^2 for each x > 0, y >= 0, z > 0, the steps of X, Y and Z. A step at another time weighs
      r = E[f'(u) f'(v)] / E[f'^2] of one at the same time, u and v a unit's pre-activations at two times: together
      r^(x + y + z), but r^(2 x) where x = z > 0 leaves Y in its place. Without slopes it is t^4 / (24 N^2) of many
      steps, as in sinh(t^2 / 2N) / (t^2 / 2N), which Gaussian matrices have as N grows with t^2 / N fixed.
    - ways that meet themselves once, t^2 / 2N: E[f'(u)^2 f'(v)^2] / E[f'^2]^2 = 1 + v for each meeting.
    - few inputs: |x|^2 is not its mean; ln q at a step is off with variance 2/inputs of the input's share. It adds
      chi''/chi by half of that variance of q, and to v (chi'/chi)^2 by it, since a unit's weights of x are as few;
      q goes on to the next steps with the slope of the variance map.

    u and v covary as the fixed point of c <- sw2 E[f(u) f(v)] + sb2. Orthogonal weights without slopes add nothing.
    Where slopes stand, units of steep ones count most: the weights' spectral radius is that of N / (1 + v) units.
    """

    by_steps: Array
    largest: float

    @classmethod
    def of(cls, field: MeanField, rule: Initializer, q: float, length: int, width: int, inputs: int) -> "Added":
        """q: the variance of pre-activations, where it settles."""
        mixed, entering = variances(rule, width, inputs)
        standing = rule.bias_variance(width)
        square, chi = field.value_moment(q), field.slope_moment(q)

        def steep(x: Array) -> Array:
            return field.df(x) ** 2 / chi

        values = pairs(field.f, q, field.kinks)
        c = settled(lambda c: min(mixed * square * values(c / q) + standing, q), standing, MET)[-1]
        r = min(pairs(field.df, q, field.kinks)(c / q), 1.0)
        if rule.name == "orthogonal" and r > SAME:
            return cls(np.zeros(length + 1), 0.0)
        v = pairs(steep, q, field.kinks)(c / q) * flatness(field.df, q, field.kinks) - 1
        below, above = (field.slope_moment(q * (1 + side * NEAR)) / chi for side in (-1, 1))
        first, second = (above - below) / (2 * NEAR), (above + below - 2) / NEAR**2  # in q/q
        few = 2 / inputs * ((entering - standing) / q) ** 2
        remains = min(field.slope(q, mixed), LONGEST_KEPT)
        v += first**2 * few
        steps = np.arange(length + 1.0)
        twice, once = meeting_twice(r, length) / width**2, v * steps**2 / (2 * width)
        sizes = few / 2 * steps * (abs(second) + first**2 * (1 / (1 - remains) ** 2 - 1))
        columns = max(width / (1 + v), LEAST_COLUMNS)
        radius = r**FEWER * (RADIUS * math.log(columns) - RADIUS_LESS) / math.sqrt(columns)
        largest = (min(twice[-1], 2 * length * radius) + sizes[-1]) / (2 * math.log(10))
        return cls(twice + once + sizes, largest)


def meeting_twice(r: float, length: int) -> Array:
    """The sum over pairs of ways that meet twice, see Added, of 0 to length steps, shape (length + 1,)."""
    steps = np.arange(length + 1.0)
    powers = r**steps
    exchanged = np.cumsum(np.cumsum(steps * (steps - 1) / 2 * powers))
    # besides X and Z of one length: ways of Y, less those that are exchanged, of any place
    ways = steps * (steps + 1) / 2 - np.cumsum(np.cumsum(np.append(0.0, powers[1:])))
    in_place = np.zeros(length + 1)
    for t in range(3, length + 1):
        in_place[t] = r * r * (in_place[t - 2] + ways[t - 2])
    return np.asarray(exchanged + in_place)


def pairs(g: Function, q: float, kinks: tuple[float, ...], terms: int = TERMS) -> Callable[[float], float]:
    """E[g(u) g(v)] / E[g^2], u, v ~ N(0, q), as a function of their correlation, 0 to 1.

    NaN where E[g^2] is beyond float64, 1 where it is 0.
    The sum over k of (E[g He_k] rho^k)^2 / k! (Mehler 1866). What is left of E[g^2] after so many terms is given to the
    last, so that it is exact at 0 and at 1. g and He_k are taken over their root mean squares, so that no product of
    theirs leaves float64.
    """
    scale, root = math.sqrt(q), math.sqrt(expectation(lambda x: g(x) ** 2, q, kinks))
    if not 0 < root < math.inf:
        return lambda rho: math.nan if root else 1.0

    def share(k: int) -> float:
        polynomials = math.sqrt(math.gamma(k + 1))
        return expectation(lambda x: g(x) / root * (eval_hermitenorm(k, x / scale) / polynomials), q, kinks) ** 2

    shares = np.array([share(k) for k in range(terms)])
    shares[-1] += 1 - shares.sum()
    return lambda rho: float(polynomial.polyval(min(rho, 1.0), shares))


def variances(rule: Initializer, width: int, inputs: int) -> tuple[float, float]:
    """What h of mean square 1 gives to the variance of a gate's pre-activation; what x and the bias do."""
    entering = rule.weight_variance(inputs, width, width) + rule.bias_variance(width)
    return rule.weight_variance(width, width, width), entering
