"""What the squared singular values of a deep network's Jacobian should be: their mean, and their spread.

J = D_L W_L ... D_1 W_1 with D_l = diag(f'(z_l)) is a product of matrices that are free of one another as the width
grows: the mean of s^2 is the product of the layers' own, and Var(s^2) / mean^2 the sum of theirs (Pennington,
Schoenholz & Ganguli 2017, sections 2.2 and 3.2; at criticality L (mu2/mu1^2 - 1 - s1), mu_k = E[f'^(2k)], s1 = -1 for
Gaussian weights and 0 for orthogonal ones). Layer by layer it holds off criticality and along the transient, too.
"""

import math
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from kernels.critical import Function, MeanField, expectation
from kernels.initializers import INITIALIZERS, Initializer
from suites.own_activations import lookup_activation

# The largest apart (below) at which theory speaks. The spread is Var(s^2) over a mean squared that is on average more
# by apart^2 than in a typical network, half of which the variance makes up for: ln(1 + spread) of a network is less
# than theory's by apart^2/2 at most, 1 + spread by a sixth at 0.6. So it is in 900 simulated configurations, widths 16
# to 100, 3 to 50 layers: at 0.5 to 0.6 by 0 to 0.15, at 0.8 to 1 by 0.1 to 0.35. Their means are centred within 0.02
# decades per layer far beyond.
FAR_APART = 0.6
FOURTH = 1e-70  # variances beyond it and its reciprocal have fourth moments that float64 does not hold


class Factor(NamedTuple):
    """Of one layer or block: the mean of its Jacobian's squared singular values, their variance over its square.

    apart: what it adds to the variance, between networks of that width, of the natural logarithm of the product of
    means: it depends on the variance of pre-activations, which differs from network to network. drawn: what the random
    matrix adds to it, times width^2 / (1 + spread).
    """

    mean: float
    spread: float
    drawn: float
    apart: float = 0.0


class SpectrumPrediction(NamedTuple):
    """log10 of the mean of s^2, and Var(s^2) / mean^2; NaN where theory is silent.

    apart: the standard deviation of ln of that mean between networks, to leading order in depth / width. Where it is
    more than FAR_APART the limit of infinite width says little of one network, and theory is silent.
    """

    log10_mean: float
    spread: float
    apart: float


def predicted(architecture: str, activation: str, initializer: str, depth: int, width: int) -> SpectrumPrediction:
    """For an input at which the first pre-activations have variance 1."""
    row = lookup_activation(activation)
    rule, field = INITIALIZERS[initializer].of(row), MeanField.of(row)
    if architecture not in FACTORS or not rule.weight_variance(width, width) > 0:
        return SILENT
    mean, spread, apart = 0.0, 0.0, 0.0
    factors = [*islice(FACTORS[architecture](field, rule, depth, width), depth)]
    if len(factors) < depth:
        return SILENT
    for factor in factors:
        mean, spread = mean + math.log10(factor.mean), spread + factor.spread
        # A random matrix changes tr(M M') by a share of variance 2 tr(M M')^2 / (tr M M')^2, with tr over width.
        apart += factor.apart + factor.drawn * (1 + spread) / width**2
    apart = math.sqrt(max(apart, 0.0))
    return SpectrumPrediction(*((mean, spread) if apart <= FAR_APART else (math.nan, math.nan)), apart)


SILENT = SpectrumPrediction(math.nan, math.nan, math.nan)


def _own(rule: Initializer) -> float:
    """Var(s^2) / mean^2 of the weights alone, -s1: 1 of independent entries (Marchenko & Pastur), 0 of orthogonal."""
    return 0.0 if rule.name == "orthogonal" else 1.0


def _flatness(field: MeanField, q: float) -> float:
    """E[f'^4] / E[f'^2]^2, 1 where the slope is the same everywhere."""
    return field.slope_moment(q, 4) / field.slope_moment(q) ** 2


def _tells(field: MeanField, q: float) -> bool:
    """Whether f and f' at a variance q of pre-activations have moments to go on with: neither 0 nor beyond float64."""
    return FOURTH < q < 1 / FOURTH and all(0 < g(q) < 1 / FOURTH for g in (field.slope_moment, field.value_moment))


def _plain(field: MeanField, rule: Initializer, depth: int, width: int) -> Iterator[Factor]:
    """variance: of ln q between networks; shared: its covariance with ln of the product of means so far."""
    sw2, sb2 = rule.weight_variance(width, width), rule.bias_variance(width)
    q, variance, shared = 1.0, 0.0, 0.0
    while _tells(field, q):
        spread, bend = _flatness(field, q) - 1, _power(field.slope_moment, q)
        # Orthogonal weights keep the mean square of a layer's units: what would come of its changes is not there.
        fixed = 2.0 * (1.0 - _own(rule))
        apart = 2 * bend * shared + bend**2 * variance + (spread - fixed * bend**2) / width
        yield Factor(field.chi(q, sw2), spread + _own(rule), 2 * _own(rule), apart)
        following, power = field.next_variance(q, sw2, sb2), _power(field.value_moment, q)
        passed = (following - sb2) / following
        shared = passed * power * (shared + bend * variance)
        variance = passed**2 * (power**2 * variance + (_sampling(field, q) - fixed * power**2) / width)
        q = following


