"""Gradient across depth: one backward pass through a deep network gives the whole curve."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from kernels.architectures import ARCHITECTURES
from kernels.checks import DTYPES
from kernels.elementwise import Activation
from kernels.initializers import INITIALIZERS, Initializer
from kernels.layer import Layer, State, parameters
from suites import attenuation
from suites.activity import activity
from suites.blocks import Blocks
from suites.descent import descend, descend_plainly
from suites.draws import LIMIT, remembered, shared, undrawn
from suites.own_activations import lookup_activation
from suites.schema import stack
from suites.stored import stored_rows
from suites.threads import one_thread

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
    """What cells that share their draws have in common; those that share weights are next to each other."""
    return INITIALIZERS[cell.initializer].unit.__name__, cell.width, cell.seed, cell.initializer


@one_thread()
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
    activation, rule = lookup_activation(cell.activation), INITIALIZERS[cell.initializer]
    build = partial(ARCHITECTURES[cell.architecture].build, width=cell.width, depth=cell.depth)
    network, other = build(activation, remembered(rule)), None
    if activation.df_from_output:
        other = build(activation.from_output, undrawn(rule))
    blocks = Blocks(network, build(activation, undrawn(rule)), _shape(cell), DTYPES[cell.dtype])
    seeds = range(cell.seed, cell.seed + cell.seeds)
    measured = [piece for seed in seeds for piece in _seed(cell, seed, network, blocks, other)]
    return stack(configuration, [*measured, *attenuation.predicted_rows(cell)])


def _shape(cell: DepthCell) -> tuple[int, ...]:
    """Of x: (batch, width), or of sequences (tokens, batch, width)."""
    return (*(() if cell.tokens is None else (cell.tokens,)), cell.batch, cell.width)


def _draw(cell: DepthCell, seed: int, blocks: Blocks, rng: np.random.Generator) -> None:
    """Give blocks the weights of a seed, which cells that draw alike share."""

    def make() -> tuple[list[State], int]:
        return [*blocks.drawn(rng)], blocks.nbytes

    if blocks.nbytes > LIMIT:
        blocks.put(blocks.drawn(rng))
        return
    activation = lookup_activation(cell.activation)
    rule = INITIALIZERS[cell.initializer].of(activation)
    blocks.put(shared((cell.architecture, rule, cell.depth, cell.width, cell.dtype, activation.learns, seed), make))


def _seed(cell: DepthCell, seed: int, network: Layer, blocks: Blocks, other: Layer | None) -> list[dict[str, Any]]:
    """The rows of one seed. other: the network with the derivative from the output, if there is one."""
    dtype, shape = DTYPES[cell.dtype], _shape(cell)
    weights, inputs, injected = attenuation.streams(seed)
    _draw(cell, seed, blocks, weights)
    x = inputs.standard_normal(shape)
    if cell.tokens is None:
        (_, W, _), (_, b, _), *_ = parameters(blocks.states[0])
        x = attenuation.scaled(x, W, float(np.mean(np.square(b, dtype=np.float64))))
    x = x.astype(dtype)
    dy = injected.standard_normal(shape).astype(dtype)

    blocks.forward(x)
    found = activity(lookup_activation(cell.activation), network.layers, blocks.states, x)

    descent = descend(network, blocks, dy)
    stored = [descent.stored]
    if other is not None:
        differs = found.smallest < FLAT[cell.dtype]
        stored.append(descend_plainly(other, blocks, dy) if differs else descent.stored)

    every, above = ({"seed": seed, "position": range(first, cell.depth + 1), "unit": "1"} for first in (0, 1))
    return [
        *attenuation.gradient_rows(seed, cell.dtype, descent.norms, descent.stored.norms),
        *stored_rows(seed, cell.dtype, stored, found.variances),
        *(
            {**above, "parameter": name, "metric": "log10_weight_gradient", "value": values, "unit": "log10"}
            for name, values in descent.weight_norms.items()
        ),
        {**every, "metric": "forward_variance", "value": found.variances},
        {**every, "metric": "effective_rank", "value": found.ranks},
        {**above, "metric": "saturated_share", "value": found.saturated},
        {**above, "metric": "dead_share", "value": found.dead},
        {**above, "metric": "saved_bytes", "value": blocks.saved_bytes, "unit": "B"},
    ]
