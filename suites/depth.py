"""Gradient across depth: one backward pass through a deep network gives the whole curve."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
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
from kernels.summaries import flatness, variance
from suites import attenuation
from suites.attenuation import Array
from suites.blocks import Blocks
from suites.descent import descend, descend_plainly
from suites.draws import remembered
from suites.own_activations import lookup_activation
from suites.ranks import effective_rank
from suites.schema import stack
from suites.stored import stored_rows

# A unit counts as saturated where its slope is below this share of the activation's steepest.
SATURATED = 0.1
# The derivative from the output of y near 1 is off by an eps of 1: where no slope is smaller, that is 1e-3 of it.
FLAT = {"float32": 2.0**-13, "float64": 2.0**-42}


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
    depths: Sequence[int] = (50,),
    widths: Sequence[int] = (256,),
    dtypes: Sequence[str] = ("float32",),
    batch: int = 32,
    tokens: int = 16,
    seeds: int = 8,
    seed: int = 0,
) -> list[DepthCell]:
    """A cell for each combination of names and sizes that makes sense.

    UserError where a name or a number is wrong, or nothing makes sense.
    """
    names = attenuation.checked_names("depth", architectures, activations, initializers)
    sizes = attenuation.checked_sizes(
        dtypes, depth=depths, width=widths, batch=[batch], tokens=[tokens], seeds=[seeds], seed=[seed]
    )

    def build(architecture: str, activation: Activation, initializer: Initializer) -> None:
        row = ARCHITECTURES[architecture]
        if batch < row.least_batch:
            raise ValueError(f"{row.name} needs a batch of {row.least_batch} or more, got {batch}")
        for size in sizes:
            row.build(activation, initializer, size["width"], size["depth"])

    combinations = attenuation.sensible(names, build)
    return [
        DepthCell(
            architecture=architecture,
            activation=activation,
            initializer=initializer,
            **{**size, "tokens": tokens if "time" in ARCHITECTURES[architecture].kinds else None},
        )
        for architecture, activation, initializer in combinations
        for size in sizes
    ]


def near(cell: DepthCell) -> tuple[Any, ...]:
    """What cells that share their draws have in common."""
    return INITIALIZERS[cell.initializer].unit.__name__, cell.width, cell.seed


@threadpool_limits.wrap(limits=1, user_api="blas")
def measure(cell: DepthCell) -> pd.DataFrame:
    """Rows of every seed, and of the prediction.

    Inputs are Gaussian, scaled so that the first pre-activations have mean square 1; for Transformers, whose blocks
    begin otherwise, N(0, 1). The gradient injected at the last position is iid N(0, 1). Both, and the weights, have
    streams of their own; standard normals of the weights are shared with other cells that this process measures, which
    changes no bit. from_output_gradient is that of frameworks, whose derivative comes from the output, where the
    activation has such a one; where no slope is below FLAT the two differ by roundings, and it is the dtype's.
    saved_bytes is what forward keeps for backward in a layer besides what those below it keep.
    """
    size = {"depth": cell.depth} if cell.tokens is None else {"depth": cell.depth, "length": cell.tokens}
    configuration = {"experiment": "depth", **attenuation.configuration(cell), **size}
    activation, rule = lookup_activation(cell.activation), remembered(INITIALIZERS[cell.initializer])
    build = partial(ARCHITECTURES[cell.architecture].build, initializer=rule, width=cell.width, depth=cell.depth)
    other = build(activation.from_output) if activation.df_from_output else None
    network, measured = build(activation), []
    room: list[Blocks] = []
    for seed in range(cell.seed, cell.seed + cell.seeds):
        measured += _seed(cell, seed, network, other, room)
    return stack(configuration, [*measured, *attenuation.predicted_rows(cell)])


def _seed(cell: DepthCell, seed: int, network: Layer, other: Layer | None, room: list[Blocks]) -> list[dict[str, Any]]:
    """The rows of one seed; room has the blocks of the seed before, if any."""
    dtype, leading = DTYPES[cell.dtype], () if cell.tokens is None else (cell.tokens,)
    shape = (*leading, cell.batch, cell.width)
    weights, inputs, injected = attenuation.streams(seed)
    if room:
        room[0].redraw(weights)
    else:
        room.append(Blocks(network, weights, shape, dtype))
    (blocks,) = room
    x = inputs.standard_normal(shape)
    x = (x if cell.tokens else _scaled(x, blocks.states[0])).astype(dtype)
    dy = injected.standard_normal(shape).astype(dtype)

    activation = lookup_activation(cell.activation)
    variances, ranks, shapes = [variance(x)], [effective_rank(x)], []
    for layer, state in blocks.forward(x):
        y = state.saved["y"]
        variances.append(variance(y))
        ranks.append(effective_rank(y))
        shapes.append(flatness(_slopes(activation, layer, state), SATURATED * _steepest(activation)))
    saturated, dead, smallest = zip(*shapes, strict=True)

    descent = descend(network, blocks, dy)
    stored = [descent.stored]
    if other is not None:
        differs = min(smallest) < FLAT[cell.dtype]
        stored.append(descend_plainly(other, blocks, dy) if differs else descent.stored)

    every, above = ({"seed": seed, "position": range(first, cell.depth + 1), "unit": "1"} for first in (0, 1))
    return [
        *attenuation.gradient_rows(seed, cell.dtype, descent.norms, descent.stored.norms),
        *stored_rows(seed, cell.dtype, stored),
        *(
            {**above, "parameter": name, "metric": "log10_weight_gradient", "value": values, "unit": "log10"}
            for name, values in descent.weight_norms.items()
        ),
        {**every, "metric": "forward_variance", "value": variances},
        {**every, "metric": "effective_rank", "value": ranks},
        {**above, "metric": "saturated_share", "value": saturated},
        {**above, "metric": "dead_share", "value": dead},
        {**above, "metric": "saved_bytes", "value": _bytes(blocks.states), "unit": "B"},
    ]


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
    """x (batch, width) times the factor that makes the pre-activations of the first block mean square 1."""
    (_, W, _), (_, b, _), *_ = parameters(state)
    z = np.empty((len(x), W.shape[1]))
    matmul(z, x, W.astype(np.float64))
    return x * math.sqrt((1.0 - np.mean(np.square(b, dtype=np.float64))) / np.mean(z * z))


def _slopes(activation: Activation, layer: Layer, block: State) -> Array:
    """f'(z) of a block's pre-activations, (samples, units); those of its linear layers are not counted."""
    slopes = []
    for state in (state for row, state in activations(layer, block) if row is activation):
        z, y = state.saved["z"], state.saved["y"]
        slope = np.ones_like(z)
        activation.backward(slope, slope, z, y)
        slopes.append(slope.reshape(-1, slope.shape[-1]))
    return slopes[0] if len(slopes) == 1 else np.concatenate(slopes, axis=1)


@cache
def _steepest(activation: Activation) -> float:
    """The largest |f'|, to within what a grid of step 0.01 sees."""
    return float(np.abs(activation.reference_derivative(np.linspace(-10.0, 10.0, 2001), activation.a)).max())
