"""Gradient across time: a loss at the last step only, and the norm of its gradient at every earlier one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES
from kernels.checks import DTYPES
from kernels.elementwise import Activation
from kernels.initializers import INITIALIZERS, Initializer
from kernels.layer import Layer, State
from suites import attenuation
from suites.attenuation import LOG10_2, Array, comfort, log10_norm, rescale
from suites.schema import stack


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
    dtype, shape = DTYPES[cell.dtype], (cell.length, cell.batch, cell.inputs)
    weights, inputs, injected = attenuation.streams(seed)
    build = ARCHITECTURES[cell.architecture].build
    network = build(ACTIVATIONS[cell.activation], INITIALIZERS[cell.initializer], cell.width)
    state = network.init(weights, shape, dtype)

    network.forward(state, inputs.standard_normal(shape).astype(dtype))
    gradient = injected.standard_normal((cell.batch, cell.width)).astype(dtype)
    plain, norms, cell_norms = _backward(network, state, gradient)
    variances = [attenuation.variance(h) for h in state.saved["h"]]
    steps = {"seed": seed, "position": range(cell.length + 1)}
    cells = [] if cell_norms is None else [{"metric": "log10_cell_gradient", "value": cell_norms - norms[-1]}]
    return [
        *attenuation.gradient_rows(seed, cell.dtype, norms, plain),
        *({**steps, **row, "unit": "log10"} for row in cells),
        {**steps, "metric": "forward_variance", "value": variances, "unit": "1"},
    ]


def _backward(network: Layer, state: State, gradient: Array) -> tuple[Array, Array, Array | None]:
    """log10 of gradient norms at steps 0 to the last: of a plain pass, and beyond the dtype's range; of the cell state.

    Where a pass leaves the comfortable range, the next one begins, with what is carried back from there times a power
    of two: the gradient of h and, in an LSTM, that of c.
    """
    dy, saved = np.zeros_like(state.saved["y"]), state.saved
    carried = [name for name in ("dh", "dc") if name in saved]
    norms = {name: np.array([]) for name in carried}
    plain, end, power = np.array([]), len(dy), 0
    dy[-1] = gradient
    while True:
        network.backward(_steps(state, 0, end), dy[:end])
        for name in carried:
            known = norms[name][end:] if len(norms[name]) else [log10_norm(saved[name][end])]
            norms[name] = np.array([*(log10_norm(g) - power * LOG10_2 for g in saved[name][:end]), *known])
        plain = plain if len(plain) else norms["dh"]
        largest = np.max([norms[name] for name in carried], axis=0) + power * LOG10_2
        outside = np.flatnonzero(np.abs(largest[1:end]) >= comfort(dy.dtype)) + 1
        start = int(outside[-1]) if len(outside) else 0
        if start == 0 or not math.isfinite(largest[start]):
            return plain, norms["dh"], norms.get("dc")
        # Once more up to there alone, since what c carries back is less than its whole gradient, which dc has else.
        network.backward(_steps(state, start, end), dy[start:end])
        added = rescale(saved["dh"][start], largest[start])
        dy[start - 1] = saved["dh"][start]
        if "dc" in saved:
            np.ldexp(saved["dc"][start], added, out=saved["dc_last"])
        end, power = start, power + added


def _steps(state: State, start: int, end: int) -> State:
    """The state of the layer over the steps from start to end alone: views of what it has for each step."""
    steps = len(state.saved["y"])
    parts = {
        name: array[start : end + len(array) - steps] if array.ndim == 3 and len(array) - steps in (0, 1) else array
        for name, array in state.saved.items()
    }
    return replace(state, saved=parts)
