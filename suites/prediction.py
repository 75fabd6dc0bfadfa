"""What a prediction is: a curve and a band, or the reason why theory has neither."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from kernels.critical import VANISHING, Function, MeanField, expectation
from kernels.elementwise import Activation
from kernels.initializers import INITIALIZERS, Initializer
from suites.own_activations import lookup_activation

Array = np.ndarray[Any, Any]

STEP = 0.02  # of the grid in ln q on which moments are known
SMALLEST = 1e-250  # variance of pre-activations, and the inverse of the largest, between which moments are interpolated
PROMISED = 0.02  # decades per layer or step: what the mean over networks of log10 may be apart from a line, at most
# Variance of ln|Ju|^2 per layer. A norm's log10 is on average less than that of the mean square by 1/(4 ln 10) of it.
LARGEST_SPREAD = PROMISED * 4 * math.log(10)
# The same where a band tells that, and leaves terms of the next order: 0.010 decades per layer of ReLU at width 5/0.45,
# E ln of chi^2 of Binomial(11, 1/2) degrees of freedom against -beta/2.
LARGEST_BANDED_SPREAD = 0.45
RESTING = 1e-13  # relative change of a state that is at rest


@dataclass(frozen=True)
class Prediction:
    """Of log10 of the gradient norm at positions 0 to L over that at L, shape (L + 1,); NaN where theory is silent.

    curve is half of log10 of the expected squared norm ratio. sd is the standard deviation of the measured log10
    between networks, for one sample (batch 1): a batch averages most of it away, and then sd is NaN; so it is where the
    spread is not known. reason: a sentence that says why there is no curve; "" where there is one.
    """

    curve: Array
    sd: Array
    reason: str = ""

    def __post_init__(self) -> None:
        """Raise NoTheoryError where there is neither a finite curve nor a reason."""
        if not self.reason and not np.isfinite(self.curve).all():
            raise NoTheoryError("the expected gradient is 0 or outgrows float64")

    @classmethod
    def of_factors(cls, factors: list[float], variances: list[float] | None = None) -> "Prediction":
        """From the factor on the squared norm of each layer, and the variance that it adds to ln of it.

        Raises:
            NoTheoryError: a factor is 0 or not finite.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            curve = 0.5 * _from_the_end(np.log10(factors))
        if variances is None:
            return cls(curve, np.full_like(curve, np.nan))
        # ln|Ju|^2 has variance beta, so log10|Ju| has standard deviation sqrt(beta) / (2 ln 10).
        beta = _from_the_end(np.array(variances))
        return cls(curve, np.sqrt(np.maximum(beta, 0.0)) / (2 * math.log(10)))

    @classmethod
    def silent(cls, positions: int, reason: str) -> "Prediction":
        """Of so many positions, without a curve."""
        nothing = np.full(positions, np.nan)
        return cls(nothing, nothing, reason)


class NoTheoryError(ValueError):
    """Theory is known not to hold for a configuration; the message, a sentence, says why."""


def ingredients(activation: str, initializer: str) -> tuple[MeanField, Initializer]:
    """The mean field of an activation, and the initialiser's rule for it.

    Raises:
        NoTheoryError: mean field has no answer for such weights.
    """
    row = lookup_activation(activation)
    rule = INITIALIZERS[initializer].of(row)
    if not rule.independent:
        raise NoTheoryError("its weights are not independent of each other")
    return _field(row), rule


@lru_cache(maxsize=64)
def _field(row: Activation) -> MeanField:
    """One of each activation, so that what is known of it is shared between configurations."""
    return MeanField.of(row)


def spread(field: MeanField, q: float) -> float:
    """Width times the variance of ln|J u|^2 that one layer of Gaussian weights adds (Hanin 2018, theorem 3).

    ReLU 5, linear 2; inf where no unit has a slope.
    """
    return 3 * flatness(field.df, q, field.breaks) - 1


def less(rule: Initializer) -> float:
    """Of a spread: orthogonal weights keep a norm, and what a Gaussian matrix adds, 2/width per layer, is missing."""
    return 2.0 if rule.name == "orthogonal" else 0.0


