"""Variances of pre-activations that wander from those of infinite width, and what that does to gradients."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kernels.critical import LARGEST_VARIANCE, SMALLEST_VARIANCE
from suites.prediction import Array, Moments

# Layers. In a batch the mean square is that of the samples with large q: to leading order it is more by 1/(4 ln 10) of
# that variance, and in simulated networks of GELU and Mish with He, batches of 64, by 1.7 times that over 10 layers and
# by 2.3 to 4.2 times over 20 and 40.
FULLY_WANDERED = 20
# Times what the mean gains, where that is more: batches of Swish and Hardswish with He, widths 22 to 64, 6 to 20
# layers, gain 2 to 4 times what both leading orders tell.
GAINING = 5.0
LOG_STEP = 0.02  # of ln q, of numerical derivatives


class Moved(NamedTuple):
    """What an error of ln q does at a layer, to ln of its factor and to ln of the next q: first and second derivatives.

    own: the variance that the next ln q gets here. Biases are taken to be small; NaN where f or its slope has no
    moments.
    """

    factor: Array
    following: Array
    own: float

    @classmethod
    def by_layer(cls, moments: Moments, q: float, width: int) -> "Moved":
        """Of f(x W): slopes and mean squares of f at a variance q of pre-activations."""
        own = (moments.flatness(q) - 1) / width
        return cls(log_slopes(moments.slope, q), log_slopes(moments.value, q), own)

    @classmethod
    def by_block(cls, moments: Moments, q: float, growth: float, added: float, width: int) -> "Moved":
        """Of x + f(x W1) W2, which multiplies squared gradients by 1 + growth and adds so much to q.

        The next |x + u|^2, u of the branch: 2 x u has variance 4 branch / width, |u|^2 that of f^2 and of weights.
        """
        branch, factor = added / (q + added), growth / (1 + growth)
        (first, second), (power, bend) = log_slopes(moments.slope, q), log_slopes(moments.value, q)
        return cls(
            factor * np.array([first, second + (1 - factor) * first**2]),
            np.array([1 - branch + branch * power, branch * (bend + (1 - branch) * (power - 1) ** 2)]),
            (4 * branch * (1 - branch) + branch**2 * (moments.flatness(q) + 1)) / width,
        )


def log_slopes(moment: Callable[[float], float], q: float) -> Array:
    """The first and second derivative of ln moment(q) by ln q."""
    # Beyond, an activation is a power, or bounded, and below, its first power in x: ratios stay as they are.
    q = min(max(q, SMALLEST_VARIANCE), LARGEST_VARIANCE)
    below, at, above = (moment(q * math.exp(side * LOG_STEP)) for side in (-1, 0, 1))
    if not (below > 0 and 0 < above / below < math.inf):
        return np.full(2, math.nan)
    up, down = math.log(above / at), math.log(at / below)
    return np.array([(up + down) / (2 * LOG_STEP), (up - down) / LOG_STEP**2])


def wandering(moved: list[Moved]) -> Array:
    """Of variances q that wander from those of infinite width: the variance of ln|J u|^2 that comes of it, and twice
    what its mean gains.

    Derived here: ln|J u|^2 is the sum of ln of factors, so an error of ln q_l changes it by d_l = factor_l +
    following_l d_(l+1), from the end, and its square by half of the derivative of d_l; errors of different layers are
    independent, and add. Orthogonal weights, which keep the norm of what they multiply, leave less of it.
    """
    variance = gain = slope = bend = 0.0  # of ln|J u|^2 by ln q
    for factor, following, own in reversed(moved):
        variance, gain = variance + slope**2 * own, gain + bend * own
        slope, bend = (
            factor[0] + following[0] * slope,
            factor[1] + following[0] ** 2 * bend + following[1] * slope,
        )
    return np.array([variance, gain])


def moved_by(wandered: Array, depth: int, batch: int) -> float:
    """Decades by which a gradient is off where variances wander.

    A batch's is larger by the samples that wander up. One sample's is off by at most half of its leading order.
    """
    variance, gain = wandered / (4 * math.log(10))
    if batch == 1:
        return variance / 2
    later = variance * (1 + 3 * min(depth, FULLY_WANDERED) / FULLY_WANDERED)
    return max(later, variance + GAINING * gain)
