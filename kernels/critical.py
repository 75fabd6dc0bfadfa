"""Mean field of an activation: variance map, chi, gain, fixed point, critical point. No JIT.

For pre-activations z ~ N(0, q), weights of variance sw2 / fan_in and biases of variance sb2
(Poole et al. 2016, section 3; Schoenholz et al. 2017, section 3):

    q'  = sw2 E[f(z)^2] + sb2          variance of the next pre-activation
    chi = sw2 E[f'(z)^2]               factor on the squared gradient norm per layer

Expectations are Gauss-Legendre sums between break points. The kinks are break points: a rule
that straddles or hits one is wrong in the second digit (ReLU's gain 1.511 instead of 1.4142).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from kernels.elementwise import Activation

Array = np.ndarray[Any, Any]
Function = Callable[[Array], Array]

NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
# The Gaussian's own scale (z), and the scale on which activations bend (x).
GAUSSIAN_BREAKS = np.linspace(-12.0, 12.0, 17)
SMALLEST_VARIANCE, LARGEST_VARIANCE, MOST_STEPS = 1e-9, 1e12, 10_000
FUNCTION_BREAKS = np.array([0.0, *(side * 2.0**k for side in (-1, 1) for k in range(-2, 7))])


@lru_cache(maxsize=4096)
def _rule(q: float, kinks: tuple[float, ...]) -> tuple[Array, Array]:
    """Nodes x and weights w with sum(w * g(x)) = E[g(x)] for x ~ N(0, q)."""
    sigma = math.sqrt(q)
    bends = np.concatenate([FUNCTION_BREAKS, np.asarray(kinks)]) / sigma
    breaks = np.unique(np.concatenate([GAUSSIAN_BREAKS, bends[np.abs(bends) < GAUSSIAN_BREAKS[-1]]]))
    half = np.diff(breaks)[:, None] / 2
    z = (breaks[:-1, None] + half * (NODES + 1)).ravel()
    weights = (half * WEIGHTS).ravel() * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return sigma * z, weights


def expectation(g: Function, q: float, kinks: tuple[float, ...] = ()) -> float:
    """E[g(x)] for x ~ N(0, q), of a float64 function g that is smooth but at its kinks.

    Raises:
        ValueError: q is negative or not finite.
    """
    if not (q >= 0 and math.isfinite(q)):
        raise ValueError(f"q must be a finite variance of 0 or more, got {q!r}")
    if q < np.finfo(np.float64).tiny:
        return float(g(np.zeros(1))[0])
    x, weights = _rule(q, kinks)
    return float(weights @ g(x))


@dataclass(frozen=True)
class MeanField:
    """What the mean field asks of an activation: f, f' (float64, vectorised) and where they bend."""

    f: Function
    df: Function
    kinks: tuple[float, ...] = ()

    @classmethod
    def of(cls, activation: Activation, a: float | None = None) -> "MeanField":
        """The mean field of a row of ACTIVATIONS, from its float64 reference; a defaults to the row's own."""
        a = activation.a if a is None else a
        return cls(
            lambda x: activation.reference(x, a), lambda x: activation.reference_derivative(x, a), activation.kinks
        )

    def value_moment(self, q: float) -> float:
        """E[f(x)^2], x ~ N(0, q)."""
        return expectation(lambda x: self.f(x) ** 2, q, self.kinks)

    def slope_moment(self, q: float, power: int = 2) -> float:
        """E[f'(x)^power], x ~ N(0, q)."""
        return expectation(lambda x: self.df(x) ** power, q, self.kinks)

    def gain(self, q: float = 1.0) -> float:
        """The factor on weights of variance 1/fan_in that makes chi = 1 at q: 1 / sqrt(E[f'(x)^2])."""
        return self.slope_moment(q) ** -0.5

    def chi(self, q: float, sw2: float) -> float:
        """Factor on the squared gradient norm of a layer whose pre-activations have variance q."""
        return sw2 * self.slope_moment(q)

    def next_variance(self, q: float, sw2: float, sb2: float) -> float:
        """Variance of the next layer's pre-activations."""
        return sw2 * self.value_moment(q) + sb2

    def variances(self, q: float, sw2: float, sb2: float) -> Iterator[float]:
        """q, then the variances of the layers that follow, without end."""
        while True:
            yield q
            q = self.next_variance(q, sw2, sb2)

    def fixed_point(self, sw2: float, sb2: float, q: float = 1.0) -> float:
        """The variance that the map settles at from q: 0 where it dies out, inf where it grows without end.

        NaN where it has not settled after MOST_STEPS steps.

        Near criticality the approach is only algebraic, so steps are extrapolated (Aitken's delta squared).
        """
        for _ in range(MOST_STEPS):
            first = self.next_variance(q, sw2, sb2)
            if abs(first - q) <= 1e-12 * q:
                return first
            if first > LARGEST_VARIANCE:
                return math.inf
            if sb2 == 0 and first < SMALLEST_VARIANCE:
                return 0.0
            second = self.next_variance(first, sw2, sb2)
            curvature = second - 2 * first + q
            leap = q - (first - q) ** 2 / curvature if curvature else second
            q = leap if second / 4 < leap < 4 * second else second
        return math.nan

    def critical_point(self, sb2: float = 0.0) -> tuple[float, float]:
        """(sw2, q): the weight variance at which chi = 1 at a fixed point q of the variance map.

        chi = 1 at q asks for sw2 = 1/E[f'^2]; q is a fixed point if then sb2 = q - sw2 E[f^2]. That is
        solved for the smallest q; (nan, nan) where there is no such q.
        """

        def excess(q: float) -> float:
            return q - self.value_moment(q) / self.slope_moment(q) - sb2

        grid = np.geomspace(SMALLEST_VARIANCE, 1e6, 121)
        values = np.array([excess(q) for q in grid])
        if abs(values[0]) <= 1e-6 * grid[0]:
            return 1 / self.slope_moment(grid[0]), 0.0
        changes = np.flatnonzero(values[:-1] * values[1:] <= 0)
        if not len(changes):
            return math.nan, math.nan
        low, high = grid[changes[0] : changes[0] + 2]
        rising = values[changes[0]] < 0
        while high - low > 1e-14 * high:
            middle = (low + high) / 2
            if middle in (low, high):
                break
            low, high = (middle, high) if (excess(middle) < 0) == rising else (low, middle)
        return 1 / self.slope_moment(low), float(low)
