"""CAUSES of a gradient that vanishes or explodes: the evidence for each, and the change that removes it alone."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kernels.activations import ACTIVATIONS
from kernels.critical import MeanField
from kernels.elementwise import Activation
from suites.interventions import Cell, changed, factors
from suites.own_activations import lookup_activation
from suites.theory import PREDICTIONS
from suites.verdicts import LIMIT, SHARE, decades

# A weight variance within a tenth of the critical one loses a fiftieth of a decade per layer.
OFF_CRITICAL = math.log10(1.1)
# At depth all samples of a batch become alike, so half of ReLU's units are off for all of them in a healthy network.
MOSTLY = 0.75
SINGLE_FACTOR = ("plain", "rnn")  # architectures whose every factor is W diag(f')
NORMALISED = ("batchnorm", "layernorm")


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One candidate.

    evidence(cell, rows): a number from the measured rows of the configuration, in unit, NaN where the cause does not
    apply to it; from threshold on it is a candidate. remove(cell): the configuration without the cause, and with as
    little else changed as there is; None where there is none. offset(cell): decades that are to be added to what is
    measured without it. It is the cause only if the measured decades are nearer to 0 without it.
    """

    name: str
    about: str
    evidence: Callable[[Cell, pd.DataFrame], float]
    threshold: float
    unit: str
    remove: Callable[[Cell], Cell | None]
    offset: Callable[[Cell], float] = lambda cell: 0.0


def _mean(rows: pd.DataFrame, metric: str) -> float:
    values = rows.value[rows.metric == metric]
    return float(values.mean()) if len(values) else math.nan


def _slope_at_zero(activation: Activation) -> float:
    return float(activation.reference_derivative(np.zeros(1), activation.a)[0])


def _bends_away(activation: Activation) -> bool:
    """Whether f is steepest at 0 and flatter elsewhere, so that what is far from 0 saturates."""
    slopes = np.abs(activation.reference_derivative(np.linspace(-10, 10, 401), activation.a))
    return slopes.max() <= 1.001 * abs(_slope_at_zero(activation)) and slopes.min() < 0.5 * slopes.max()


def _lost_to_bends(cell: Cell, rows: pd.DataFrame) -> float:
    """Decades between the gradient as it is and as it would be were every slope that at 0, over those measured."""
    activation, found = lookup_activation(cell.activation), decades(rows)
    if cell.architecture not in SINGLE_FACTOR or not _bends_away(activation):
        return math.nan
    linear = factors(cell) * 0.5 * math.log10(rows.weight_variance.iloc[0]) + _linear_offset(cell)
    return (linear - found.mean) / found.off


def _linear_offset(cell: Cell) -> float:
    """Decades by which the identity's gradient exceeds that of the activation's tangent at 0: exact, being linear."""
    return factors(cell) * math.log10(abs(_slope_at_zero(lookup_activation(cell.activation))))


def _off_critical(cell: Cell, rows: pd.DataFrame) -> float:
    """Decades between the weight variance and the critical one."""
    if cell.architecture not in SINGLE_FACTOR:
        return math.nan
    critical, _ = MeanField.of(lookup_activation(cell.activation)).critical_point()
    return abs(math.log10(rows.weight_variance.iloc[0] / critical))


def _unstable(cell: Cell, rows: pd.DataFrame) -> float:
    """1 where the activation has critical points without biases, none of them stable; 0 elsewhere."""
    if cell.architecture not in SINGLE_FACTOR:
        return math.nan
    points = MeanField.of(lookup_activation(cell.activation)).critical_points()
    return float(bool(points) and not any(point.stable for point in points))


def _own_loss(cell: Cell, rows: pd.DataFrame) -> float:
    """Decades that the activation takes or adds at weights that keep the forward variance at 1, over those measured."""
    if cell.architecture not in (*SINGLE_FACTOR, *NORMALISED):
        return math.nan
    field = MeanField.of(lookup_activation(cell.activation))
    own = 0.5 * math.log10(field.slope_moment(1.0) / field.value_moment(1.0)) * factors(cell)
    return own / decades(rows).mean


def _best_activation(cell: Cell) -> Cell | None:
    """The same with the activation, of all but the identity, that theory predicts to change the gradient least."""
    found = {}
    for name in ACTIVATIONS:
        other = changed(cell, activation=name)
        if other is not None and name != "identity":
            found[other] = abs(PREDICTIONS[cell.architecture](**vars(other)).curve[0])
    finite = {other: total for other, total in found.items() if math.isfinite(total)}
    return min(finite, key=lambda other: round(finite[other], 2)) if finite else None


