"""Singular values of a deep network's input-output Jacobian at initialisation (Pennington et al. 2017)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kernels.architectures import ARCHITECTURES, DEPTH
from kernels.checks import DTYPES
from kernels.elementwise import Activation
from kernels.initializers import INITIALIZERS, Initializer
from kernels.layer import Layer, State, parameters
from suites import attenuation
from suites.attenuation import LOG10_2, Array, log10_norm, rescaling
from suites.draws import remembered
from suites.own_activations import lookup_activation
from suites.schema import stack
from suites.spectrum_theory import predicted

# Architectures in which each sample goes its own way, without the others and in one piece.
ALONE = {name: row for name, row in ARCHITECTURES.items() if row.kinds == DEPTH and row.least_batch == 1}


@dataclass(frozen=True, kw_only=True)
class SpectrumCell:
    """One configuration, measured at one input for each of the seeds seed, seed + 1 ... of which there are seeds."""

    architecture: str
    activation: str
    initializer: str
    depth: int
    width: int
    dtype: str
    seed: int
    seeds: int
    batch: int = 1


def cells(
    *,
    architectures: Sequence[str] = ("plain",),
    activations: Sequence[str] = ("tanh",),
    initializers: Sequence[str] = ("xavier_normal", "orthogonal"),
    depths: Sequence[int] = (50,),
    widths: Sequence[int] = (256,),
    dtypes: Sequence[str] = ("float64",),
    seeds: int = 4,
    seed: int = 0,
) -> list[SpectrumCell]:
    """A cell for each combination that makes sense.

    UserError where a name or a number is wrong, or nothing makes sense: an architecture that mixes samples or tokens
    has no Jacobian of one input.
    """
    names = attenuation.checked_names("depth", architectures, activations, initializers, offered=ALONE)
    sizes = attenuation.checked_sizes(dtypes, depth=depths, width=widths)
    attenuation.checked_numbers(dtypes[0], seeds=seeds, seed=seed)

    def build(architecture: str, activation: Activation, initializer: Initializer) -> None:
        if architecture not in ALONE:
            why = "mixes samples or tokens, so one input alone has no Jacobian"
            raise ValueError(f"{architecture} {why}; valid: {', '.join(ALONE)}")
        ARCHITECTURES[architecture].build(activation, initializer, widths[0], depths[0])

    return [
        SpectrumCell(
            architecture=architecture, activation=activation, initializer=initializer, **size, seed=seed, seeds=seeds
        )
        for architecture, activation, initializer in attenuation.sensible(names, build)
        for size in sizes
    ]


def measure(cell: SpectrumCell) -> pd.DataFrame:
    """Rows of every seed, and of the prediction.

    Per seed: log10_singular_value, the largest at position 1 (NaN where rounding hides it), log10_mean_s2 of the mean
    of s^2, spread_s2, the variance of s^2 over that mean squared, and log10_condition (NaN where the smallest is
    hidden). The input is Gaussian, scaled so that the first pre-activations have variance 1. predicted_sd is of
    log10_mean_s2, between networks.
    """
    configuration = {"experiment": "spectrum", **attenuation.configuration(cell), "depth": cell.depth}
    pieces = [piece for seed in range(cell.seed, cell.seed + cell.seeds) for piece in _seed(cell, seed)]
    expected = predicted(cell.architecture, cell.activation, cell.initializer, cell.depth, cell.width)
    theory = {
        "predicted_log10_mean_s2": expected.log10_mean,
        "predicted_sd": expected.apart / math.log(10),
        "predicted_spread_s2": expected.spread,
    }
    pieces += [
        {"metric": name, "value": [value], "unit": "1"} for name, value in theory.items() if not math.isnan(value)
    ]
    return stack(configuration, pieces)


def _seed(cell: SpectrumCell, seed: int) -> list[dict[str, Any]]:
    dtype = DTYPES[cell.dtype]
    weights, inputs, _ = attenuation.streams(seed)
    row, rule = lookup_activation(cell.activation), INITIALIZERS[cell.initializer]
    network = ARCHITECTURES[cell.architecture].build(row, remembered(rule), cell.width, cell.depth)
    state = network.init(weights, (cell.width, cell.width), dtype)
    (_, W, _), *_ = parameters(state.children[0])
    sb2 = rule.of(row).bias_variance(cell.width)
    x = attenuation.scaled(inputs.standard_normal((1, cell.width)), W, sb2)
    J, power = jacobian(network, state, x.astype(dtype))
    s = singular_values(J)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares, logs = np.square(s / s[0]), np.log10(s) - power * LOG10_2
        # Rounding of each layer's product hides what is smaller than this.
        logs[s <= cell.depth * cell.width * np.finfo(dtype).eps * s[0]] = np.nan
        log10_mean = np.log10(shares.mean()) + 2 * logs[0] if s[0] != 0 else -math.inf
        spread = shares.var() / shares.mean() ** 2
    shared = {"seed": seed, "unit": "log10"}
    return [
        {**shared, "position": range(1, len(s) + 1), "metric": "log10_singular_value", "value": logs},
        {**shared, "metric": "log10_mean_s2", "value": [log10_mean]},
        {**shared, "metric": "spread_s2", "value": [spread], "unit": "1"},
        {**shared, "metric": "log10_condition", "value": [logs[0] - logs[-1]]},
    ]


def jacobian(network: Layer, state: State, x: Array) -> tuple[Array, int]:
    """dy/dx (width, width) at one input x (1, width), times two to a power, and that power.

    Rows are those of a batch, in which the same input stands width times: a network that treats samples apart gives
    each row's gradient its own row of the Jacobian.
    """
    width = x.shape[1]
    network.forward(state, np.repeat(x, width, axis=0))
    return carried_back(network, state, np.eye(width, dtype=x.dtype))


def carried_back(network: Layer, state: State, dy: Array) -> tuple[Array, int]:
    """The gradient at the input, given dy at the output, times two to a power, and that power.

    It is multiplied by a power of two, which is exact, wherever it would leave the range of its dtype.
    """
    power = 0
    for layer, child in zip(reversed(network.layers), reversed(state.children), strict=True):
        dy = layer.backward(child, dy)
        if added := rescaling(log10_norm(dy), dy.dtype):
            np.ldexp(dy, added, out=dy)
            power += added
    return dy, power


def singular_values(J: Array) -> Array:
    """Of J, largest first, in float64; NaN where J is not finite."""
    if not np.isfinite(J).all():
        return np.full(len(J), np.nan)
    return np.linalg.svd(J.astype(np.float64), compute_uv=False)
