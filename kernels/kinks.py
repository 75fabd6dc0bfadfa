"""Where a function of one number jumps: the break points of a quadrature, for activations that declare no kinks."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from kernels.elementwise import Activation

Array = np.ndarray[Any, Any]
Function = Callable[[Array], Array]

ROUNDING = 1e-10  # relative: what sums over a function's values cannot tell from 0


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
