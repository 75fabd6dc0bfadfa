"""Where a function of one number jumps or bends: the break points of a quadrature.

Jumps are looked for in activations that declare no kinks, bends in all: tanh(100 x) is steep between points that do
for tanh(x).
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from kernels.elementwise import Activation

Array = np.ndarray[Any, Any]
Function = Callable[[Array], Array]

ROUNDING = 1e-10  # relative: what sums over a function's values cannot tell from 0

NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
# Points between which the known activations are smooth enough for these nodes, and those looked at beyond them.
BREAKS = np.array([0.0, *(side * 2.0**k for side in (-1, 1) for k in range(-2, 7))])
BINADES = 2.0 ** np.arange(-20, 21)
# A piece is smooth if its halves add up to it, so closely, and then as narrow as a kink may leave it; points added.
SMOOTH, SHARP, MOST = 1e-13, 1e-12, 64


def values_of(g: Function, x: Array) -> Array:
    """g(x), all NaN where g raises for what it cannot compute, as plain Python functions do where they overflow."""
    with np.errstate(all="ignore"):
        try:
            return np.asarray(g(x), np.float64)
        except ArithmeticError:
            return np.full(x.shape, np.nan)


def jumps(g: Function, limit: float = 16.0, most: int = 32) -> tuple[float, ...]:
    """Where g, a float64 function, jumps between -limit and limit: its clearest jumps, at most so many.

    The steps between neighbours on a grid that differ most from those on both their sides are halved 50 times: a jump
    keeps its size, anything smooth shrinks. No point of the grid is one at which somebody would let a function jump.
    """
    x = np.linspace(-limit, limit, 4098)
    y = values_of(g, x)
    steps = np.nan_to_num(np.diff(y), nan=0.0, posinf=0.0, neginf=0.0)
    bends = np.pad(np.abs(np.diff(steps)), 1)
    steepest = np.argsort(np.minimum(bends[:-1], bends[1:]))[-most:]
    steepest = steepest[np.abs(steps[steepest]) > ROUNDING * np.nanmax(np.abs(y), initial=0.0)]
    if not len(steepest):
        return ()
    low, high = x[steepest], x[steepest + 1]
    below, above = y[steepest], y[steepest + 1]
    for _ in range(50):
        middle = (low + high) / 2
        here = values_of(g, middle)
        left = np.abs(here - below) > np.abs(above - here)
        low, high = np.where(left, low, middle), np.where(left, middle, high)
        below, above = np.where(left, below, here), np.where(left, here, above)
    return tuple(np.sort(high[np.abs(above - below) > 1e-6 * np.abs(steps[steepest])]).tolist())


@lru_cache(maxsize=256)
def kinks_of(activation: Activation, a: float | None) -> tuple[float, ...]:
    """The kinks of an activation, or, where it declares none, where f or f' is seen to jump."""
    if activation.kinks:
        return activation.kinks
    return jumps(lambda x: activation.reference(x, a)) + jumps(lambda x: activation.reference_derivative(x, a))


def bends(f: Function, df: Function, kinks: tuple[float, ...] = ()) -> tuple[float, ...]:
    """Points that BREAKS and the kinks lack: between all of them sums over NODES tell the integrals of f^2 and f'^2.

    On each side of 0 those nearest to it where there are too many, as of functions that oscillate without end.
    """
    fixed = {*BREAKS.tolist(), *kinks}
    return tuple(sorted(float(point) for side in (-1, 1) for point in _bends(f, df, fixed, side)))


def _bends(f: Function, df: Function, fixed: set[float], side: int) -> list[float]:
    """Those on one side, from 0 on outwards: pieces are halved until they are smooth, and joined while they stay so."""
    ahead = sorted((edge for edge in fixed.union(BINADES * side) if edge * side > 0), key=abs, reverse=True)
    needed: list[float] = []
    start = at = 0.0  # where the piece at hand starts, and how far it is known to be smooth
    total = np.zeros(2)  # of the integrals so far: what error is small is told by them
    while ahead and len(needed) < MOST:
        end = ahead[-1]
        middle = (at + end) / 2
        halves = _integrals(f, df, at, middle) + _integrals(f, df, middle, end)
        reached = total + np.nan_to_num(halves, posinf=0.0)
        if _differ(_integrals(f, df, at, end), halves, reached) and abs(end - at) > SHARP * abs(end):
            ahead.append(middle)
            continue
        if at != start and _differ(_integrals(f, df, start, end), _integrals(f, df, start, at) + halves, reached):
            needed.append(at)
            start = at
        at, total = ahead.pop(), reached
        start = at if at in fixed else start
    return needed


def _differ(whole: Array, parts: Array, total: Array) -> bool:
    with np.errstate(invalid="ignore"):
        return bool((np.abs(whole - parts) > SMOOTH * total).any())


def _integrals(f: Function, df: Function, first: float, last: float) -> Array:
    """Sums over NODES for the integrals of f^2 and f'^2 between two points, (2,)."""
    half = (last - first) / 2
    x = first + half * (NODES + 1)
    with np.errstate(all="ignore"):
        return abs(half) * np.array([values_of(g, x) ** 2 @ WEIGHTS for g in (f, df)])


@lru_cache(maxsize=256)
def bends_of(activation: Activation, a: float | None) -> tuple[float, ...]:
    """The bends of an activation, of its float64 reference."""
    forms = activation.reference, activation.reference_derivative
    f, df = (lambda x, form=form: form(x, a) for form in forms)
    return bends(f, df, kinks_of(activation, a))
