"""The phase diagram of an activation: where, over the variances of weights and biases, a gradient vanishes or explodes.

Each point of the plane is a deep plain network with weights N(0, sw2/width) and biases N(0, sb2) (Poole et al. 2016,
section 3; Schoenholz et al. 2017, section 3), measured, beside what the mean field says of it.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from kernels.architectures import plain
from kernels.checks import DTYPES
from kernels.critical import MeanField
from kernels.initializers import INITIALIZERS, Initializer
from kernels.layer import parameters
from suites import attenuation, summary
from suites.attenuation import LOG10_2, Array, log10_norm
from suites.draws import remembered
from suites.errors import UserError, whole
from suites.own_activations import lookup_activation, lookup_activations
from suites.schema import stack
from suites.spectrum import carried_back

# Decades per layer within which a gradient is said to be kept: over 50 layers it is half a decade.
KEPT = 0.01
# Metrics of what theory says of a point.
THEORY = ("fixed_point_variance", "chi", "critical_weight_variance")


@dataclass(frozen=True, kw_only=True)
class PhaseCell:
    """One row of the plane, each of its points measured on the seeds seed, seed + 1 ... of which there are seeds."""

    activation: str
    weight_variances: tuple[float, ...]
    bias_variance: float
    depth: int
    width: int
    batch: int
    dtype: str
    seed: int
    seeds: int


def cells(
    *,
    activations: Sequence[str] = ("tanh",),
    points: int = 8,
    largest_weight_variance: float = 4.0,
    largest_bias_variance: float = 0.4,
    depth: int = 30,
    width: int = 128,
    batch: int = 16,
    seeds: int = 4,
    seed: int = 0,
    dtype: str = "float32",
) -> list[PhaseCell]:
    """points rows of as many points for each activation: bias variances from 0, weight variances from above 0 on.

    UserError where a name or a number is wrong.
    """
    names = [row.name for row in lookup_activations(activations)]
    numbers = {"depth": depth, "width": width, "batch": batch, "seeds": seeds, "seed": seed}
    attenuation.checked_numbers(dtype, **numbers)
    whole("points", points, 1)
    for name, value in (("weight", largest_weight_variance), ("bias", largest_bias_variance)):
        if not 0 < value < math.inf:
            raise UserError(f"the largest {name} variance must be a number above 0, got {value!r}")
    weights = largest_weight_variance * np.arange(1, points + 1) / points
    biases = largest_bias_variance * np.arange(points) / max(points - 1, 1)
    return [
        PhaseCell(activation=name, weight_variances=tuple(weights.tolist()), bias_variance=sb2, dtype=dtype, **numbers)
        for name in names
        for sb2 in biases.tolist()
    ]


@dataclass(frozen=True, kw_only=True)
class Point(Initializer):
    """Normal weights of variance sw2 / fan_in, and normal biases, of which mean-field theory speaks."""

    def bias(self, rng: np.random.Generator, fan_in: int, n: int, dtype: Any, hidden: int | None = None) -> Array:
        """Biases (n,), normal."""
        return (rng.standard_normal(n) * math.sqrt(self.bias_variance(fan_in))).astype(dtype)


def initializer(sw2: float, sb2: float) -> Initializer:
    """The row to draw the networks of a point with; all points share their draws, in this process."""
    normal = remembered(INITIALIZERS["lecun_normal"])
    return Point(
        name="normal", unit=normal.unit, paper=normal.paper, variance=lambda i, o: sw2 / i, bias_variance=lambda i: sb2
    )


def measure(cell: PhaseCell) -> pd.DataFrame:
    """Rows of every point and seed: log10_gradient at position 0, the input; and of theory, THEORY and the prediction.

    Inputs are normal, scaled so that pre-activations begin with the variance that theory says they settle at; where
    that is 0 or without end, with that of inputs of variance 1.
    """
    activation = lookup_activation(cell.activation)
    field = MeanField.of(activation)
    critical = next((point.sw2 for point in field.critical_points(cell.bias_variance) if point.stable), math.nan)
    configuration = {
        "experiment": "phase", "architecture": "plain", "activation": activation.name, "parameter_a": activation.a,
        "bias_variance": cell.bias_variance, "dtype": cell.dtype, "width": cell.width, "batch": cell.batch,
        "depth": cell.depth, "position": 0,
    }  # fmt: skip
    return stack(
        configuration,
        [
            {"weight_variance": sw2, **piece}
            for sw2 in cell.weight_variances
            for piece in _point(cell, field, sw2, critical)
        ],
    )


def _point(cell: PhaseCell, field: MeanField, sw2: float, critical: float) -> Iterator[dict[str, Any]]:
    sb2, seeds = cell.bias_variance, range(cell.seed, cell.seed + cell.seeds)
    settled = field.fixed_point(sw2, sb2, sw2 + sb2)
    start = settled if 0 < settled < math.inf else sw2 + sb2
    totals = [_total(cell, sw2, start, seed) for seed in seeds]
    yield {"seed": seeds, "metric": "log10_gradient", "value": totals, "unit": "log10"}
    theory = {
        "fixed_point_variance": settled,
        "chi": field.settled_chi(settled, sw2),
        "critical_weight_variance": critical,
        "predicted_log10_gradient": _predicted(field, sw2, sb2, start, cell.depth),
    }
    for name, value in theory.items():
        if not math.isnan(value):
            yield {"metric": name, "value": [value], "unit": "1"}


def _predicted(field: MeanField, sw2: float, sb2: float, q: float, depth: int) -> float:
    """log10 of the gradient's norm at the input over that at the output, from q on; NaN where q leaves float64."""
    total = 0.0
    for variance in islice(field.variances(q, sw2, sb2), depth):
        chi = field.chi(variance, sw2) if math.isfinite(variance) else math.nan
        if not 0 < chi < math.inf:
            return math.nan
        total += 0.5 * math.log10(chi)
    return total


