"""What a forward pass leaves in a network's blocks: variances, effective ranks, saturated and dead units."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Any

import numpy as np

from kernels.eigenvalues import gram_eigenvalues
from kernels.layer import Array, Layer, State, activations
from kernels.summaries import flatness, relative_gram, variance

# A unit counts as saturated where its slope is below this share of the activation's steepest.
SATURATED = 0.1
CHUNK = 64  # positions whose eigenvalues are found at once


@dataclass
class Activity:
    """Of the positions 0 to the last: variances, and effective ranks. Of the blocks: the shares of saturated slopes and
    of dead units. smallest: the smallest size of a slope.
    """

    variances: list[float]
    ranks: list[float]
    saturated: list[float] = field(default_factory=list)
    dead: list[float] = field(default_factory=list)
    smallest: float = math.inf


def activity(activation: Any, layers: Sequence[Layer], states: Sequence[State], x: Array) -> Activity:
    """Of the blocks of a network of that activation, after a forward pass from x."""
    values = [_rows(value) for value in (x, *(state.saved["y"] for state in states))]
    found, least = (
        Activity([variance(value) for value in values], effective_ranks(values)),
        SATURATED * _steepest(activation),
    )
    for layer, state in zip(layers, states, strict=True):
        saturated, dead, smallest = flatness(_slopes(activation, layer, state), least)
        found.saturated.append(saturated)
        found.dead.append(dead)
        found.smallest = min(found.smallest, smallest)
    return found


def effective_ranks(values: Sequence[Array]) -> list[float]:
    """The effective rank of each of values, (N, F) and alike: from 1 to min(N, F).

    The exponential of the entropy of the singular values, as shares of their sum (Roy & Vetterli 2007, The effective
    rank, section 2, equations 2 to 4); no mean is taken off. By the eigenvalues of the Gram matrix of the smaller side:
    right to about 1e-5. NaN where it is not defined: of what is all zeros, or not finite.
    """
    found: list[float] = []
    rest = iter(values)
    while chunk := [*islice(rest, CHUNK)]:
        side = min(chunk[0].shape)
        grams = np.empty((len(chunk), side, side))
        known = [relative_gram(gram, value) for gram, value in zip(grams, chunk, strict=True)]
        singular = np.sqrt(np.maximum(gram_eigenvalues(grams), 0.0))
        total = singular.sum(axis=1, keepdims=True)
        shares = np.divide(singular, total, out=np.zeros_like(singular), where=total > 0)
        entropies = -(shares * np.log(shares, out=np.zeros_like(shares), where=shares > 0)).sum(axis=1)
        found += np.where(known, np.exp(entropies), np.nan).tolist()
    return found


def _slopes(activation: Any, layer: Layer, state: State) -> Array:
    """f'(z) of a block's pre-activations, (samples, units); those of its linear layers are not counted."""
    found = [
        _slope(activation, _rows(inner.saved["z"]), _rows(inner.saved["y"]))
        for row, inner in activations(layer, state)
        if row is activation
    ]
    return found[0] if len(found) == 1 else np.concatenate(found, axis=1)


def _slope(activation: Any, z: Array, y: Array) -> Array:
    slopes = np.ones_like(z)
    activation.backward(slopes, slopes, z, y)
    return slopes


@cache
def _steepest(activation: Any) -> float:
    """The largest |f'|, to within what a grid of step 0.01 sees."""
    return float(np.abs(activation.reference_derivative(np.linspace(-10.0, 10.0, 2001), activation.a)).max())


def _rows(x: Array) -> Array:
    """x (..., F) as (N, F)."""
    return x.reshape(-1, x.shape[-1])
