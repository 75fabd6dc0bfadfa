"""Gradient across time: a loss at the last step only, and the norm of its gradient at every earlier one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kernels.architectures import ARCHITECTURES
from kernels.checks import DTYPES
from kernels.elementwise import Activation
from kernels.initializers import INITIALIZERS, Initializer
from kernels.layer import Layer
from suites import attenuation
from suites.attenuation import Array
from suites.draws import remembered
from suites.errors import UserError, whole
from suites.own_activations import lookup_activation
from suites.rescaled import norms_of, rescaled
from suites.schema import stack
from suites.stored import Stored, stored_rows
from suites.threads import one_thread
from suites.trained import FEATURES, TRAINING, trained
from suites.walk import PIECE, Drawn, Walk

INPUTS = 10  # features of a cell's input, unless the task has its own


@dataclass(frozen=True, kw_only=True)
class SequenceCell:
    """One configuration, measured on the seeds seed, seed + 1 ... of which there are seeds.

    inputs: features of what enters a cell. depth: blocks of a Transformer. Each is None where it does not apply.
    trained: steps of training before the measurement; 0 are weights as they are drawn.
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
    trained: int
    seed: int
    seeds: int


def cells(
    *,
    architectures: Sequence[str] = ("rnn",),
    activations: Sequence[str] = ("tanh",),
    initializers: Sequence[str] = ("xavier_normal",),
    lengths: Sequence[int] = (100,),
    widths: Sequence[int] = (256,),
    depths: Sequence[int] = (1,),
    dtypes: Sequence[str] = ("float32",),
    inputs: int | None = None,
    batch: int = 32,
    trained: int = 0,
    seeds: int = 8,
    seed: int = 0,
) -> list[SequenceCell]:
    """A cell for each combination of names and sizes that makes sense; inputs None is INPUTS, or the task's own.

    UserError where a name or a number is wrong, or nothing makes sense.
    """
    names = attenuation.checked_names("time", architectures, activations, initializers)
    sizes = attenuation.checked_sizes(dtypes, width=widths, length=lengths, depth=depths)
    features = (FEATURES if trained else INPUTS) if inputs is None else inputs
    numbers: dict[str, Any] = {"batch": batch, "seeds": seeds, "seed": seed}
    attenuation.checked_numbers(dtypes[0], inputs=features, **numbers)
    if whole("trained", trained, 0):
        if features != FEATURES:
            raise UserError(f"inputs must be {FEATURES} where weights are trained, on the adding problem, got {inputs}")
        whole("length", min(lengths), 2)

    def deep(architecture: str) -> bool:
        return "depth" in ARCHITECTURES[architecture].kinds

    def build(architecture: str, activation: Activation, initializer: Initializer) -> None:
        depth = 1 if deep(architecture) else None
        ARCHITECTURES[architecture].build(activation, initializer, widths[0], depth)

    found = [
        SequenceCell(
            architecture=architecture,
            activation=activation,
            initializer=initializer,
            trained=trained,
            inputs=None if deep(architecture) else features,
            **numbers,
            **(size if deep(architecture) else size | {"depth": None}),
        )
        for architecture, activation, initializer in attenuation.sensible(names, build)
        for size in sizes
    ]
    return list(dict.fromkeys(found))  # a cell has no depth


def measure(cell: SequenceCell) -> pd.DataFrame:
    """Rows of every seed, and of the prediction, of which there is none for trained weights.

    Inputs are iid N(0, 1), or fresh examples of the task where weights are trained; h_0 is 0. The gradient injected at
    the last step is iid N(0, 1). Inputs, gradient and weights have streams of their own; standard normals of the
    weights are shared with other cells that this process measures, which changes no bit. log10_cell_gradient is that of
    an LSTM's cell state, over the norm of the hidden state's gradient at the last step. In a causal Transformer the
    positions are its input's steps, of which there is one more than the length: as many factors lie between the first
    and the last one as in a cell. loss: the mean squared error at the end of training.
    """
    seeds = range(cell.seed, cell.seed + cell.seeds)
    measured = [piece for seed in seeds for piece in (_unrolled if cell.depth is None else _attended)(cell, seed)]
    return stack(configuration(cell), [*measured, *([] if cell.trained else attenuation.predicted_rows(cell))])


