"""Expectations over two correlated pre-activations: two samples' of one unit, two tokens'. No JIT.

Sums over Gauss-Legendre nodes between break points; the kinks are break points, as in kernels.critical.
"""

import math
from typing import Any

import numpy as np

from kernels.critical import Function

Array = np.ndarray[Any, Any]

NODES, WEIGHTS = np.polynomial.legendre.leggauss(12)
# In standard deviations: what the Gaussian has, and how a step that it smears is cut.
GAUSSIAN, SMEARED = np.linspace(-9.0, 9.0, 10), np.array([-8.0, -3.0, -1.0, 0.0, 1.0, 3.0, 8.0])


def gaussian_pair(g: Function, q: float, rho: float, kinks: tuple[float, ...] = ()) -> float:
    """E[g(x) g(y)] for x, y ~ N(0, q) of correlation rho, 0 to 1; g float64, smooth but at its kinks.

    x and y are what they share, sqrt(rho q) c, and a part of their own: E over c of (E[g | c])^2.
    """
    shared, own = math.sqrt(rho * q), math.sqrt((1.0 - rho) * q)
    places = np.array(kinks, dtype=np.float64)
    near = (places[:, None] + own * SMEARED).ravel() / shared if shared else np.empty(0)
    c, weights = _between(np.concatenate([GAUSSIAN, near]), GAUSSIAN[0], GAUSSIAN[-1])
    centre = shared * c[:, None]
    cuts = (places - centre) / own if own else np.empty((len(c), 0))
    u, inner = _between(
        np.hstack([np.broadcast_to(GAUSSIAN, (len(c), len(GAUSSIAN))), cuts]), GAUSSIAN[0], GAUSSIAN[-1]
    )
    means = (g(centre + own * u) * inner * _density(u)).sum(axis=1)
    return float((weights * _density(c)) @ means**2)


def normalised_pair(batch: int, kinks: tuple[float, ...] = ()) -> tuple[Array, Array, Array]:
    """Nodes x, y and weights, which sum to 1, of what BatchNorm makes of one unit's two samples in a Gaussian batch.

    All samples of the unit are a point on the sphere of radius sqrt(batch) whose coordinates sum to 0, every point
    as likely: x and y have variance 1 and correlation -1 / (batch - 1) (Yang et al. 2019, A mean field theory of
    batch normalization, section 3). batch must be 6 or more, for a density that is bounded.
    """
    radius, rho = math.sqrt(batch - 1), -1.0 / (batch - 1)
    widest, places = min(1.0, 12.0 / radius), np.array(kinks, dtype=np.float64) / radius
    grid = np.linspace(-widest, widest, 15)
    inside = places[np.abs(places) < widest]  # at the poles t would have no room
    u, across = _between(np.concatenate([grid, inside]), -widest, widest)
    height, slant = np.sqrt(1 - u * u)[:, None], math.sqrt(1 - rho * rho)
    cuts = (places - rho * u[:, None]) / (slant * height)
    t, along = _between(np.hstack([np.broadcast_to(grid, (len(u), len(grid))), cuts]), -widest, widest)
    x = np.broadcast_to(u[:, None], t.shape)
    weights = across[:, None] * along * height ** (batch - 4) * (1 - t * t) ** ((batch - 5) / 2)
    return (radius * x).ravel(), radius * (rho * x + slant * height * t).ravel(), weights.ravel() / weights.sum()


def _between(breaks: Array, low: float, high: float) -> tuple[Array, Array]:
    """Nodes and weights (..., n) of the integral from low to high, broken at breaks (..., m)."""
    ends = np.sort(np.clip(breaks, low, high), axis=-1)
    half = np.diff(ends)[..., None] / 2
    nodes = ends[..., :-1, None] + half * (NODES + 1)
    flat = (*ends.shape[:-1], -1)
    return nodes.reshape(flat), (half * WEIGHTS).reshape(flat)


def _density(z: Array) -> Array:
    return np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
