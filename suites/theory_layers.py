"""Predictions of networks of dense layers: plain, with skips, with BatchNorm or LayerNorm.

Everywhere the inputs are such that the first pre-activations have variance 1, and the gradient that enters at the
end is independent of the weights.
"""

import math
from typing import Any

import numpy as np

from kernels.correlation import normalised_pair
from kernels.critical import MeanField, expectation
from kernels.initializers import Initializer
from kernels.moments import EPSILON as EPS
from suites.prediction import (
    PROMISED,
    Moments,
    NoTheoryError,
    Prediction,
    check_spread,
    ingredients,
    less,
    settled,
    spread,
)
from suites.wandering import Moved, moved_by, wandering

LEAST_BATCH = 6  # of BatchNorm: below it 1/variance of a unit's batch has itself no finite variance
# Relative, in a mean square of pre-activations between samples of a batch: simulated networks of Swish, GELU and
# Softplus, widths 32 to 256, batches 8 to 64, leave the line by up to 0.018 decades per layer there.
LARGEST_DIFFERENCE = 3.0
LINEAR_SPREAD = 4.0  # the spread below which slopes are nearly the same everywhere, as those of linear layers, 2
STEP = 1e-3  # of q, of a numerical derivative
LEAST_GROWTH = 1.001  # growth of those differences per layer that is 1 but for rounding
LARGEST_WANDERING = 1.0  # of the variance of one sample's ln|Ju|^2, over what its band has: it would be sqrt(2) as wide
# Share of BatchNorm's eps in its divisor: sigmoid networks are 0.005 decades per layer off there, 0.015 at four times.
LARGEST_EPS = 0.05


def plain(*, activation: str, initializer: str, depth: int, width: int, batch: int, **_: Any) -> Prediction:
    """depth layers f(x W + b) (Poole 2016; Schoenholz 2017): the transient product of chi(q_l)."""
    field, rule = ingredients(activation, initializer)
    sw2, sb2 = rule.weight_variance(width, width), rule.bias_variance(width)
    moments = Moments.of(field)
    variances = settled(lambda q: sw2 * moments.value(q) + sb2, 1.0, depth)
    spreads = [(moments.spread(q) - less(rule)) / width for q in variances]
    moved = [Moved.by_layer(moments, q, width) for q in variances]
    return _of_layers([sw2 * moments.slope(q) for q in variances], spreads, moved, width, batch, rule)


def residual(*, scale: float = 1.0, **configuration: Any) -> Prediction:
    """depth blocks x + scale (f(x W1 + b1) W2 + b2) (Yang & Schoenholz 2017, section 3).

    The stream's variance grows by scale^2 (s2 E[f^2] + b), the squared gradient by 1 + scale^2 s1 s2 E[f'^2].
    """
    return _skipping(scale, **configuration)


def residual_scaled(*, depth: int, **configuration: Any) -> Prediction:
    """The same with scale 1 / sqrt(depth)."""
    return _skipping(depth**-0.5, depth=depth, **configuration)


def _skipping(
    scale: float, *, activation: str, initializer: str, depth: int, width: int, batch: int, **_: Any
) -> Prediction:
    field, rule = ingredients(activation, initializer)
    into, out = rule.weight_variance(width, width), rule.linear().weight_variance(width, width)
    moments, square, sb2 = Moments.of(field), scale * scale, rule.bias_variance(width)
    variances = settled(lambda q: q + into * square * (out * moments.value(q) + sb2), 1.0, depth)
    growths = [square * into * out * moments.slope(q) for q in variances]
    moved = [
        Moved.by_block(moments, q, growth, into * square * out * moments.value(q), width)
        for q, growth in zip(variances, growths, strict=True)
    ]
    # Of |g + u|^2, u what comes through the branch: 2 g u has variance 4 growth / width, |u|^2 that of two layers.
    spreads = [
        (4 * share * (1 - share) + share * share * (moments.spread(q) + 2 - 2 * less(rule))) / width
        for share, q in zip((1 - 1 / (1 + growth) for growth in growths), variances, strict=True)
    ]
    return _of_layers([1 + growth for growth in growths], spreads, moved, width, batch)


def _of_layers(
    factors: list[float],
    spreads: list[float],
    moved: list[Moved],
    width: int,
    batch: int,
    rule: Initializer | None = None,
) -> Prediction:
    """rule: of the weights, where they are all of a layer; those that keep norms leave little of what wanders."""
    wandered, depth = wandering(moved), len(spreads)
    keeping = rule is not None and less(rule) > 0
    if not moved_by(wandered, depth, batch) <= PROMISED * depth:
        raise NoTheoryError("the variances of its pre-activations wander off, differently in every network and sample")
    banded = batch == 1 and (keeping or wandered[0] <= LARGEST_WANDERING * sum(spreads))
    prediction = Prediction.of_factors(factors, spreads if banded else None)
    check_spread(sum(spreads) / depth * width, width, batch, depth, banded)
    return prediction


