"""Predictions across time: vanilla RNN, LSTM and GRU from h_0 = 0 on x ~ N(0, I), with the same weights at every step.

In a gated cell a gradient can stay in its unit for a step or hop to others through the weights, so it takes many ways
back. With the weights the same at every step, ways that hop equally often, whenever they do, add up: the norm gains
about stay + hop per step. The mean field of independent weights, sqrt(stay^2 + hop^2), is wrong for them.
"""

import math
from itertools import accumulate
from typing import Any

import numpy as np

from kernels.correlation import gaussian_pair
from kernels.critical import MeanField
from kernels.initializers import Initializer
from suites.gated_ways import CLASSES_WALKED, Ways, alike, various
from suites.prediction import Array, Moments, NoTheoryError, Prediction, check_spread, ingredients, settled

UNITS = 1024  # of a population that stands for all units of the mean field
SETTLING = 128  # steps after which gates are as they will be, where all units are alike
LARGEST_VARIANCE = 4.0  # of a gate's pre-activation: beyond it gates are switches, which one step's mean does not tell
LARGEST_STANDING = 0.02  # of that variance: what stands still, as the state's mean does, and makes units differ
LARGEST_STANDING_SHARE = 0.2  # the same over the whole variance
LARGEST_FEEDBACK = 0.13  # of that variance in an LSTM: what its state gives to it, beyond which its state may run away
TINY = 1e-300
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(48)


def rnn(*, activation: str, initializer: str, length: int, width: int, inputs: int, **_: Any) -> Prediction:
    """Each step adds the input's variance to the pre-activation's, and multiplies the squared gradient by chi.

    To leading order in length^2/width: the same weights at every step add to the norm, about a decade over 100 steps
    of 256 units where the gradient neither dies nor saturates.
    """
    field, rule = ingredients(activation, initializer)
    mixed, entering = _variances(rule, width, inputs)
    moments = Moments(field)
    found = settled(lambda q: mixed * moments.value(q) + entering, entering, length)
    check_spread(max(moments.spread(q) for q in set(found)) / width)
    return Prediction.of_factors([mixed * moments.slope(q) for q in found])


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
