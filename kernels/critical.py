"""Mean field of an activation: variance map, chi, gain, fixed points, critical points. No JIT.

For pre-activations z ~ N(0, q), weights of variance sw2 / fan_in and biases of variance sb2
(Poole et al. 2016, section 3; Schoenholz et al. 2017, section 3):

    q'  = sw2 E[f(z)^2] + sb2          variance of the next pre-activation
    chi = sw2 E[f'(z)^2]               factor on the squared gradient norm per layer

Expectations are Gauss-Legendre sums between break points. The kinks are break points: a rule
that straddles or hits one is wrong in the second digit (ReLU's gain 1.511 instead of 1.4142).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from kernels.elementwise import Activation
from kernels.kinks import BREAKS, NODES, ROUNDING, WEIGHTS, bends_of, kinks_of, values_of

Array = np.ndarray[Any, Any]
Function = Callable[[Array], Array]

# The Gaussian's own scale (z); BREAKS are on the scale on which activations bend (x).
GAUSSIAN_BREAKS = np.linspace(-12.0, 12.0, 17)
# Variances beyond which the map has died out or grows without end. VANISHING stands for the limit of 0, the first of
# FAR for that of infinity: what is left of the way there goes with the standard deviation, or with one over it.
SMALLEST_VARIANCE, LARGEST_VARIANCE, VANISHING = 1e-9, 1e12, 1e-60
NEAR, FAR = [VANISHING, 100 * VANISHING], [10.0**power for power in range(60, -1, -2)]
STEPS = 100  # of the map, before what it settles at is looked for ahead


@lru_cache(maxsize=4096)
def _rule(q: float, kinks: tuple[float, ...], halved: bool = False) -> tuple[Array, Array]:
    """Nodes x and weights w with sum(w * g(x)) = E[g(x)] for x ~ N(0, q); of pieces half as wide where halved."""
    sigma = math.sqrt(q)
    inner = np.concatenate([BREAKS, np.asarray(kinks)]) / sigma
    breaks = np.unique(np.concatenate([GAUSSIAN_BREAKS, inner[np.abs(inner) < GAUSSIAN_BREAKS[-1]]]))
    if halved:
        breaks = np.sort(np.concatenate([breaks, (breaks[:-1] + breaks[1:]) / 2]))
    half = np.diff(breaks)[:, None] / 2
    z = (breaks[:-1, None] + half * (NODES + 1)).ravel()
    weights = (half * WEIGHTS).ravel() * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return sigma * z, weights


def expectation(g: Function, q: float, kinks: tuple[float, ...] = ()) -> float:
    """E[g(x)] for x ~ N(0, q), of a float64 function g that is smooth but at its kinks; inf or NaN where g overflows.

    Raises:
        ValueError: q is negative or not finite.
    """
    if not (q >= 0 and math.isfinite(q)):
        raise ValueError(f"q must be a finite variance of 0 or more, got {q!r}")
    if q < np.finfo(np.float64).tiny:
        return float(values_of(g, np.zeros(1))[0])
    return _sum(g, *_rule(q, kinks))


def _sum(g: Function, x: Array, weights: Array) -> float:
    with np.errstate(all="ignore"):
        return float(weights @ values_of(g, x))


def _error(g: Function, q: float, kinks: tuple[float, ...]) -> float:
    """How far expectation(g, q, kinks), of g >= 0, may be off: pieces half as wide change it, and sums of n numbers
    round off n eps of themselves at the most (Higham 2002, section 4.2).
    """
    x, weights = _rule(q, kinks, halved=True)
    finer = _sum(g, x, weights)
    return abs(expectation(g, q, kinks) - finer) + len(x) * float(np.finfo(np.float64).eps) * finer


def _root(excess: Callable[[float], float], low: float, high: float) -> float:
    """Where excess, of another sign at low than at high, changes its sign."""
    rising = excess(low) < 0
    while high - low > 1e-14 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if (excess(middle) < 0) == rising else (low, middle)
    return low


class CriticalPoint(NamedTuple):
    """Weight variance and fixed point of the variance map, q, at which chi = 1.

    stable: whether variances near q stay near it, as those of a network with such weights then do.
    """

    sw2: float
    q: float
    stable: bool


@dataclass(frozen=True)
class MeanField:
    """What the mean field asks of an activation: f, f' (float64, vectorised), where they jump, and where they bend."""

    f: Function
    df: Function
    kinks: tuple[float, ...] = ()
    bends: tuple[float, ...] = ()

    @classmethod
    def of(cls, activation: Activation, a: float | None = None) -> "MeanField":
        """The mean field of an activation, from its float64 reference; a defaults to the row's own."""
        a = activation.a if a is None else a
        return cls(
            lambda x: activation.reference(x, a),
            lambda x: activation.reference_derivative(x, a),
            kinks_of(activation, a),
            bends_of(activation, a),
        )

    @property
    def breaks(self) -> tuple[float, ...]:
        """What parts f and f' into smooth pieces."""
        return (*self.kinks, *self.bends)

    def value_moment(self, q: float) -> float:
        """E[f(x)^2], x ~ N(0, q)."""
        return expectation(lambda x: self.f(x) ** 2, q, self.breaks)

    def slope_moment(self, q: float, power: int = 2) -> float:
        """E[f'(x)^power], x ~ N(0, q); at q = 0 the limit, in which a kink at 0 has both its sides."""
        return expectation(lambda x: self.df(x) ** power, max(q, VANISHING), self.breaks)

    def gain(self, q: float = 1.0) -> float:
        """The factor on weights of variance 1/fan_in that makes chi = 1 at q: 1 / sqrt(E[f'(x)^2])."""
        return math.sqrt(self.critical_variance(q))

    def critical_variance(self, q: float) -> float:
        """The sw2 that makes chi = 1 at q, 1 / E[f'(x)^2]; inf of a constant."""
        moment = self.slope_moment(q)
        return 1 / moment if moment else math.inf

    def chi(self, q: float, sw2: float) -> float:
        """Factor on the squared gradient norm of a layer whose pre-activations have variance q."""
        return sw2 * self.slope_moment(q)

    def settled_chi(self, q: float, sw2: float) -> float:
        """chi at a fixed point q, at 0 and at inf its limit; NaN where there is none.

        Exactly 1 where the quadrature cannot tell it from 1.
        """
        if math.isnan(q):
            return math.nan
        limits = {0.0: NEAR, math.inf: FAR}
        moment, error = self._slope_limit(limits[q]) if q in limits else self._slope_and_error(q)
        return 1.0 if abs(sw2 * moment - 1) <= sw2 * error else sw2 * moment

    def _slope_limit(self, way: Sequence[float]) -> tuple[float, float]:
        """E[f'^2] where the variances of way come from, first to last, and how far it may be off."""
        (last, error), (before, other) = map(self._slope_and_error, way[:2])
        if not math.isfinite(last):
            return last, 0.0
        if abs(last - before) > error + other:  # it has not arrived
            return (math.inf if last > before else 0.0), 0.0
        # Of slopes that oscillate without end, what the quadrature can still tell is the limit already.
        told = map(self._slope_and_error, way)
        return next((found for found in told if found[1] <= ROUNDING * found[0]), (last, error))

    def _slope_and_error(self, q: float) -> tuple[float, float]:
        """slope_moment(q), and how far it may be off."""
        return self.slope_moment(q), _error(lambda x: self.df(x) ** 2, q, self.breaks)

    def next_variance(self, q: float, sw2: float, sb2: float) -> float:
        """Variance of the next layer's pre-activations."""
        return sw2 * self.value_moment(q) + sb2

    def variances(self, q: float, sw2: float, sb2: float) -> Iterator[float]:
        """q, then the variances of the layers that follow, without end."""
        while True:
            yield q
            q = self.next_variance(q, sw2, sb2)

    def slope(self, q: float, sw2: float) -> float:
        """The derivative of the variance map at q > 0; a fixed point is stable where it is less than 1.

        It is at least -q'/2q, since E[g(sqrt(q) z)] of a g >= 0 falls no faster than 1/sqrt(q): no variance oscillates.
        """
        above, below = (self.value_moment(q * side) for side in (1 + 1e-4, 1 - 1e-4))
        return sw2 * (above - below) / (2e-4 * q)

    def fixed_point(self, sw2: float, sb2: float, q: float = 1.0) -> float:
        """The variance that the map settles at from q: 0 where it dies out, inf where it grows without end.

        NaN where the activation has no values. Near criticality the approach is only algebraic: what it then goes to is
        the next fixed point ahead, which is looked for.
        """
        ground = self.next_variance(0.0, sw2, sb2)
        for _ in range(STEPS):
            following = self.next_variance(q, sw2, sb2)
            if math.isnan(following) or following > LARGEST_VARIANCE:
                return math.nan if math.isnan(following) else math.inf
            if abs(following - q) <= 1e-12 * q:
                return following
            if ground == 0 and following < SMALLEST_VARIANCE:
                return 0.0
            q = following

        def excess(q: float) -> float:
            return self.next_variance(q, sw2, sb2) - q

        rising, ahead = excess(q) > 0, q
        while min(ground or SMALLEST_VARIANCE, SMALLEST_VARIANCE) < ahead < LARGEST_VARIANCE:
            q, ahead = ahead, ahead * (1.25 if rising else 0.8)
            change = excess(ahead)
            if (change > 0) != rising and abs(change) > 1e-12 * ahead:
                return _root(excess, min(q, ahead), max(q, ahead))
        return math.inf if rising else 0.0

    def critical_points(self, sb2: float = 0.0) -> list[CriticalPoint]:
        """Every weight variance at which chi = 1 at a fixed point q of the variance map, in the order of q.

        chi = 1 at q asks for sw2 = 1/E[f'^2]; q is a fixed point if then sb2 = q - sw2 E[f^2], which is solved for q.
        Where E[f'^2] is the same for all q, as ReLU's is, sw2 is critical whatever sb2: q is inf where it then grows
        without end.
        """

        def excess(q: float) -> float:
            return q - self.critical_variance(q) * self.value_moment(q) - sb2

        points = []
        still = self.critical_variance(VANISHING)
        limit = self.critical_variance(VANISHING * 1e6)
        if self.next_variance(0.0, 1.0, sb2) == 0 and abs(still - limit) <= 1e-6 * limit < math.inf:
            points.append(CriticalPoint(still, 0.0, self.next_variance(1e-4, still, 0.0) <= 1e-4 * (1 + 1e-9)))
        grid = np.geomspace(SMALLEST_VARIANCE, 1e6, 121)
        values = np.array([excess(q) for q in grid])
        told = np.flatnonzero(np.abs(values) > ROUNDING * grid)
        for i, j in pairwise(told):
            if values[i] * values[j] < 0:
                q = _root(excess, float(grid[i]), float(grid[j]))
                sw2 = self.critical_variance(q)
                points.append(CriticalPoint(sw2, q, self.slope(q, sw2) <= 1 + 1e-6))
        same = self.critical_variance(SMALLEST_VARIANCE)
        if not points and abs(same - self.critical_variance(LARGEST_VARIANCE)) <= ROUNDING * same < math.inf:
            points.append(CriticalPoint(same, math.inf, True))
        return points

    def critical_point(self, sb2: float = 0.0) -> tuple[float, float]:
        """(sw2, q) of the first critical point that is stable, of the first one if none is; NaNs if there is none."""
        points = sorted(self.critical_points(sb2), key=lambda point: not point.stable)
        return points[0][:2] if points else (math.nan, math.nan)
