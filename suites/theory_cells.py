"""Predictions of gated cells across time: LSTM and GRU from h_0 = 0 on x ~ N(0, I), the same weights at every step.

In a gated cell a gradient can stay in its unit for a step or hop to others through the weights, so it takes many ways
back. With the weights the same at every step, ways that hop equally often, whenever they do, add up: the norm gains
about stay + hop per step. The mean field of independent weights, sqrt(stay^2 + hop^2), is wrong for them.

Derived here: the state is followed as a population of units whose gates have Gaussian pre-activations, drawn anew at
every step, of the variance that the state gives them. Where it has settled each step has the same moments of what
stays and what hops: means over gates, times sw2 for each pair of hops through one weight. Terms of a gate's own slope
(i (1 - i) and the like) have mean 0 over the weights, and count only where both ways take them at the same step: they
are in hop_squared alone (an LSTM's output gate, by which a gradient gets past c, is added at the end). What of a
pre-activation stands, by the mean of the state and by biases, makes classes of units that keep more or less of a
gradient, and those that keep most count most. gated_ways sums the ways.

Bounds: within them the mean over networks of log10 is within PROMISED of the line, as simulated cells of widths 12 to
400, 5 to 200 steps, 1 to 128 inputs and all activations have it (worst 0.017 per step; just outside, see each).
Networks of less than some 50 units differ so much that a few of them carry the mean square far above the line.
"""

import math
from itertools import accumulate
from typing import Any

import numpy as np

from kernels.critical import MeanField
from kernels.initializers import Initializer
from suites.gated_ways import CLASSES_WALKED, Ways, alike, various
from suites.populations import UNITS, Gate, classes, met, noise_of_steps, sigmoid
from suites.prediction import Array, NoTheoryError, Prediction, check_spread, ingredients
from suites.theory_rnn import pairs, variances

SETTLING = 40  # steps after which gates are as they will be, where all units are alike: 0.73^40 is 3e-6
# Of a gate's pre-activation: beyond it gates are switches, which one step's mean does not tell. GRUs are 0.017 off at
# 3.8 and 0.027 at 5.9.
LARGEST_VARIANCE = 4.0
# Of that variance, and its share: what stands still. Of GRUs with ReLU, narrow ones are 0.015 off at 0.026 and 0.03 at
# 0.045, where the classes that count are of less than one unit.
LARGEST_STANDING = 0.03
LARGEST_STANDING_SHARE = 0.2
# Of that variance in an LSTM: what its state gives to it, beyond which its state runs away in some networks, and in
# more of them where they are narrow: by NARROW units as much as by twice that of infinitely many. Lines are 0.01 off at
# 0.13 of width 256, and 0.02 at 0.09 of width 16, 0.03 at 0.13 of width 24.
LARGEST_FEEDBACK = 0.13
NARROW = 16.0
# ln of the spectral radius of Gaussian weights, times the root of the width: the mean and two deviations more.
RADIUS = 1.15
# Variance of ln q that few inputs make, where q is 1 or more; less of it matters below. Lines are 0.018 off at 0.67, 3
# inputs, and 0.02 to 0.03 at 2.
LARGEST_FEW = 0.7
# Width times the variance of ln|Ju|^2 per step: single samples of simulated cells, widths 4 to 64, lose 0.2/width (GRU)
# to 0.4/width (LSTM) decades per step, which is 4 ln 10 times less.
GATED_SPREAD = 4.0
FEW_TERMS = 12  # of a series in LARGEST_STANDING_SHARE, to 1e-8
TINY = 1e-300


def lstm(
    *, activation: str, initializer: str, length: int, width: int, inputs: int, batch: int, **_: Any
) -> Prediction:
    """c <- f c + i g, h = o act(c): a gradient stays by f, and hops by i g', the weights and o act'(c)."""
    field, rule = ingredients(activation, initializer)
    mixed, entering = variances(rule, width, inputs)
    check_spread(GATED_SPREAD, width, batch)
    keep = _keeping(rule, length)
    take = -keep if rule.name == "chrono" else np.zeros(1)
    biases = np.array([keep + np.zeros(UNITS), take + np.zeros(UNITS), np.zeros(UNITS)])
    steps, c, h = _settling(keep, length), np.zeros(UNITS), np.zeros(UNITS)
    for noise in noise_of_steps()[:steps]:
        q = _variance(mixed, entering, h)
        f, i, o = sigmoid(biases + math.sqrt(q) * noise[:3])
        c = f * c + i * field.f(math.sqrt(q) * noise[3])
        h = o * field.f(c)
    q = _variance(mixed, entering, h)
    _check_inputs(entering, q, inputs)
    steepest = max(field.df(np.quantile(c, [0.02, 0.98])))  # far from the middle, whither it would run
    runaway = sigmoid(keep) + math.sqrt(mixed) * steepest * sigmoid(take) / 2 * math.exp(RADIUS / math.sqrt(width))
    if not (q - entering) * (1 + NARROW / width) <= LARGEST_FEEDBACK or not np.mean(runaway) < 1:
        raise NoTheoryError("its state weighs so much in its gates that in some networks it holds itself up")
    standing = mixed * float(np.mean(h)) ** 2 + rule.bias_variance(width)
    g = _lasting_slope(field, q, standing)
    f, i, o = Gate(keep, q), Gate(take, q), Gate(np.zeros(1), q)
    slopes = field.df(c)
    hop = math.sqrt(mixed * g) * i.mean * o.mean * np.mean(slopes)
    changed = i.squared * field.slope_moment(q) + i.steep * field.value_moment(q) + f.steep * np.mean(c * c)
    hop_squared = mixed * changed * o.squared * np.mean(slopes**2)
    if not np.all(hop_squared > 0):
        raise NoTheoryError("its activation has no slope, so that no gradient gets from one step's h to another's")
    if keep.size > 1:
        hops = various(Ways(f.mean, f.squared, hop, hop_squared, f.mean * hop), length, staying=False)[1:]
    else:  # the first hop takes the gradient from h to c, and the last one back: what is between is of c alone
        together = met(field, keep, q, standing, c, float(np.mean(f.mean + hop)))
        hop, hop_squared = hop * together, hop_squared * together**2

        def ways(f: Gate) -> Ways:
            return Ways(f.mean, f.squared, hop + 0 * f.mean, hop_squared, f.mean * hop)

        apart = Gate(keep + classes(standing), q - standing)
        hops = math.log(np.mean(hop_squared)) + _standing_apart(ways(f), ways(apart), length - 1)
    # By way of the output gate a gradient gets from h to the h before, past c.
    past = math.log(max(mixed * float(np.mean(field.f(c) ** 2)) * float(o.steep[0]), TINY))
    return _prediction(np.array([*accumulate(hops, lambda after, own: np.logaddexp(own, after + past), initial=0.0)]))


