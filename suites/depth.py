"""Gradient across depth: one backward pass through a deep network gives the whole curve."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from kernels.architectures import ARCHITECTURES
from kernels.blas import matmul
from kernels.checks import DTYPES
from kernels.elementwise import Activation
from kernels.initializers import INITIALIZERS, Initializer
from kernels.layer import Layer, State, activations, parameters, saved_memory
from suites import attenuation
from suites.attenuation import LOG10_2, Array, log10_norm, rescaling
from suites.naming import named
from suites.own_activations import lookup_activation
from suites.schema import stack

# A unit counts as saturated where its slope is below this share of the activation's steepest.
SATURATED = 0.1


@dataclass(frozen=True, kw_only=True)
class DepthCell:
    """One configuration, measured on the seeds seed, seed + 1 ... of which there are seeds.

    tokens: the length of the sequences that Transformers take, None elsewhere.
    """

    architecture: str
    activation: str
    initializer: str
    depth: int
    width: int
    batch: int
    tokens: int | None
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
    tokens: int = 16,
    seeds: int = 8,
    seed: int = 0,
    dtype: str = "float32",
) -> list[DepthCell]:
    """A cell for each architecture, activation and initialiser that make sense together.

    UserError where a name or a number is wrong, or nothing makes sense.
    """
    names = attenuation.checked_names("depth", architectures, activations, initializers)
    numbers = {"depth": depth, "width": width, "batch": batch, "seeds": seeds, "seed": seed}
    attenuation.checked_numbers(dtype, tokens=tokens, **numbers)

    def build(architecture: str, activation: Activation, initializer: Initializer) -> None:
        row = ARCHITECTURES[architecture]
        if batch < row.least_batch:
            raise ValueError(f"{row.name} needs a batch of {row.least_batch} or more, got {batch}")
        row.build(activation, initializer, width, depth)

    return [
        DepthCell(
            architecture=architecture,
            activation=activation,
            initializer=initializer,
            tokens=tokens if "time" in ARCHITECTURES[architecture].kinds else None,
            dtype=dtype,
            **numbers,
        )
        for architecture, activation, initializer in attenuation.sensible(names, build)
    ]


def measure(cell: DepthCell) -> pd.DataFrame:
    """Rows of every seed, and of the prediction.

    Inputs are Gaussian, scaled so that the first pre-activations have mean square 1; for Transformers, whose blocks
    begin otherwise, N(0, 1). The gradient injected at the last position is iid N(0, 1). Both, and the weights, have
    streams of their own. saved_bytes is what forward keeps for backward in a layer besides what those below it keep.
    """
    size = {"depth": cell.depth} if cell.tokens is None else {"depth": cell.depth, "length": cell.tokens}
    configuration = {"experiment": "depth", **attenuation.configuration(cell), **size}
    seeds = range(cell.seed, cell.seed + cell.seeds)
    measured = [piece for seed in seeds for piece in _seed(cell, seed)]
    return stack(configuration, [*measured, *attenuation.predicted_rows(cell)])


@threadpool_limits.wrap(limits=1, user_api="blas")
def _seed(cell: DepthCell, seed: int) -> list[dict[str, Any]]:
    dtype, leading = DTYPES[cell.dtype], () if cell.tokens is None else (cell.tokens,)
    shape = (*leading, cell.batch, cell.width)
    weights, inputs, injected = attenuation.streams(seed)
    activation = lookup_activation(cell.activation)
    build = ARCHITECTURES[cell.architecture].build
    network = build(activation, INITIALIZERS[cell.initializer], cell.width, cell.depth)
    state = network.init(weights, shape, dtype)

    x = inputs.standard_normal(shape)
    x = (x if cell.tokens else _scaled(x, state)).astype(dtype)
    dy = injected.standard_normal(shape).astype(dtype)
    network.forward(state, x)
    plain, norms, weight_norms = _backward(network, state, dy)

    blocks = state.children
    variances = [attenuation.variance(h) for h in (x, *(block.saved["y"] for block in blocks))]
    slopes = [_slopes(activation, *pair) for pair in zip(network.layers, blocks, strict=True)]
    saturated = [float(np.mean(np.abs(slope) < SATURATED * _steepest(activation))) for slope in slopes]
    dead = [float(np.mean(~slope.any(axis=0))) for slope in slopes]

    every, above = ({"seed": seed, "position": range(first, cell.depth + 1), "unit": "1"} for first in (0, 1))
    return [
        *attenuation.gradient_rows(seed, cell.dtype, norms, plain),
        *(
            {**above, "parameter": name, "metric": "log10_weight_gradient", "value": values, "unit": "log10"}
            for name, values in weight_norms.items()
        ),
        {**every, "metric": "forward_variance", "value": variances},
        {**above, "metric": "saturated_share", "value": saturated},
        {**above, "metric": "dead_share", "value": dead},
        {**above, "metric": "saved_bytes", "value": _bytes(blocks), "unit": "B"},
    ]


def _backward(network: Layer, state: State, dy: Array) -> tuple[list[float], list[float], dict[str, list[float]]]:
    """log10 of gradient norms: at every position in a plain pass, the same beyond the dtype's range, of parameters.

    The second pass starts where the plain one leaves the comfortable range, and carries on with the gradient
    times a power of two, as often as it takes. The power is exact: elsewhere both passes are equal.
    """
    network.backward(state, dy)
    plain = [*(log10_norm(child.saved["dx"]) for child in state.children), log10_norm(dy)]
    norms = plain.copy()
    weight_norms = {name: [math.nan] * len(state.children) for name in named(state.children[0])}
    power = 0  # of two, that the gradient at hand was multiplied by
    for i, (layer, child) in reversed([*enumerate(zip(network.layers, state.children, strict=True))]):
        dx = child.saved["dx"]
        if power:
            layer.backward(child, dy)
        for name, (_, gradient) in named(child).items():
            weight_norms[name][i] = log10_norm(gradient) - power * LOG10_2
        norm = log10_norm(dx) if power else plain[i]
        norms[i] = norm - power * LOG10_2
        if added := rescaling(norm, dx.dtype):
            np.ldexp(dx, added, out=dx)
            power += added
        dy = dx
    return plain, norms, weight_norms


def _bytes(blocks: list[State]) -> list[int]:
    """What each block keeps for backward that is not kept by one below it."""
    kept: set[int] = set()
    found = []
    for block in blocks:
        memory = saved_memory(block)
        found.append(sum(size for owner, size in memory.items() if owner not in kept))
        kept |= memory.keys()
    return found


def _scaled(x: Array, state: State) -> Array:
    """x (batch, width) times the factor that makes the first pre-activations' mean square 1."""
    (_, W, _), (_, b, _), *_ = parameters(state.children[0])
    z = np.empty((len(x), W.shape[1]))
    matmul(z, x, W.astype(np.float64))
    return x * math.sqrt((1.0 - np.mean(np.square(b, dtype=np.float64))) / np.mean(z * z))


def _slopes(activation: Any, layer: Layer, block: State) -> Array:
    """f'(z) of a block's pre-activations, (samples, units); those of its linear layers are not counted."""
    slopes = []
    for state in (state for row, state in activations(layer, block) if row is activation):
        z, y = state.saved["z"], state.saved["y"]
        slope = np.ones_like(z)
        activation.backward(slope, slope, z, y)
        slopes.append(slope.reshape(-1, slope.shape[-1]))
    return np.concatenate(slopes, axis=1)


@cache
def _steepest(activation: Any) -> float:
    """The largest |f'|, to within what a grid of step 0.01 sees."""
    return float(np.abs(activation.reference_derivative(np.linspace(-10.0, 10.0, 2001), activation.a)).max())
