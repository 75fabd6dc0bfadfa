"""What a forward pass leaves in a network's blocks: variances, effective ranks, saturated and dead units.

Of many blocks at once, which is far faster than block by block.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from kernels.layer import Array, Layer, State, activations
from kernels.summaries import flatness

# A unit counts as saturated where its slope is below this share of the activation's steepest.
SATURATED = 0.1
CHUNK = 64  # blocks at a time: copies are of so many


@dataclass
class Activity:
    """Of the positions 0 to the last: variances, and effective ranks. Of the blocks: the shares of saturated slopes and
    of dead units. smallest: the smallest size of a slope.
    """

    variances: list[float] = field(default_factory=list)
    ranks: list[float] = field(default_factory=list)
    saturated: list[float] = field(default_factory=list)
    dead: list[float] = field(default_factory=list)
    smallest: float = math.inf


def activity(activation: Any, layers: Sequence[Layer], states: Sequence[State], x: Array) -> Activity:
    """Of the blocks of a network of that activation, after a forward pass from x."""
    found, least = Activity(), SATURATED * _steepest(activation)
    for first in range(0, len(states), CHUNK):
        chunk = states[first : first + CHUNK]
        values = [*([] if first else [x]), *(state.saved["y"] for state in chunk)]
        stacked = np.stack([_rows(value) for value in values], dtype=np.float64)
        with np.errstate(invalid="ignore"):
            found.variances += stacked.var(axis=(1, 2)).tolist()
        found.ranks += effective_ranks(stacked)
        for slopes in _slopes(activation, layers[first : first + CHUNK], chunk):
            saturated, dead, smallest = flatness(slopes, least)
            found.saturated.append(saturated)
            found.dead.append(dead)
            found.smallest = min(found.smallest, smallest)
    return found


def effective_ranks(x: Array) -> list[float]:
    """The effective rank of each x[i] of x (n, N, F), float64, which is written: from 1 to min(N, F).

    The exponential of the entropy of the singular values, as shares of their sum (Roy & Vetterli 2007, The effective
    rank, section 2, equations 2 to 4); x is not centred. By the eigenvalues of the Gram matrix of the smaller side:
    right to about 1e-5. NaN where x[i] is all zeros, for which it is not defined, or not finite.
    """
    largest = np.maximum(x.max(axis=(1, 2)), -x.min(axis=(1, 2)))
    known = (largest > 0) & (largest < np.inf)
    x[~known], largest[~known] = 0.0, 1.0
    x /= largest[:, None, None]
    turned = x.transpose(0, 2, 1)
    gram = np.matmul(x, turned) if x.shape[1] <= x.shape[2] else np.matmul(turned, x)
    singular = np.sqrt(np.maximum(np.linalg.eigvalsh(gram), 0.0))
    total = singular.sum(axis=1, keepdims=True)
    shares = np.divide(singular, total, out=np.zeros_like(singular), where=total > 0)
    entropies = -(shares * np.log(shares, out=np.zeros_like(shares), where=shares > 0)).sum(axis=1)
    return np.where(known, np.exp(entropies), np.nan).tolist()


def _slopes(activation: Any, layers: Sequence[Layer], states: Sequence[State]) -> Iterator[Array]:
    """f'(z) of each block's pre-activations, (samples, units); those of its linear layers are not counted."""
    pairs = zip(layers, states, strict=True)
    found = [state.saved for pair in pairs for row, state in activations(*pair) if row is activation]
    z, y = (np.stack([_rows(saved[name]) for saved in found]) for name in ("z", "y"))
    slopes = np.ones_like(z)
    activation.backward(slopes, slopes, z, y)
    for block in slopes.reshape(len(states), -1, *slopes.shape[1:]):
        yield block[0] if len(block) == 1 else np.concatenate(block, axis=1)


@cache
def _steepest(activation: Any) -> float:
    """The largest |f'|, to within what a grid of step 0.01 sees."""
    return float(np.abs(activation.reference_derivative(np.linspace(-10.0, 10.0, 2001), activation.a)).max())


def _rows(x: Array) -> Array:
    """x (..., F) as (N, F)."""
    return x.reshape(-1, x.shape[-1])
