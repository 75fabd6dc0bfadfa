"""Predictions across time: vanilla RNN, LSTM and GRU from h_0 = 0 on x ~ N(0, I), with the same weights at every step.

In a gated cell a gradient can stay in its unit for a step or hop to others through the weights, so it takes many ways
back. With the weights the same at every step, ways that hop equally often, whenever they do, add up: the norm gains
about stay + hop per step. The mean field of independent weights, sqrt(stay^2 + hop^2), is wrong for them.

Derived here: the state is followed as a population of units whose gates have Gaussian pre-activations, drawn anew at
every step, of the variance that the state gives them. Where it has settled each step has the same moments of what
stays and what hops: means over gates, times sw2 for each pair of hops through one weight. Terms of a gate's own slope
(i (1 - i) and the like) have mean 0 over the weights, and count only where both ways take them at the same step: they
are in hop_squared alone (an LSTM's output gate, by which a gradient gets past c, is added at the end).
gated_ways sums the ways.
"""

import math
from itertools import accumulate
from typing import Any

import numpy as np

from kernels.correlation import gaussian_pair
from kernels.critical import Function, MeanField
from kernels.initializers import Initializer
from suites.gated_ways import CLASSES_WALKED, Ways, alike, various
from suites.prediction import Array, Moments, NoTheoryError, Prediction, check_spread, ingredients, settled

UNITS = 1024  # of a population that stands for all units of the mean field
SETTLING = 128  # steps after which gates are as they will be, where all units are alike
LARGEST_VARIANCE = 4.0  # of a gate's pre-activation: beyond it gates are switches, which one step's mean does not tell
LARGEST_STANDING = 0.02  # of that variance: what stands still, as the state's mean does, and makes units differ
LARGEST_STANDING_SHARE = 0.2  # the same over the whole variance
LARGEST_FEEDBACK = 0.13  # of that variance in an LSTM: what its state gives to it, beyond which its state may run away
LARGEST_CORRECTION = 0.1  # decades: what is left out of an RNN's curve, to leading order, where it is drawn
NEAR = 1e-2  # relative difference in q of numerical derivatives
BENDS = (-16.0, -4.0, -1.0, 0.0, 1.0, 4.0, 16.0)  # about where activations bend, narrowly beside a large q
MET = 16  # steps after which two times share what they will
ALIKE = 1 - 1e-9  # of slopes that are the same at all times but for rounding
LONGEST_KEPT = 0.99  # slope of the variance map, for which a fluctuation of q lasts 100 steps
TINY = 1e-300
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(48)


def rnn(*, activation: str, initializer: str, length: int, width: int, inputs: int, **_: Any) -> Prediction:
    """Each step adds the input's variance to the pre-activation's, and multiplies the squared gradient by chi.

    That is of independent weights at every step, infinitely many units and inputs (Schoenholz et al. 2017); it is drawn
    where what the same weights and few inputs add, see correction, is at most LARGEST_CORRECTION decades.
    """
    field, rule = ingredients(activation, initializer)
    mixed, entering = _variances(rule, width, inputs)
    moments = Moments.of(field)
    found = settled(lambda q: mixed * moments.value(q) + entering, entering, length)
    check_spread(max(moments.spread(q) for q in set(found)) / width)
    prediction = Prediction.of_factors([mixed * moments.slope(q) for q in found])
    more = correction(field, rule, found[-1], length, width, inputs)
    if not more <= LARGEST_CORRECTION:
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
    mixed, entering = _variances(rule, width, inputs)
    standing = rule.bias_variance(width)

    def pair(g: Function, covariance: float) -> float:
        return gaussian_pair(g, q, min(covariance / q, 1.0), (*BENDS, *field.kinks))

    def steep(x: Array) -> Array:
        return field.df(x) ** 2

    c = settled(lambda c: min(mixed * pair(field.f, c) + standing, q), standing, MET)[-1]
    r, v = min(pair(field.df, c) / pair(field.df, q), 1.0), pair(steep, c) / pair(steep, 0.0) - 1
    if rule.name == "orthogonal" and r > ALIKE:
        return 0.0
    below, chi, above = (field.slope_moment(q * (1 + side * NEAR)) for side in (-1, 0, 1))
    first, second = (above - below) / (2 * NEAR * chi), (above + below - 2 * chi) / (NEAR**2 * chi)  # in q/q
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


def lstm(*, activation: str, initializer: str, length: int, width: int, inputs: int, **_: Any) -> Prediction:
    """c <- f c + i g, h = o act(c): a gradient stays by f, and hops by i g', the weights and o act'(c)."""
    field, rule = ingredients(activation, initializer)
    mixed, entering = _variances(rule, width, inputs)
    keep = _keeping(rule, length)
    take = -keep if rule.name == "chrono" else np.zeros(1)
    rng, c, h = np.random.default_rng(0), np.zeros(UNITS), np.zeros(UNITS)
    for _step in range(_settling(keep, length)):
        q = _variance(mixed, entering, h)
        noise = math.sqrt(q) * rng.standard_normal((4, UNITS))
        c = _sigmoid(keep + noise[0]) * c + _sigmoid(take + noise[1]) * field.f(noise[2])
        h = _sigmoid(noise[3]) * field.f(c)
    q = _variance(mixed, entering, h)
    if not q - entering <= LARGEST_FEEDBACK:
        raise NoTheoryError("its state weighs so much in its gates that in some networks it holds itself up")
    g = _lasting_slope(field, q, mixed * float(np.mean(h)) ** 2 + rule.bias_variance(width))
    f, i, o = _Gate(keep, q), _Gate(take, q), _Gate(np.zeros(1), q)
    slopes = field.df(c)
    hop = math.sqrt(mixed * g) * i.mean * o.mean * np.mean(slopes)
    changed = i.squared * field.slope_moment(q) + i.steep * field.value_moment(q) + f.steep * np.mean(c * c)
    hop_squared = mixed * changed * o.squared * np.mean(slopes**2)
    ways = Ways(f.mean, f.squared, hop, hop_squared, f.mean * hop)
    if keep.size > 1:
        hops = various(ways, length, staying=False)[1:]
    else:  # the first hop takes the gradient from h to c, and the last one back: what is between is of c alone
        hops = math.log(np.mean(hop_squared)) + alike(ways, length - 1)
    # By way of the output gate a gradient gets from h to the h before, past c.
    past = math.log(max(mixed * float(np.mean(field.f(c) ** 2)) * float(o.steep[0]), TINY))
    return _prediction(np.array([*accumulate(hops, lambda after, own: np.logaddexp(own, after + past), initial=0.0)]))


