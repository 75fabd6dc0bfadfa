"""Gradient across time: a loss at the last step only, and the norm of its gradient at every earlier one."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES
from kernels.checks import DTYPES
from kernels.initializers import INITIALIZERS
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
    """A cell for each architecture, activation and initialiser; UserError where a name or a number is wrong."""
    names = attenuation.checked_names("time", architectures, activations, initializers)
    numbers = {"length": length, "width": width, "inputs": inputs, "batch": batch, "seeds": seeds, "seed": seed}
    attenuation.checked_numbers(dtype, **numbers)
    return [
        SequenceCell(architecture=architecture, activation=activation, initializer=initializer, dtype=dtype, **numbers)
        for architecture, activation, initializer in product(*names)
    ]


def measure(cell: SequenceCell) -> pd.DataFrame:
    """Rows of every seed, and of the prediction.

    Inputs are iid N(0, 1), h_0 is 0. The gradient injected at the last step is iid N(0, 1). Inputs, gradient and
    weights have streams of their own.
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
    plain, norms = _backward(network, state, injected.standard_normal((cell.batch, cell.width)).astype(dtype))
    variances = [attenuation.variance(h) for h in state.saved["h"]]
    steps = {"seed": seed, "position": range(cell.length + 1)}
    return [
        *attenuation.gradient_rows(seed, cell.dtype, norms, plain),
        {**steps, "metric": "forward_variance", "value": variances, "unit": "1"},
    ]


def _backward(network: Layer, state: State, gradient: Array) -> tuple[list[float], list[float]]:
    """log10 of gradient norms at steps 0 to the last: of a plain pass, and beyond the dtype's range.

    Where a pass leaves the comfortable range, the next one injects the gradient of that step, times a power of two.
    """
    dy, dh = np.zeros_like(state.saved["y"]), state.saved["dh"]
    step, power = len(dy), 0
    dy[step - 1] = gradient
    network.backward(state, dy)
    plain = [log10_norm(g) for g in dh]
    norms = plain.copy()
    while outside := [t for t in range(1, step) if abs(norms[t] + power * LOG10_2) >= comfort(dh.dtype)]:
        dy[step - 1] = 0
        step = outside[-1]
        dy[step - 1] = dh[step]
        added = rescale(dy[step - 1], norms[step] + power * LOG10_2)
        if not added:
            break
        power += added
        network.backward(state, dy)
        norms[:step] = [log10_norm(g) - power * LOG10_2 for g in dh[:step]]
    return plain, norms