def _layernorm(field: MeanField, rule: Initializer, depth: int, width: int) -> Iterator[Factor]:
    """Of each row's directions two are lost, its mean and, as far as slopes do not stretch it, its length.

    What a layer's input is divided by has variance 1 first, then that which normalised pre-activations lead to. Derived
    here: in a network that is a mean over units of f^2 below, which goes with their slopes, and of squared products
    with weights, less the square of their mean: 1 over it is more by its relative variance, and by 1/width.
    """
    sw2, sb2, own = rule.weight_variance(width, width), rule.bias_variance(width), 2 * _own(rule)
    stretched = _share(field, field.df, lambda z: z * z) if _tells(field, 1.0) else math.nan
    kept, variance, more, apart = 1 - (1 + stretched) / width, 1.0, 0.0, 0.0
    while kept > 0 and _tells(field, 1.0):
        slopes = _flatness(field, 1.0) - 1
        apart += _normalised(field, field.df, field.df) / width
        spread = slopes + _own(rule) + 1 / kept - 1
        yield Factor(kept * (1 + more) * field.chi(1.0, sw2) / variance, spread, own, apart)
        variance = field.next_variance(1.0, sw2, sb2)
        passed = (variance - sb2) / variance
        values = passed**2 * _normalised(field, field.f, field.f) + own
        together = passed * _normalised(field, field.df, field.f)
        more, apart = (values - together + 1) / width, (values - 2 * together) / width


def _normalised(field: MeanField, g: Function, h: Function) -> float:
    """Width times the covariance of the means of g^2 and h^2 over a layer's units, over both means, where the mean of
    pre-activations z is 0 and their mean square 1: what z and z^2 tell of either is the same in every network.
    """
    square = expectation(lambda z: h(z) ** 2, 1.0, field.breaks)
    found = _share(field, g, lambda z: h(z) ** 2 / square) - 1
    for polynomial, norm in ((lambda z: z, 1.0), (lambda z: z * z - 1, 2.0)):
        found -= _share(field, g, polynomial) * _share(field, h, polynomial) / norm
    return found


def _share(field: MeanField, g: Function, weight: Function) -> float:
    """E[g^2 weight] / E[g^2], z ~ N(0, 1)."""
    square = expectation(lambda z: g(z) ** 2, 1.0, field.breaks)
    return expectation(lambda z: g(z) ** 2 * weight(z) / square, 1.0, field.breaks)


def _residual(scale: Callable[[int], float]) -> Callable[[MeanField, Initializer, int, int], Iterator[Factor]]:
    """Blocks I + B, B = scale W2 D W1, of which tr B = tr B^2 = 0: tr(AA')^2 = 1 + 4c + c^2 (mu2/mu1^2 + 2 own)."""

    def blocks(field: MeanField, rule: Initializer, depth: int, width: int) -> Iterator[Factor]:
        last, share = rule.linear(), scale(depth) ** 2
        first, second = rule.weight_variance(width, width), last.weight_variance(width, width)
        q = 1.0
        while _tells(field, q):
            c = share * first * second * field.slope_moment(q)
            spread = (2 * c + c * c * (_flatness(field, q) - 1 + 2 * _own(rule))) / (1 + c) ** 2
            # tr(A B) of orthogonal weights is as random as of others: 4c of tr(M M')^2, of blocks 1 + c.
            yield Factor(1 + c, spread, max(2 * _own(rule), 4 * c / (1 + c) ** 2))
            q += first * share * (second * field.value_moment(q) + last.bias_variance(width))

    return blocks


def _power(moment: Callable[[float], float], q: float) -> float:
    """The derivative of ln moment(q) by ln q."""
    return (math.log(moment(q * 1.001)) - math.log(moment(q / 1.001))) / (2 * math.log(1.001))


def _sampling(field: MeanField, q: float) -> float:
    """Width times the variance of the mean of f^2 over a layer's units, over its square."""
    return expectation(lambda x: field.f(x) ** 4, q, field.kinks) / field.value_moment(q) ** 2 - 1


# Architecture -> its factors, layer by layer; they end where there is nothing to go on with.
FACTORS = {
    "plain": _plain,
    "layernorm": _layernorm,
    "residual": _residual(lambda depth: 1.0),
    "residual_scaled": _residual(lambda depth: depth**-0.5),
}