def _collapse(cell: Cell, rows: pd.DataFrame) -> float:
    """The share of the input's effective rank, beyond 1, that the first layer loses: 1 where its units are the same."""
    ranks = rows[rows.metric == "effective_rank"].groupby("position")["value"].mean().reindex([0, 1])
    return float((ranks[0] - ranks[1]) / (ranks[0] - 1)) if ranks[0] > 1 else math.nan


def _only(*architectures: str) -> Callable[[Cell, pd.DataFrame], float]:
    """Decades measured, of these architectures."""
    return lambda cell, rows: decades(rows).off if cell.architecture in architectures else math.nan


def _lost(*architectures: str) -> Callable[[Cell, pd.DataFrame], float]:
    """Decades lost, of these architectures."""
    return lambda cell, rows: -decades(rows).mean if cell.architecture in architectures else math.nan


def _growth(cell: Cell, rows: pd.DataFrame) -> float:
    """Decades by which the variance grows from the input to the last layer."""
    if cell.architecture != "residual":
        return math.nan
    variance = rows[rows.metric == "forward_variance"].groupby("position")["value"].mean()
    return float(np.log10(variance.iloc[-1] / variance.iloc[0]))


def _single_path(cell: Cell) -> Cell | None:
    if cell.architecture == "plain":
        return changed(cell, architecture="residual_scaled")
    return changed(cell, architecture="lstm", initializer="chrono")


_ROWS = (
    Cause(
        name="saturation",
        about="units lie where the activation is flatter than at 0; without it: its tangent at 0, the same weights "
        "(in float64, since it may grow far)",
        evidence=_lost_to_bends,
        threshold=SHARE,
        unit="of the measured decades: lost to flat slopes",
        remove=lambda cell: changed(cell, activation="identity", dtype="float64"),
        offset=_linear_offset,
    ),
    Cause(
        name="weight_scale",
        about="the weights' variance is not the critical one; without it: the critical one",
        evidence=_off_critical,
        threshold=OFF_CRITICAL,
        unit="decades between the weight variance and the critical one",
        remove=lambda cell: changed(cell, initializer="critical"),
    ),
    Cause(
        name="activation",
        about="chi is not 1 even at weights that keep the forward variance; without it: the activation of which theory "
        "expects least, the same weights",
        evidence=_own_loss,
        threshold=SHARE,
        unit="of the measured decades: at weights that keep the variance",
        remove=_best_activation,
    ),
    Cause(
        name="unstable_scale",
        about="at the critical weight variance the forward variance does not stay: it dies out or grows on; without "
        "it: the activation of which theory expects least, the same weights",
        evidence=_unstable,
        threshold=1.0,
        unit="if no critical point is stable",
        remove=_best_activation,
    ),
    Cause(
        name="dead_units",
        about="units whose slope is 0 for every sample; without it: a slope that is never 0",
        evidence=lambda cell, rows: _mean(rows, "dead_share"),
        threshold=MOSTLY,
        unit="share of dead units",
        remove=lambda cell: changed(cell, activation="leaky_relu"),
    ),
    Cause(
        name="rank_collapse",
        about="all units of a layer are the same; without it: independent weights of the critical variance",
        evidence=_collapse,
        threshold=MOSTLY,
        unit="of the input's effective rank lost in the first layer",
        remove=lambda cell: changed(cell, initializer="critical"),
    ),
    Cause(
        name="normalisation",
        about="normalised layers cannot be scaled to chi = 1; without it: none, and critical weights",
        evidence=_only(*NORMALISED),
        threshold=LIMIT,
        unit="decades",
        remove=lambda cell: changed(cell, architecture="plain", initializer="critical"),
    ),
    Cause(
        name="skip_scale",
        about="every skip adds its branch in full; without it: branches divided by the root of their number",
        evidence=_growth,
        threshold=LIMIT,
        unit="decades that the forward variance grows",
        remove=lambda cell: changed(cell, architecture="residual_scaled"),
    ),
    Cause(
        name="norm_on_the_path",
        about="LayerNorm stands on the skip path itself; without it: on the branches",
        evidence=_only("transformer_post"),
        threshold=LIMIT,
        unit="decades",
        remove=lambda cell: changed(cell, architecture="transformer_pre"),
    ),
    Cause(
        name="single_path",
        about="the gradient passes every factor; without it: skips across depth, open gates across time",
        evidence=_lost(*SINGLE_FACTOR),
        threshold=LIMIT,
        unit="decades lost",
        remove=_single_path,
    ),
    Cause(
        name="forgetting",
        about="gates that start half closed forget; without it: biases for sequences of this length",
        evidence=_lost("lstm", "gru"),
        threshold=LIMIT,
        unit="decades lost",
        remove=lambda cell: changed(cell, initializer="chrono"),
    ),
)

CAUSES = {row.name: row for row in _ROWS}
