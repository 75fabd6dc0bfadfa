"""Predictions of Transformers across depth, where any two tokens have the same correlation.

Forth from block to block go rho, the correlation of two tokens, and p, the stream's variance; back goes kappa, the
correlation of two tokens' gradients. rho and kappa start at 0. Attention is nearly uniform: the logits of its keys have
variance s^2 (1 - rho), s being fan_in times the variance of each of its weights, and gradients pass by way of queries
and keys, too, where tokens differ.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

from kernels.correlation import gaussian_pair
from kernels.critical import MeanField
from kernels.initializers import Initializer
from kernels.transformer import EXPANSION
from suites.attending import softmax_sums
from suites.prediction import Array, NoTheoryError, Prediction, ingredients

DEGREE = 24  # of the interpolation in arccos(rho), on which expectations over pairs depend smoothly
# Standard deviation of logits beyond which attention is far from uniform: at 1.9 simulated blocks of width 64 and 128,
# with 4 to 32 tokens, are within 0.014 decades per block, or step, of the line.
SHARPEST = 2.0
# Width of weights of variance 1/width: tokens are correlated by 1/sqrt(width) to begin with, which is taken for 0.
# Simulated blocks leave the line by 0.015 decades there, by 0.03 at 12 and by 0.05 at 8.
LEAST_WIDTH = 16


@dataclass(frozen=True)
class Passed:
    """What a branch makes of tokens of variance 1 at one rho: the variance of its output and the covariance of two
    tokens' outputs; of gradients of variance 1 the same two on the way back, each (at kappa 0, slope in kappa).
    """

    variance: float
    covariance: float
    back_variance: tuple[float, float]
    back_covariance: tuple[float, float]


Branch = Callable[[float], Passed]


def across_depth(
    *, pre: bool, activation: str, initializer: str, depth: int, width: int, tokens: int, **_: Any
) -> Prediction:
    """pre: depth blocks x + A(LN(x)), y + F(LN(y)); p grows by the branch's variance v, the gradient by 1 + c / p.

    Otherwise LN(x + A(x)), LN(y + F(y)): p stays 1, the gradient grows by (1 + c) / (1 + v).
    """
    field, rule = ingredients(activation, initializer)
    rho, p = 0.0, 1.0
    way = []  # each branch with the p that its LayerNorm divides by and what one after the sum divides by
    for branch in (attention(rule.linear(), width, tokens), FeedForward(field, rule, width)) * depth:
        passed = branch(rho)
        grown = p + passed.variance
        rho = min(1.0, (rho * p + passed.covariance) / grown)
        way.append((passed, p, 1.0 if pre else grown))
        p = grown if pre else 1.0
    kappa, factors = 0.0, []
    for passed, p, divisor in reversed(way):
        c, both = ((start + slope * kappa) / p for start, slope in (passed.back_variance, passed.back_covariance))
        kappa = (kappa + both) / (1 + c)
        factors.append((1 + c) / divisor)
    branches = np.array(factors[::-1])
    return Prediction.of_factors(list(branches[::2] * branches[1::2]))


class FeedForward:
    """f(x W + b) W' + b' of every token by itself."""

    def __init__(self, field: MeanField, rule: Initializer, width: int) -> None:
        hidden = EXPANSION * width
        s1, b1 = rule.weight_variance(width, hidden), rule.bias_variance(width)
        s2, self.bias = rule.linear().weight_variance(hidden, width), rule.bias_variance(hidden)
        q = s1 + b1

        def values(rho: float) -> float:
            return s2 * gaussian_pair(field.f, q, (s1 * rho + b1) / q, field.kinks)

        def slopes(rho: float) -> float:
            return s1 * s2 * gaussian_pair(field.df, q, (s1 * rho + b1) / q, field.kinks)

        self.variance, self.gradient = values(1.0) + self.bias, slopes(1.0)
        self.values, self.slopes = of_correlation(values), of_correlation(slopes)

    def __call__(self, rho: float) -> Passed:
        """What it makes of tokens that are all alike."""
        covariance, slopes = float(self.values(rho)), float(self.slopes(rho))
        return Passed(self.variance, covariance + self.bias, (self.gradient, 0.0), (0.0, slopes))

    def forward(self, correlation: Array) -> Array:
        """The covariances of all tokens' outputs, given the correlations of the inputs, of variance 1."""
        return self.values(correlation) + self.bias

    def backward(self, gradient: Array, correlation: Array) -> Array:
        """The covariances of the gradients at all tokens' inputs, given those at the outputs."""
        return self.slopes(correlation) * gradient


