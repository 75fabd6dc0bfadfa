"""Predictions of vanilla RNNs across time, from h_0 = 0 on x ~ N(0, I), and how far the same weights are from them."""

import math
from collections.abc import Callable
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
    settled,
)

# Decades left out of a curve, to leading order, where it is drawn: what is promised of as few as 5 steps, because
# what is beyond that order grows as the length squared.
LARGEST_CORRECTION = 5 * PROMISED
NEAR = 1e-2  # relative difference in q of numerical derivatives
TERMS = 40  # of a series in the correlation of two pre-activations
MET = 16  # steps after which two times share what they will
ALIKE = 1 - 1e-9  # of slopes that are the same at all times but for rounding
LONGEST_KEPT = 0.99  # slope of the variance map, for which a fluctuation of q lasts 100 steps


def rnn(*, activation: str, initializer: str, length: int, width: int, inputs: int, batch: int, **_: Any) -> Prediction:
    """Each step adds the input's variance to the pre-activation's, and multiplies the squared gradient by chi.

    That is of independent weights at every step, infinitely many units and inputs (Schoenholz et al. 2017); it is drawn
    where what the same weights and few inputs add, see correction, is at most LARGEST_CORRECTION decades, and no more
    than PROMISED per step.
    """
    field, rule = ingredients(activation, initializer)
    mixed, entering = variances(rule, width, inputs)
    moments = Moments.of(field)
    found = settled(lambda q: mixed * moments.value(q) + entering, entering, length)
    check_spread(float(np.mean([moments.spread(q) for q in found])), width, batch, length)
    prediction = Prediction.of_factors([mixed * moments.slope(q) for q in found])
    more = correction(field, rule, found[-1], length, width, inputs)
    if not math.isfinite(more):
        raise NoTheoryError("its pre-activations outgrow float64")
    if not more <= min(LARGEST_CORRECTION, PROMISED * length):
        raise NoTheoryError(
            f"that its weights are the same at every step, or its inputs few, adds some {more:.2g} decades, "
            "and the theory is of independent ones"
        )
    return prediction


def correction(field: MeanField, rule: Initializer, q: float, length: int, width: int, inputs: int) -> float:
    """Decades that the same weights at every step and few inputs add to an RNN, to leading order; q: where it settles.

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
    """
    mixed, entering = variances(rule, width, inputs)
    standing = rule.bias_variance(width)

    square, chi = field.value_moment(q), field.slope_moment(q)

    def steep(x: Array) -> Array:
        return field.df(x) ** 2 / chi

    values = pairs(field.f, q, field.kinks)
    c = settled(lambda c: min(mixed * square * values(c / q) + standing, q), standing, MET)[-1]
    r = min(pairs(field.df, q, field.kinks)(c / q), 1.0)
    v = pairs(steep, q, field.kinks)(c / q) * flatness(field.df, q, field.kinks) - 1
    if rule.name == "orthogonal" and r > ALIKE:
        return 0.0
    below, above = (field.slope_moment(q * (1 + side * NEAR)) / chi for side in (-1, 1))
    first, second = (above - below) / (2 * NEAR), (above + below - 2) / NEAR**2  # in q/q
    few = 2 / inputs * ((entering - standing) / q) ** 2
    remains = min(field.slope(q, mixed), LONGEST_KEPT)
    steps = np.arange(1, length + 1)
    exchanged = float((length - steps + 1.0) * steps * (steps - 1) / 2 @ r**steps)
    alone, left = steps[: (length - 1) // 2], length - 2 * steps[: (length - 1) // 2]  # of X; besides X and Z
    moved = np.cumsum(np.cumsum(r**steps))[left - 1]
    in_place = float((left * (left + 1.0) / 2 - moved) @ r ** (2 * alone))
    ways = math.log1p((exchanged + in_place) / width**2)
    meetings = (v + first**2 * few) * length / width * length / 2
    sizes = few / 2 * length * (abs(second) + first**2 * (1 / (1 - remains) ** 2 - 1))
    return (ways + meetings + sizes) / (2 * math.log(10))


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
