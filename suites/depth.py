"""Gradient across depth: one backward pass through a deep network gives the whole curve."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES
from kernels.blas import matmul
from kernels.checks import DTYPES
from kernels.initializers import INITIALIZERS
from kernels.layer import Layer, State, parameters
from suites import attenuation
from suites.attenuation import LOG10_2, Array, log10_norm, rescale
from suites.schema import stack

# A unit counts as saturated where its slope is below this share of the activation's steepest.
SATURATED = 0.1


@dataclass(frozen=True, kw_only=True)
class DepthCell:
    """One configuration, measured on the seeds seed, seed + 1 ... of which there are seeds."""

    architecture: str
    activation: str
    initializer: str
    depth: int
    width: int
    batch: int
    dtype: str
    seed: int
    seeds: int


def cells(
    *,
    architectures: Sequence[str] = ("plain",),
    activations: Sequence[str] = ("tanh",),
    initializers: Sequence[str] = ("xavier_normal",),
    depth: int = 50,
    width: int = 256,
    batch: int = 32,
    seeds: int = 8,
    seed: int = 0,
    dtype: str = "float32",
) -> list[DepthCell]:
    """A cell for each architecture, activation and initialiser; UserError where a name or a number is wrong."""
    names = attenuation.checked_names("depth", architectures, activations, initializers)
    numbers = {"depth": depth, "width": width, "batch": batch, "seeds": seeds, "seed": seed}
    attenuation.checked_numbers(dtype, **numbers)
    return [
        DepthCell(architecture=architecture, activation=activation, initializer=initializer, dtype=dtype, **numbers)
        for architecture, activation, initializer in product(*names)
    ]


def measure(cell: DepthCell) -> pd.DataFrame:
    """Rows of every seed, and of the prediction.

    Inputs are Gaussian, scaled so that the first pre-activations have mean square 1. The gradient injected at the
    last position is iid N(0, 1). Both, and the weights, have streams of their own.
    """
    configuration = {"experiment": "depth", **attenuation.configuration(cell), "depth": cell.depth}
    seeds = range(cell.seed, cell.seed + cell.seeds)
    measured = [piece for seed in seeds for piece in _seed(cell, seed)]
    return stack(configuration, [*measured, *attenuation.predicted_rows(cell)])


@threadpool_limits.wrap(limits=1, user_api="blas")
def _seed(cell: DepthCell, seed: int) -> list[dict[str, Any]]:
    dtype, shape = DTYPES[cell.dtype], (cell.batch, cell.width)
    weights, inputs, injected = attenuation.streams(seed)
    activation = ACTIVATIONS[cell.activation]
    build = ARCHITECTURES[cell.architecture].build
    network = build(activation, INITIALIZERS[cell.initializer], cell.width, cell.depth)
    state = network.init(weights, shape, dtype)

    x = _scaled(inputs.standard_normal(shape), state).astype(dtype)
    dy = injected.standard_normal(shape).astype(dtype)
    network.forward(state, x)
    plain, norms, weight_norms = _backward(network, state, dy)

    layers = state.children
    variances = [attenuation.variance(h) for h in (x, *(layer.saved["y"] for layer in layers))]
    slopes = [_slopes(activation, layer) for layer in layers]
    saturated = [float(np.mean(np.abs(slope) < SATURATED * _steepest(activation))) for slope in slopes]
    dead = [float(np.mean(~slope.any(axis=0))) for slope in slopes]

    every, above = ({"seed": seed, "position": range(first, cell.depth + 1), "unit": "1"} for first in (0, 1))
    return [
        *attenuation.gradient_rows(seed, cell.dtype, norms, plain),
        {**above, "parameter": "W", "metric": "log10_weight_gradient", "value": weight_norms, "unit": "log10"},
        {**every, "metric": "forward_variance", "value": variances},
        {**above, "metric": "saturated_share", "value": saturated},
        {**above, "metric": "dead_share", "value": dead},
    ]


def _backward(network: Layer, state: State, dy: Array) -> tuple[list[float], list[float], list[float]]:
    """log10 of gradient norms: at every position in a plain pass, the same beyond the dtype's range, of weights.

    The second pass starts where the plain one leaves the comfortable range, and carries on with the gradient
    times a power of two, as often as it takes. The power is exact: elsewhere both passes are equal.
    """
    network.backward(state, dy)
    plain = [*(log10_norm(child.saved["dx"]) for child in state.children), log10_norm(dy)]
    norms, weight_norms = plain.copy(), [math.nan] * len(state.children)
    power = 0  # of two, that the gradient at hand was multiplied by
    for i, (layer, child) in reversed([*enumerate(zip(network.layers, state.children, strict=True))]):
        dx = child.saved["dx"]
        if power:
            layer.backward(child, dy)
        weight_norms[i] = log10_norm(child.grads["W"]) - power * LOG10_2
        norm = log10_norm(dx) if power else plain[i]
        norms[i] = norm - power * LOG10_2
        power += rescale(dx, norm)
        dy = dx
    return plain, norms, weight_norms


def _scaled(x: Array, state: State) -> Array:
    """x (batch, width) times the factor that makes the first pre-activations' mean square 1."""
    first = {path.rpartition(".")[2]: parameter for path, parameter, _ in parameters(state.children[0])}
    z = np.empty((len(x), first["W"].shape[1]))
    matmul(z, x, first["W"].astype(np.float64))
    return x * math.sqrt((1.0 - np.mean(np.square(first["b"], dtype=np.float64))) / np.mean(z * z))


def _slopes(activation: Any, layer: State) -> Array:
    """f'(z) of a layer's pre-activations, (batch, width)."""
    z, y = layer.saved["z"], layer.saved["y"]
    slope = np.ones_like(z)
    activation.backward(slope, slope, z, y)
    return slope


@cache
def _steepest(activation: Any) -> float:
    """The largest |f'|, to within what a grid of step 0.01 sees."""
    return float(np.abs(activation.reference_derivative(np.linspace(-10.0, 10.0, 2001), activation.a)).max())