def _total(cell: PhaseCell, sw2: float, q: float, seed: int) -> float:
    """log10 of the gradient's norm at the input over that at the output, which is iid N(0, 1), of one network."""
    weights, inputs, injected = attenuation.streams(seed)
    shape, dtype = (cell.batch, cell.width), DTYPES[cell.dtype]
    rule = initializer(sw2, cell.bias_variance)
    network = plain(lookup_activation(cell.activation), rule, cell.width, cell.depth)
    state = network.init(weights, shape, dtype)
    (_, W, _), *_ = parameters(state.children[0])
    x = attenuation.scaled(inputs.standard_normal(shape), W, cell.bias_variance, q)
    dy = injected.standard_normal(shape).astype(dtype)
    network.forward(state, x.astype(dtype))
    dx, power = carried_back(network, state, dy)
    return log10_norm(dx) - power * LOG10_2 - log10_norm(dy)


def diagram(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per point of rows of this experiment.

    Columns: name, weight_variance, bias_variance; what theory says of a settled network: fixed_point_variance of its
    pre-activations, chi, depth_scale (-1 / ln chi: layers over which the squared norm shrinks by e, negative where it
    grows) and phase (vanishes, explodes, or critical within KEPT); critical_weight_variance, at which chi is 1 with
    these biases at a stable fixed point; decades_per_layer as measured, with its 95 % t-interval _low and _high,
    predicted_decades_per_layer of the same layers, and z; seeds, depth, width. NaN where there is none.
    """
    keys = ["activation", "weight_variance", "bias_variance"]
    theory = rows[rows.metric.isin(THEORY)].drop_duplicates([*keys, "metric"])
    theory = theory.pivot(index=keys, columns="metric", values="value").reindex(columns=THEORY).reset_index()
    table = summary.attenuation(rows, "depth").merge(theory, on=keys, how="left")
    rate = table.chi.map(decades)
    phase = np.select([rate.abs() <= KEPT, rate < 0, rate > 0], ["critical", "vanishes", "explodes"], "")
    table = table.assign(
        name=table.activation,
        depth_scale=table.chi.map(depth_scale),
        phase=phase,
    )
    return table[list(DIAGRAM)]


DIAGRAM = (
    "name", "weight_variance", "bias_variance", "fixed_point_variance", "chi", "depth_scale", "phase",
    "critical_weight_variance", "decades_per_layer", "decades_per_layer_low", "decades_per_layer_high",
    "predicted_decades_per_layer", "z", "seeds", "depth", "width",
)  # fmt: skip


def decades(chi: float) -> float:
    """Decades per layer of a gradient of which the squared norm changes by chi; -inf where nothing is left."""
    return 0.5 * math.log10(chi) if chi > 0 else -math.inf if chi == 0 else math.nan


def depth_scale(chi: float) -> float:
    """-1 / ln chi, layers (Schoenholz et al. 2017, eq. 8): inf where chi is 1, NaN where there is no chi."""
    if not 0 < chi < math.inf:
        return math.nan if math.isnan(chi) else 0.0
    return -1 / math.log(chi) if abs(chi - 1) > 1e-12 else math.inf
