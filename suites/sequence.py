"""Gradient across time: a loss at the last step only, and the norm of its gradient at every earlier one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from kernels.architectures import ARCHITECTURES
from kernels.checks import DTYPES
from kernels.elementwise import Activation
from kernels.initializers import INITIALIZERS, Initializer
from suites import attenuation
from suites.own_activations import lookup_activation
from suites.schema import stack
from suites.walk import PIECE, Walk


@dataclass(frozen=True, kw_only=True)
class SequenceCell:
    """One configuration, measured on the seeds seed, seed + 1 ... of which there are seeds.

    inputs: features of what enters a cell. depth: blocks of a Transformer. Each is None where it does not apply.
    """

    architecture: str
    activation: str
    initializer: str
    length: int
    width: int
    inputs: int | None
    depth: int | None
    batch: int
    dtype: str
    seed: int
    seeds: int


def cells(
    *,
    architectures: Sequence[str] = ("rnn",),
    activations: Sequence[str] = ("tanh",),
    initializers: Sequence[str] = ("xavier_normal",),
    length: int = 100,
    width: int = 256,
    inputs: int = 10,
    depth: int = 1,
    batch: int = 32,
    seeds: int = 8,
    seed: int = 0,
    dtype: str = "float32",
) -> list[SequenceCell]:
    """A cell for each architecture, activation and initialiser that make sense together.

    UserError where a name or a number is wrong, or nothing makes sense.
    """
    names = attenuation.checked_names("time", architectures, activations, initializers)
    numbers = {"length": length, "width": width, "batch": batch, "seeds": seeds, "seed": seed}
    attenuation.checked_numbers(dtype, inputs=inputs, depth=depth, **numbers)

    def size(architecture: str) -> dict[str, Any]:
        deep = "depth" in ARCHITECTURES[architecture].kinds
        return {"inputs": None, "depth": depth} if deep else {"inputs": inputs, "depth": None}

    def build(architecture: str, activation: Activation, initializer: Initializer) -> None:
        ARCHITECTURES[architecture].build(activation, initializer, width, size(architecture)["depth"])

    return [
        SequenceCell(
            architecture=architecture,
            activation=activation,
            initializer=initializer,
            dtype=dtype,
            **size(architecture),
            **numbers,
        )
        for architecture, activation, initializer in attenuation.sensible(names, build)
    ]


def measure(cell: SequenceCell) -> pd.DataFrame:
    """Rows of every seed, and of the prediction.

    Inputs are iid N(0, 1), h_0 is 0. The gradient injected at the last step is iid N(0, 1). Inputs, gradient and
    weights have streams of their own. log10_cell_gradient is that of an LSTM's cell state, over the norm of the
    hidden state's gradient at the last step. In a causal Transformer the positions are its input's steps, of which
    there is one more than the length: as many factors lie between the first and the last one as in a cell. Its gradient
    is not rescaled.
    """
    size = {"length": cell.length, "inputs": cell.inputs, "depth": cell.depth}
    known = {name: value for name, value in size.items() if value is not None}
    configuration = {"experiment": "time", **attenuation.configuration(cell), **known}
    seeds = range(cell.seed, cell.seed + cell.seeds)
    measured = [piece for seed in seeds for piece in (_unrolled if cell.depth is None else _attended)(cell, seed)]
    return stack(configuration, [*measured, *attenuation.predicted_rows(cell)])


@threadpool_limits.wrap(limits=1, user_api="blas")
def _unrolled(cell: SequenceCell, seed: int) -> list[dict[str, Any]]:
    dtype = DTYPES[cell.dtype]
    weights, inputs, injected = attenuation.streams(seed)
    build = ARCHITECTURES[cell.architecture].build
    network = build(lookup_activation(cell.activation), INITIALIZERS[cell.initializer], cell.width)
    row: tuple[Any, ...] = (cell.batch, cell.inputs)
    pieces = [
        inputs.standard_normal((min(PIECE, cell.length - at), *row)).astype(dtype)
        for at in range(0, cell.length, PIECE)
    ]
    walk = Walk(network, network.init(weights, pieces[0].shape, dtype), cell.length)
    walk.through(pieces, injected.standard_normal((cell.batch, cell.width)).astype(dtype))

    norms, cell_norms = walk.norms["h"], walk.norms.get("c")
    steps = {"seed": seed, "position": range(cell.length + 1)}
    cells = [] if cell_norms is None else [{"metric": "log10_cell_gradient", "value": cell_norms - norms[-1]}]
    return [
        *attenuation.gradient_rows(seed, cell.dtype, norms, walk.plain),
        *({**steps, **row, "unit": "log10"} for row in cells),
        {**steps, "metric": "forward_variance", "value": walk.variances, "unit": "1"},
    ]


@threadpool_limits.wrap(limits=1, user_api="blas")
def _attended(cell: SequenceCell, seed: int) -> list[dict[str, Any]]:
    dtype, shape = DTYPES[cell.dtype], (cell.length + 1, cell.batch, cell.width)
    weights, inputs, injected = attenuation.streams(seed)
    build = ARCHITECTURES[cell.architecture].build
    initializer = INITIALIZERS[cell.initializer]
    network = build(lookup_activation(cell.activation), initializer, cell.width, cell.depth, causal=True)
    state = network.init(weights, shape, dtype)
    y = network.forward(state, inputs.standard_normal(shape).astype(dtype))
    dy = np.zeros(shape, dtype)
    dy[-1] = injected.standard_normal(shape[1:])
    norms = [attenuation.log10_norm(dx) for dx in network.backward(state, dy)]
    variances = [attenuation.variance(step) for step in y]
    steps = {"seed": seed, "position": range(len(y)), "unit": "1"}
    return [
        *attenuation.gradient_rows(seed, cell.dtype, norms, norms),
        {**steps, "metric": "forward_variance", "value": variances},
    ]