def layernorm(*, activation: str, initializer: str, depth: int, width: int, batch: int, **_: Any) -> Prediction:
    """depth layers f(LN(x W + b)): sw2 E[f'^2] over what LayerNorm divides by, sw2 E[f^2] + sb2 of the layer below."""
    field, rule = ingredients(activation, initializer)
    sw2, sb2 = rule.weight_variance(width, width), rule.bias_variance(width)
    moments = Moments.of(field)
    # State: the variance that LayerNorm finds; with its eps it leaves that of pre-activations a little below 1.
    found = settled(lambda s: sw2 * moments.value(s / (s + EPS)) + sb2, 1.0, depth)
    # Of what it divides by, a mean of width squares, the logarithm has variance 2/width.
    check_spread(spread(field, 1.0) + 2, width, batch, depth)
    return Prediction.of_factors([sw2 * moments.slope(s / (s + EPS)) / (s + EPS) for s in found])


def batchnorm(*, activation: str, initializer: str, depth: int, width: int, batch: int, **_: Any) -> Prediction:
    """depth layers f(BN(x W + b)) of a batch of B samples (Yang et al. 2019, section 3, here at any B).

    A unit's batch of pre-activations is Gaussian with one covariance between all samples. So BatchNorm makes it a
    uniform point on a sphere, and divides by a standard deviation that is independent of that point: 1/variance has
    mean B / (B - 3) over sw2 (E[f^2] - E[f(x) f(y)]), x and y two samples. Backward its projection leaves a gradient
    covariance proportional to 1 - 11'/B, whatever came from above.
    """
    field, rule = ingredients(activation, initializer)
    if batch < LEAST_BATCH:
        raise NoTheoryError(f"the gradient through BatchNorm has no finite spread in batches below {LEAST_BATCH}")
    x, y, weights = normalised_pair(batch, field.kinks)
    f, slope = (function(np.stack([x, y])) for function in (field.f, field.df))

    def mean(values: Any) -> float:
        return float(weights @ values)

    apart = mean(f[0] ** 2) - mean(f[0] * f[1])  # E[f^2] - E[f(x) f(y)]
    square, weighted = mean(slope[0] ** 2), mean((x * slope[0]) ** 2)
    both, turned = mean(slope[0] * slope[1]), mean(x * y * slope[0] * slope[1])
    # Traces of P D G D P, for G = 1 at the top and 1 - 11'/B below: P projects out 1 and the point, D has the slopes.
    top = (batch - 1) * square - weighted
    below = top - (square - (square + (batch - 1) * both) / batch - (weighted + (batch - 1) * turned) / batch)
    sw2, sb2 = rule.weight_variance(width, width), rule.bias_variance(width)

    def over_variance(variance: float) -> float:
        if not EPS * batch < LARGEST_EPS * variance * (batch - 3):
            raise NoTheoryError("the variance of a batch is so small that BatchNorm's eps is not negligible beside it")
        return sw2 * batch / ((batch - 3) * variance + EPS * batch)

    factors = [below / (batch - 1)] * (depth - 1) + [top / batch]
    divisors = [over_variance(1 - sb2), *[over_variance(sw2 * apart)] * (depth - 1)]
    # What a unit's slopes are divided by differs from unit to unit: 1/variance of a batch, B - 1 degrees of freedom.
    # And where slopes are nearly the same everywhere no layer mends what the last did to the covariance of a batch:
    # simulated linear networks, batches 6 to 12, lose as much as if their spread were 2 more, ReLU and tanh do not.
    own = spread(field, 1.0)
    check_spread((own + 1) * (batch - 3) / (batch - 5) - 1 + max(LINEAR_SPREAD - own, 0.0), width, batch, depth)
    _check_alike(field, depth, width)
    return Prediction.of_factors([factor * divisor for factor, divisor in zip(factors, divisors, strict=True)])


def _check_alike(field: MeanField, depth: int, width: int) -> None:
    """Raise NoTheoryError where BatchNorm makes the samples of a batch ever less alike.

    Where the variances of samples' pre-activations are apart by a small share, those of the next layer are apart by
    growth times that: d ln E[(f - m)^2] / dq at q = 1, m the mean of f there. It is 1 of ReLU and linear layers, less
    of odd bounded f, more of GELU, Swish and Softplus. So many units start with sqrt(1/width) of it. Of a batch the
    largest samples' gradients stand out: simulated ones of Hardswish, widths 24 to 64, are half of log10(growth) per
    layer times sqrt(difference / LARGEST_DIFFERENCE) above the line, others less.
    """
    mean = expectation(field.f, 1.0, field.kinks)
    above, at, below = (
        expectation(lambda x: (field.f(x) - mean) ** 2, q, field.kinks) for q in (1 + STEP, 1.0, 1 - STEP)
    )
    growth = (above - below) / (2 * STEP * at)
    if not growth > LEAST_GROWTH:
        return
    most = LARGEST_DIFFERENCE * min(1.0, (2 * PROMISED / math.log10(growth)) ** 2)
    if depth * math.log(growth) > math.log(most * math.sqrt(width)):
        raise NoTheoryError(
            f"through BatchNorm and this activation samples grow apart in size, by {growth:.3g} per layer, "
            "and the theory is of samples that are alike"
        )
