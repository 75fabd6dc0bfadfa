"""Gradient across time: a loss at the last step only, and the norm of its gradient at every earlier one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES
from kernels.checks import DTYPES
from kernels.elementwise import Activation
from kernels.initializers import INITIALIZERS, Initializer
from suites import attenuation
from suites.schema import stack
from suites.walk import PIECE, Walk


@dataclass(frozen=True, kw_only=True)
class SequenceCell:
    """One configuration, measured on the seeds seed, seed + 1 ... of which there are seeds."""

    architecture: str
    activation: str
    initializer: str
    length: int
    width: int
    inputs: int
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
    batch: int = 32,
    seeds: int = 8,
    seed: int = 0,
    dtype: str = "float32",
) -> list[SequenceCell]:
    """A cell for each architecture, activation and initialiser that make sense together.

    UserError where a name or a number is wrong, or nothing makes sense.
    """
    names = attenuation.checked_names("time", architectures, activations, initializers)
    numbers = {"length": length, "width": width, "inputs": inputs, "batch": batch, "seeds": seeds, "seed": seed}
    attenuation.checked_numbers(dtype, **numbers)

    def build(architecture: str, activation: Activation, initializer: Initializer) -> None:
        ARCHITECTURES[architecture].build(activation, initializer, width)

    return [
        SequenceCell(architecture=architecture, activation=activation, initializer=initializer, dtype=dtype, **numbers)
        for architecture, activation, initializer in attenuation.sensible(names, build)
    ]


def measure(cell: SequenceCell) -> pd.DataFrame:
    """Rows of every seed, and of the prediction.

    Inputs are iid N(0, 1), h_0 is 0. The gradient injected at the last step is iid N(0, 1). Inputs, gradient and
    weights have streams of their own. log10_cell_gradient is that of an LSTM's cell state, over the norm of the
    hidden state's gradient at the last step.
    """
    size = {"length": cell.length, "inputs": cell.inputs}
    configuration = {"experiment": "time", **attenuation.configuration(cell), **size}
    seeds = range(cell.seed, cell.seed + cell.seeds)
    measured = [piece for seed in seeds for piece in _seed(cell, seed)]
    return stack(configuration, [*measured, *attenuation.predicted_rows(cell)])


@threadpool_limits.wrap(limits=1, user_api="blas")
def _seed(cell: SequenceCell, seed: int) -> list[dict[str, Any]]:
    dtype = DTYPES[cell.dtype]
    weights, inputs, injected = attenuation.streams(seed)
    build = ARCHITECTURES[cell.architecture].build
    network = build(ACTIVATIONS[cell.activation], INITIALIZERS[cell.initializer], cell.width)
    pieces = [
        inputs.standard_normal((min(PIECE, cell.length - at), cell.batch, cell.inputs)).astype(dtype)
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