def gru(*, activation: str, initializer: str, length: int, width: int, inputs: int, **_: Any) -> Prediction:
    """h <- z h + (1 - z) n: a gradient stays by z, and hops by (1 - z) n' r and the weights."""
    field, rule = ingredients(activation, initializer)
    mixed, entering = _variances(rule, width, inputs)
    keep, standing_bias = _keeping(rule, length), rule.bias_variance(width)
    rng, h = np.random.default_rng(0), np.zeros(UNITS)
    for _step in range(_settling(keep, length)):
        q = _variance(mixed, entering, h)
        inner = _inner(mixed, entering, standing_bias, h, q)
        kept = _sigmoid(keep + math.sqrt(q) * rng.standard_normal(UNITS))
        h = kept * h + (1 - kept) * field.f(math.sqrt(inner) * rng.standard_normal(UNITS))
    q = _variance(mixed, entering, h)
    inner = _inner(mixed, entering, standing_bias, h, q)
    through = inner - entering  # what comes by way of r h Wn
    slope = _lasting_slope(field, inner, mixed * float(np.mean(h)) ** 2 / 4 + standing_bias)
    z, r = _Gate(keep, q), _Gate(np.zeros(1), q)
    hop = math.sqrt(mixed * slope) * (1 - z.mean) * r.mean
    apart = np.mean((h - field.f(math.sqrt(inner) * rng.standard_normal(UNITS))) ** 2)
    opened = 1 - 2 * z.mean + z.squared
    changed = opened * field.slope_moment(inner) * (r.squared + r.steep * through / r.squared) + z.steep * apart
    ways = Ways(z.mean, z.squared, hop, mixed * changed, hop * (z.mean - z.squared) / (1 - z.mean))
    return _prediction(alike(ways, length) if keep.size == 1 else various(ways, length, staying=True))


class _Gate:
    """Moments of s(z + bias), z ~ N(0, q), one of each for each bias: mean, mean square, and the mean squared slope."""

    def __init__(self, bias: Array, q: float) -> None:
        values = _sigmoid(bias[:, None] + math.sqrt(q) * NODES)
        weights = WEIGHTS / WEIGHTS.sum()
        self.mean, self.squared, self.steep = (v @ weights for v in (values, values**2, (values * (1 - values)) ** 2))


def _sigmoid(x: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(x / 2)


def _variances(rule: Initializer, width: int, inputs: int) -> tuple[float, float]:
    """What h of mean square 1 gives to the variance of a gate's pre-activation; what x and the bias do."""
    entering = rule.weight_variance(inputs, width, width) + rule.bias_variance(width)
    return rule.weight_variance(width, width, width), entering


def _variance(mixed: float, entering: float, h: Array) -> float:
    """Of a gate's pre-activations.

    Raises:
        NoTheoryError: it is so large that a gate is a switch.
    """
    q = mixed * float(np.mean(h * h)) + entering
    if not q < LARGEST_VARIANCE:
        raise NoTheoryError(f"its gates are switches: their pre-activations have a variance of {q:.3g} or more")
    return q


def _inner(mixed: float, entering: float, standing: float, h: Array, q: float) -> float:
    """The variance of what a GRU's new state is the activation of: x Wn + b + r (h Wn + bh)."""
    return entering + float(_Gate(np.zeros(1), q).squared[0]) * (mixed * float(np.mean(h * h)) + standing)


def _lasting_slope(field: MeanField, q: float, standing: float) -> float:
    """E of the product of a unit's slopes at two steps, of whose pre-activations the variance standing is the same.

    Raises:
        NoTheoryError: so much stands still that units are no longer alike.
    """
    if not standing <= min(LARGEST_STANDING, LARGEST_STANDING_SHARE * q):
        raise NoTheoryError("its state has a mean that holds gates open or shut, differently in every unit")
    return gaussian_pair(field.df, q, standing / q, field.kinks)


def _keeping(rule: Initializer, length: int) -> Array:
    """The biases of the gate that keeps the old state, over a population, or the only one; see kernels.gates."""
    if rule.gates is None:
        return np.zeros(1)
    population = np.zeros(UNITS)
    rule.gates(np.random.default_rng(0), {"z": population}, length)
    if np.ptp(population) == 0:
        return population[:1]
    if length > CLASSES_WALKED:
        raise NoTheoryError(
            f"where units remember differently long theory is worked out for up to {CLASSES_WALKED} steps"
        )
    return population


def _settling(keep: Array, length: int) -> int:
    return min(length, SETTLING) if keep.size == 1 else length


def _prediction(logs: Array) -> Prediction:
    """From ln of the mean squared gradient so many steps back."""
    return Prediction((logs[::-1] - logs[0]) / (2 * math.log(10)), np.full(logs.size, np.nan))