def configuration(cell: SequenceCell) -> dict[str, Any]:
    """The columns of a row that a cell's configuration fills."""
    size = {"length": cell.length, "inputs": cell.inputs, "depth": cell.depth}
    known = {name: value for name, value in size.items() if value is not None}
    training = {**TRAINING, "step": cell.trained} if cell.trained else {}
    return {"experiment": "time", **attenuation.configuration(cell), **known, **training}


def _networks(cell: SequenceCell) -> list[Layer]:
    """The network, and where the activation has a derivative from its output, the same one with that."""
    row, rule = lookup_activation(cell.activation), remembered(INITIALIZERS[cell.initializer])
    build, causal = ARCHITECTURES[cell.architecture].build, cell.depth is not None
    rows = [row] if row.df_from_output is None else [row, row.from_output]
    return [build(each, rule, cell.width, cell.depth, causal=causal) for each in rows]


@one_thread()
def _unrolled(cell: SequenceCell, seed: int) -> list[dict[str, Any]]:
    dtype, features, (network, *others) = DTYPES[cell.dtype], cell.inputs or 0, _networks(cell)
    weights, inputs, injected = attenuation.streams(seed)
    pieces: Sequence[Array]
    if cell.trained:
        result = trained(cell, network, weights, seed)
        state, pieces = result.state, [result.x[at : at + PIECE] for at in range(0, cell.length, PIECE)]
        losses = [result.loss]
    else:  # of no example: the weights alone, with biases of gates for this length
        state = network.init(weights, (cell.length, 0, features), dtype)
        pieces, losses = Drawn(inputs, cell.length, (cell.batch, features), dtype), []
    walk = Walk(network, state, cell.length, others)
    walk.through(pieces, injected.standard_normal((cell.batch, cell.width)).astype(dtype))

    norms, cell_norms = walk.norms["h"], walk.norms.get("c")
    steps = {"seed": seed, "position": range(cell.length + 1)}
    cells = [] if cell_norms is None else [{"metric": "log10_cell_gradient", "value": cell_norms - norms[-1]}]
    return [
        *attenuation.gradient_rows(seed, cell.dtype, norms, walk.stored[0].norms),
        *stored_rows(seed, cell.dtype, walk.stored, walk.variances),
        *({**steps, **row, "unit": "log10"} for row in cells),
        {**steps, "metric": "forward_variance", "value": walk.variances, "unit": "1"},
        *({"seed": seed, "metric": "loss", "value": loss, "unit": "1"} for loss in losses),
    ]


@one_thread()
def _attended(cell: SequenceCell, seed: int) -> list[dict[str, Any]]:
    dtype, shape = DTYPES[cell.dtype], (cell.length + 1, cell.batch, cell.width)
    networks = _networks(cell)
    weights, inputs, injected = attenuation.streams(seed)
    if cell.trained:
        result = trained(cell, networks[0], weights, seed)
        state, x, losses = result.state, result.x, [result.loss]
    else:
        state, losses = networks[0].init(weights, shape, dtype), []
        x = inputs.standard_normal(shape).astype(dtype)
    variances = [attenuation.variance(step) for step in networks[0].forward(state, x)]
    dy = np.zeros(shape, dtype)
    dy[-1] = injected.standard_normal(shape[1:])
    stored = [Stored(network, cell.length) for network in networks]
    for plain in reversed(stored):  # so that the network's own derivative comes last
        plain.note(slice(None), plain.layer.backward(state, dy))
    gradient, powers = rescaled(networks[0], state, dy)
    norms = norms_of(gradient) - powers * attenuation.LOG10_2
    stored[0].reach(slice(None), gradient, norms, powers)
    steps = {"seed": seed, "position": range(len(x))}
    return [
        *attenuation.gradient_rows(seed, cell.dtype, norms, stored[0].norms),
        *stored_rows(seed, cell.dtype, stored, variances),
        {**steps, "metric": "forward_variance", "value": variances, "unit": "1"},
        *({"seed": seed, "metric": "loss", "value": loss, "unit": "1"} for loss in losses),
    ]