def flatness(g: Function, q: float, breaks: tuple[float, ...]) -> float:
    """E[g^4] / E[g^2]^2 of x ~ N(0, q); inf where g is 0 everywhere, or its square overflows.

    Of g over its root mean square: the moments themselves leave float64 long before their ratio does.
    """
    q = max(q, VANISHING)
    root = math.sqrt(expectation(lambda x: g(x) ** 2, q, breaks))
    return expectation(lambda x: (g(x) / root) ** 4, q, breaks) if 0 < root < math.inf else math.inf


class Moments:
    """E[f^2], E[f^4] / E[f^2]^2, E[f'^2] and the spread, of x ~ N(0, q), as functions of q, cheap for many q.

    Each is interpolated between four points of a grid in ln q, with a relative error of some 1e-8: mean square and
    slopes of thousands of layers, no two of the same variance, take some hundred quadratures.
    """

    def __init__(self, field: MeanField) -> None:
        self.value = _interpolated(field.value_moment)
        self.flatness = _interpolated(lambda q: flatness(field.f, q, field.breaks))
        self.slope = _interpolated(field.slope_moment)
        self.spread = _interpolated(lambda q: spread(field, q))

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, field: MeanField) -> "Moments":
        """Those of a field, the same object each time: other configurations have asked for many of the points."""
        return cls(field)


def _interpolated(moment: Callable[[float], float]) -> Callable[[float], float]:
    known = lru_cache(maxsize=4096)(lambda i: moment(math.exp(i * STEP)))

    def between(q: float) -> float:
        if not SMALLEST < q < 1 / SMALLEST:
            if not 0 <= q < math.inf:  # below 0 where the points of the grid that are next to it have overflowed
                raise NoTheoryError("its pre-activations outgrow float64")
            return moment(q)
        i, t = divmod(math.log(q) / STEP, 1)
        first, second, third, fourth = (known(int(i) + k) for k in (-1, 0, 1, 2))
        near = second * (t - 1) * (t + 1) * (t - 2) / 2 - third * t * (t + 1) * (t - 2) / 2
        return near + (fourth * t * (t + 1) * (t - 1) - first * t * (t - 1) * (t - 2)) / 6

    return between


def check_spread(spread: float, width: int, batch: int, depth: int = 0, banded: bool = False) -> None:
    """Raise NoTheoryError where the variance of ln|Ju|^2 per layer, spread/width, is so large that no network is like
    the mean.

    spread: of one sample. Of two samples of a batch only what slopes share adds up at first, (spread - 2)/3, and more
    as their gradients turn to one another, which takes some width of layers: simulated ReLU networks of widths 12 to
    16, batches 4 to 64, depths 6 to 25, have at most 0.4 depth/width of the spread more, deeper ones all of it. depth
    is 0 where the layers' weights are the same. banded: whether a band tells by how much one sample is less.
    """
    if not spread < math.inf:
        raise NoTheoryError("its activation has no slope there, or one whose square outgrows float64")
    shared = spread if batch == 1 else spread / batch + (1 - 1 / batch) * max(spread - 2, 0.0) / 3
    turned = min(shared + 0.4 * depth / width * spread, spread)
    if not turned / width < (LARGEST_BANDED_SPREAD if banded else LARGEST_SPREAD):
        raise NoTheoryError("so few units of a layer carry gradient that no network is like the mean of all")


def settled(step: Callable[[float], float], state: float, count: int) -> list[float]:
    """count states of a recursion, the first given; step is asked no more once it has come to rest."""
    states = [state]
    while len(states) < count:
        states.append(step(states[-1]))
        if abs(states[-1] - states[-2]) <= RESTING * abs(states[-1]):
            break
    return states + states[-1:] * (count - len(states))


def _from_the_end(factors: Array) -> Array:
    """Sums of factors l+1 to L, for l = 0 to L."""
    return np.append(np.cumsum(factors[::-1])[::-1], 0.0)
