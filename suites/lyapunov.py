"""The Lyapunov spectrum of recurrent cells: how fast small differences of the state grow along a trajectory, by QR.

Benettin et al. 1980, Lyapunov characteristic exponents for smooth dynamical systems, part 2; Vogt et al. 2022, On
Lyapunov exponents for RNNs, section 2. The largest exponent is the rate at which a gradient grows on its way back.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from kernels.architectures import ARCHITECTURES
from kernels.cells import CARRIED
from kernels.checks import DTYPES
from kernels.initializers import INITIALIZERS
from kernels.layer import Layer, State, copy_weights
from suites import attenuation, sequence
from suites.attenuation import Array
from suites.errors import UserError, known, whole
from suites.own_activations import lookup_activation
from suites.schema import stack
from suites.sequence import SequenceCell
from suites.theory import PREDICTIONS
from suites.walk import PIECE, Walk

# Steps that the state takes to forget that it began as 0, and as many, further on, in which the vectors that are
# carried back find the directions of the fastest growth: neither is counted.
TRANSIENT = 200
EPSILON = np.finfo(np.float64).eps


def cells(
    *,
    architectures: Sequence[str] = ("rnn",),
    activations: Sequence[str] = ("tanh",),
    lengths: Sequence[int] = (1000,),
    widths: Sequence[int] = (32,),
    **grid: Any,
) -> list[SequenceCell]:
    """Cells of the experiment across time, float64 and of one trajectory each, of recurrent cells alone.

    grid: initializers, inputs, seeds and seed, as there. UserError where a name or a number is wrong, or
    no combination makes sense.
    """
    table = {name: row for name, row in ARCHITECTURES.items() if "depth" not in row.kinds}
    if deep := [name for name in architectures if name in ARCHITECTURES and name not in table]:
        reason = "it has no state that a Lyapunov exponent could be of"
        raise UserError(f"{deep[0]} is no recurrent cell: {reason}; valid: {', '.join(table)}")
    recurrent = [row.name for row in known(table, "recurrent cell", architectures)]
    grid |= {"architectures": recurrent, "activations": activations, "lengths": lengths, "widths": widths}
    found = sequence.cells(**grid, batch=1, dtypes=("float64",))
    whole("length", min(lengths), 2)  # an exponent is a mean over steps
    return found


def measure(cell: SequenceCell) -> pd.DataFrame:
    """Rows of every seed: lyapunov_exponent in nats per step, at position 1 the largest, of as many as the state has
    numbers (an LSTM's is h and c), and decades_per_step, what the gradient of one sample gains over the same steps, as
    the experiment across time measures it; of the configuration predicted_decades_per_step, that of as many steps from
    h_0 = 0, and at position 0 predicted_sd, the band around all of them, where theory has one.

    Inputs are iid N(0, 1), h_0 is 0, and TRANSIENT steps are taken before the first that counts. Everything is float64.
    An exponent is -inf where a step takes a direction away, by a slope of 0 or one that is lost in rounding.
    """
    configuration = sequence.configuration(cell) | {"experiment": "lyapunov"}
    seeds = range(cell.seed, cell.seed + cell.seeds)
    prediction = PREDICTIONS[cell.architecture](**vars(cell))
    rate = {"metric": "predicted_decades_per_step", "value": prediction.curve[0] / cell.length, "unit": "log10"}
    band = {"metric": "predicted_sd", "position": 0, "value": prediction.sd[0], "unit": "log10"}
    predicted = [row for row in (rate, band) if not math.isnan(row["value"])]
    return stack(configuration, [*(row for seed in seeds for row in _seed(cell, seed)), *predicted])


def _seed(cell: SequenceCell, seed: int) -> list[dict[str, Any]]:
    build, dtype, features = ARCHITECTURES[cell.architecture].build, DTYPES[cell.dtype], cell.inputs or 0
    network = build(lookup_activation(cell.activation), INITIALIZERS[cell.initializer], cell.width)
    weights, inputs, injected = attenuation.streams(seed)
    state = network.init(weights, (cell.length, 0, features), dtype)  # of no example: the weights alone
    end = TRANSIENT + cell.length
    x = inputs.standard_normal((end + TRANSIENT, 1, features))
    gradient = injected.standard_normal((1, cell.width))
    exponents = np.sort(spectrum(network, state, x, injected)[TRANSIENT:end].mean(axis=0))[::-1]

    walk = Walk(network, state, end)
    walk.through([x[at : min(at + PIECE, end)] for at in range(0, end, PIECE)], gradient)
    rate = (walk.norms["h"][TRANSIENT] - walk.norms["h"][end]) / cell.length
    positions = range(1, len(exponents) + 1)
    return [
        {"seed": seed, "position": positions, "metric": "lyapunov_exponent", "value": exponents, "unit": "nat"},
        {"seed": seed, "metric": "decades_per_step", "value": rate, "unit": "log10"},
    ]


def spectrum(network: Layer, weights: State, x: Array, rng: np.random.Generator) -> Array:
    """log |R_ii| of every step of x (T, 1, F), float64: (T, n), n the size of the state, whose means are the exponents.

    n vectors, at the last step random ones, are carried back by the transposed Jacobians, which have the spectrum of
    the Jacobians themselves, and made orthogonal by QR at each step. weights: a state whose parameters are used.
    -inf where a Jacobian is singular, to within rounding; NaN where a number is not finite.
    """
    trajectory = _with(network, weights, x.shape)
    network.forward(trajectory, x)
    names = [name for name in CARRIED if name in trajectory.saved]
    width = trajectory.saved["y"].shape[-1]
    n = width * len(names)
    step = _with(network, weights, (1, n, x.shape[2]))
    inputs, dy = np.empty((1, n, x.shape[2])), np.empty((1, n, width))
    vectors, _ = np.linalg.qr(rng.standard_normal((n, n)))  # one a column
    growth = np.empty((len(x), n))
    for t in reversed(range(len(x))):
        for name in names:
            step.saved[name][0] = trajectory.saved[name][t]
        inputs[...] = x[t]
        network.forward(step, inputs)
        dy[0] = vectors[:width].T
        if "c" in names:
            step.saved["dc_last"][...] = vectors[width:].T
        network.backward(step, dy)
        vectors, triangle = np.linalg.qr(np.hstack([step.saved[f"d{name}"][0] for name in names]).T)
        sizes = np.abs(np.diagonal(triangle))
        sizes[sizes <= n * EPSILON * sizes.max()] = 0.0  # rounding: what numpy.linalg.matrix_rank counts as 0
        with np.errstate(divide="ignore"):
            growth[t] = np.log(sizes)
    return growth


def _with(network: Layer, weights: State, shape: tuple[int, ...]) -> State:
    """A float64 state of the network for x of that shape, with those weights."""
    state = network.init(np.random.default_rng(0), shape, np.dtype(np.float64))
    copy_weights(state, weights)
    return state


def dimension(exponents: Array) -> float:
    """The Kaplan-Yorke dimension of a spectrum, largest exponent first: how many of them it takes to sum to 0.

    Kaplan & Yorke 1979, Chaotic behavior of multidimensional difference equations. 0 where all contract, NaN where
    one is NaN.
    """
    if np.isnan(exponents).any():
        return math.nan
    sums = np.cumsum(exponents)
    kept = int(np.sum(sums >= 0)) if exponents[0] >= 0 else 0
    if kept in (0, len(exponents)):
        return float(kept)
    return kept + float(sums[kept - 1] / -exponents[kept])