def gru(*, activation: str, initializer: str, length: int, width: int, inputs: int, batch: int, **_: Any) -> Prediction:
    """h <- z h + (1 - z) n: a gradient stays by z, and hops by (1 - z) n' r and the weights."""
    field, rule = ingredients(activation, initializer)
    mixed, entering = variances(rule, width, inputs)
    check_spread(GATED_SPREAD, width, batch)
    keep, standing_bias = _keeping(rule, length), rule.bias_variance(width)
    steps, h = _settling(keep, length), np.zeros(UNITS)
    for noise in noise_of_steps()[:steps]:
        q = _variance(mixed, entering, h)
        inner = _inner(mixed, entering, standing_bias, h, q)
        kept = sigmoid(keep + math.sqrt(q) * noise[0])
        h = kept * h + (1 - kept) * field.f(math.sqrt(inner) * noise[3])
    q = _variance(mixed, entering, h)
    _check_inputs(entering, q, inputs)
    inner = _inner(mixed, entering, standing_bias, h, q)
    through = inner - entering  # what comes by way of r h Wn
    slope = _lasting_slope(field, inner, mixed * float(np.mean(h)) ** 2 / 4 + standing_bias)
    r = Gate(np.zeros(1), q)
    differing = np.mean((h - field.f(math.sqrt(inner) * noise_of_steps()[steps][3])) ** 2)
    changed = field.slope_moment(inner) * (r.squared + r.steep * through / r.squared)

    def ways(z: Gate) -> Ways:
        hop = math.sqrt(mixed * slope) * (1 - z.mean) * r.mean
        opened = 1 - 2 * z.mean + z.squared
        hop_squared = mixed * (opened * changed + z.steep * differing)
        return Ways(z.mean, z.squared, hop, hop_squared, hop * (z.mean - z.squared) / (1 - z.mean))

    if keep.size > 1:
        return _prediction(various(ways(Gate(keep, q)), length, staying=True))
    standing = mixed * float(np.mean(h)) ** 2 + standing_bias
    apart = Gate(keep + classes(standing), q - standing)
    return _prediction(_standing_apart(ways(Gate(keep, q)), ways(apart), length))


def _standing_apart(mean: Ways, classes: Ways, steps: int) -> Array:
    """ln of the mean squared gradient where units are alike but for what stands, and makes classes of them.

    alike knows of two ways in one unit at one time, various of units that differ: by how much more it finds for the
    classes than for their mean is added to what alike finds.
    """
    logs = alike(mean, steps)
    if classes.stay.size == 1 or steps == 0:
        return logs
    return logs + various(classes, steps, staying=True) - various(mean, steps, staying=True)


def _variance(mixed: float, entering: float, h: Array) -> float:
    """Of a gate's pre-activations.

    Raises:
        NoTheoryError: it is so large that a gate is a switch.
    """
    q = mixed * float(np.mean(h * h)) + entering
    if not q < LARGEST_VARIANCE:
        raise NoTheoryError(f"its gates are switches: their pre-activations have a variance of {q:.3g} or more")
    return q


def _check_inputs(entering: float, q: float, inputs: int) -> None:
    """Raise NoTheoryError where the inputs are so few that gates open and shut by the size of the input."""
    if not 2 / inputs * (entering / q) ** 2 * min(q, 1.0) <= LARGEST_FEW:
        raise NoTheoryError("its inputs are so few that their size, which differs from step to step, moves its gates")


def _inner(mixed: float, entering: float, standing: float, h: Array, q: float) -> float:
    """The variance of what a GRU's new state is the activation of: x Wn + b + r (h Wn + bh)."""
    return entering + float(Gate(np.zeros(1), q).squared[0]) * (mixed * float(np.mean(h * h)) + standing)


def _lasting_slope(field: MeanField, q: float, standing: float) -> float:
    """E of the product of a unit's slopes at two steps, of whose pre-activations the variance standing is the same.

    Raises:
        NoTheoryError: so much stands still that units are no longer alike, or slopes are beyond float64.
    """
    if not standing <= min(LARGEST_STANDING, LARGEST_STANDING_SHARE * q):
        raise NoTheoryError("its state has a mean that holds gates open or shut, differently in every unit")
    lasting = field.slope_moment(q) * pairs(field.df, q, field.kinks, FEW_TERMS)(standing / q)
    if not math.isfinite(lasting):
        raise NoTheoryError("the slopes of its activation are so large that their squares outgrow float64")
    return lasting


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