def attention(rule: Initializer, width: int, tokens: int) -> Branch:
    """Self-attention of all tokens to all.

    Values: a token gets a mean of all. Gradients by way of a query are sums over keys of mean 0; those by way of a key
    are sums over queries, and over all keys they add up to 0.

    Derived here, x of variance 1 and correlation rho, g a gradient of variance 1. A logit's gradient is P (g.v - its
    mean under P), v the values: of variance s^2 (1 - rho) over values and g, times the squared slopes of softmax,
    sloped in all. Back through the keys to a query, weights and keys give s^2 (1 - rho), as keys add up against their
    mean: s^4 (1 - rho)^2 sloped; through the queries to a key, whose queries have variance 1, s^2: s^4 (1 - rho)
    sloped, of which each pair of keys has -1/(tokens - 1). What two queries share has rho and the
    sums of shared logits.
    """
    s, b = soft(rule, width), rule.bias_variance(width)

    # Of one query's probabilities, and of what two queries share: logits of the variance of what they have in common.
    def own(rho: float) -> tuple[float, float]:
        return softmax_sums(s * s * (1 - rho), tokens)

    def shared(rho: float) -> tuple[float, float]:
        return softmax_sums(s * s * (1 - rho) * rho, tokens)

    sums_own, sums_shared = of_correlation(own), of_correlation(shared)

    def passed(rho: float) -> Passed:
        (kept, sloped), (kept_by_two, sloped_by_two) = sums_own(rho), sums_shared(rho)
        key = s**4 * (1 - rho) * sloped
        key_of_two = s**4 * (1 - rho) * rho * sloped_by_two
        others = max(tokens - 1, 1)
        return Passed(
            s * (s * (kept + (1 - kept) * rho) + b) + b,
            s * (s * (kept_by_two + (1 - kept_by_two) * rho) + b) + b,
            (
                s * s * kept + s**4 * (1 - rho) ** 2 * sloped + key,
                (tokens - 1) * (s * s * kept_by_two + key_of_two),
            ),
            (
                (s * s * (1 - kept) - key) / others,
                s * s * (1 - kept_by_two) + s**4 * (1 - rho) ** 2 * sloped_by_two - key_of_two,
            ),
        )

    return passed


def soft(rule: Initializer, width: int) -> float:
    """fan_in times the variance of each of attention's weights.

    Raises:
        NoTheoryError: attention is far from uniform, or its tokens far from uncorrelated.
    """
    s = rule.weight_variance(width, width)
    if s > SHARPEST:
        raise NoTheoryError(f"attention's logits have a standard deviation of {s:.3g}, and the theory is of soft ones")
    if s * LEAST_WIDTH > width:
        raise NoTheoryError("it is so narrow that tokens are correlated at the start, and theory takes them for unlike")
    return s


def of_correlation(expectation: Callable[[float], Any]) -> Callable[[Any], Any]:
    """The expectation, a number or several, as a function of rho, 0 to 1, or of an array of them: by interpolation."""
    points = chebyshev.chebpts1(DEGREE + 1)
    values = [expectation(math.cos(angle)) for angle in (points + 1) * math.pi / 4]
    coefficients = chebyshev.chebfit(points, np.array(values), DEGREE)
    return lambda rho: chebyshev.chebval(np.arccos(rho) * 4 / math.pi - 1, coefficients)
