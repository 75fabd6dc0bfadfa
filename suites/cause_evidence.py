"""The evidence for each cause: a number from a configuration or its measured rows; NaN where it does not apply."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from kernels.architectures import ARCHITECTURES, BOTH
from kernels.critical import MeanField, expectation
from kernels.elementwise import Activation
from kernels.initializers import INITIALIZERS
from suites.interventions import Cell, factors, kind
from suites.own_activations import lookup_activation
from suites.prediction import Moments, NoTheoryError, settled
from suites.sequence import SequenceCell
from suites.theory import PREDICTIONS
from suites.theory_rnn import variances
from suites.verdicts import decades

ONE_DIRECTION = 1.001  # an effective rank that is 1 but for roundings
SINGLE_FACTOR = ("plain", "rnn")  # architectures whose every factor is W diag(f')
NORMALISED = ("batchnorm", "layernorm")


def dead(cell: Cell, rows: pd.DataFrame) -> float:
    """The share of dead units in the layer that has most of them, through which all gradient goes; mean over seeds."""
    return float(rows[rows.metric == "dead_share"].groupby("seed", dropna=False)["value"].max().mean())


def _slope_at_zero(activation: Activation) -> float:
    return float(activation.reference_derivative(np.zeros(1), activation.a)[0])


def _bends_away(activation: Activation) -> bool:
    """Whether f is steepest at 0 and flatter elsewhere, so that what is far from 0 saturates."""
    slopes = np.abs(activation.reference_derivative(np.linspace(-10, 10, 401), activation.a))
    return slopes.max() <= 1.001 * abs(_slope_at_zero(activation)) and slopes.min() < 0.5 * slopes.max()


def lost_to_bends(cell: Cell, rows: pd.DataFrame) -> float:
    """Decades between the gradient as it is and as it would be were every slope that at 0, over those measured.

    1 where the gradient is exactly 0: by the tangent it would not be.
    """
    activation, found = lookup_activation(cell.activation), decades(rows)
    if cell.architecture not in SINGLE_FACTOR or not _bends_away(activation):
        return math.nan
    if found.mean == -math.inf:
        return 1.0
    linear = factors(cell) * 0.5 * math.log10(rows.weight_variance.iloc[0]) + linear_offset(cell)
    return (linear - found.mean) / found.off


def linear_offset(cell: Cell) -> float:
    """Decades by which the identity's gradient exceeds that of the activation's tangent at 0: exact, being linear."""
    return factors(cell) * math.log10(abs(_slope_at_zero(lookup_activation(cell.activation))))


def off_critical(cell: Cell, rows: pd.DataFrame) -> float:
    """Decades between the weight variance and the critical one; NaN of weights that are not independent.

    Of an RNN the critical one is that of chi = 1 at the variance that its pre-activations have.
    """
    if not math.isnan(off := off_own(cell)):
        return off
    critical, _ = MeanField.of(lookup_activation(cell.activation)).critical_point()
    return abs(math.log10(rows.weight_variance.iloc[0] / critical))


def off_own(cell: Cell) -> float:
    """|log10 chi| of an RNN where its input, entering at every step, holds the variance of its pre-activations.

    It settles at the fixed point of q <- sw2 E[f^2] + the input's share (suites.theory_rnn.variances). NaN of other
    architectures, of weights that are not independent, where q overflows, and where no gradient passes.
    """
    rule = INITIALIZERS[cell.initializer].of(lookup_activation(cell.activation))
    if not isinstance(cell, SequenceCell) or cell.architecture != "rnn" or not rule.independent:
        return math.nan
    mixed, entering = variances(rule, cell.width, cell.inputs or cell.width)
    moments = Moments.of(MeanField.of(lookup_activation(cell.activation)))
    try:
        q = settled(lambda q: mixed * moments.value(q) + entering, entering, cell.length)[-1]
        chi = mixed * moments.slope(q)
    except NoTheoryError:
        return math.nan
    return abs(math.log10(chi)) if 0 < chi < math.inf else math.nan


def _unstable(cell: Cell) -> bool:
    """Whether the activation has critical points without biases, none of them stable."""
    if cell.architecture not in SINGLE_FACTOR:
        return False
    points = MeanField.of(lookup_activation(cell.activation)).critical_points()
    return bool(points) and not any(point.stable for point in points)


def own_loss(cell: Cell, rows: pd.DataFrame) -> float:
    """Decades that the activation takes or adds at weights that keep the forward variance at 1, over those measured.

    At least 1 where no such weights keep it for long, 1 where nothing is left of the gradient, nor of any through an
    activation whose slope is 0 everywhere: in any architecture, elsewhere it is of those with a single factor a layer.
    """
    field, measured = MeanField.of(lookup_activation(cell.activation)), decades(rows).mean
    if cell.architecture not in (*SINGLE_FACTOR, *NORMALISED):
        return 1.0 if measured == -math.inf and field.slope_moment(1.0) == 0 else math.nan
    own = factors(cell) * _gained(field.slope_moment(1.0), field.value_moment(1.0))
    share = 1.0 if own == measured == -math.inf else own / measured
    return float(np.fmax(share, 1.0 if _unstable(cell) else math.nan))


def _gained(slope: float, square: float) -> float:
    """Decades of a layer, log10 of the root of slope E[f'^2] over square E[f^2].

    -inf where no gradient passes, NaN where square is no number over 0: it overflows, or is lost to rounding.
    """
    if slope == 0:
        return -math.inf
    return 0.5 * (math.log10(slope) - math.log10(square)) if square > 0 else math.nan


def _ranks(rows: pd.DataFrame) -> pd.Series:
    """The effective rank at each position, mean over seeds."""
    return rows[rows.metric == "effective_rank"].groupby("position")["value"].mean()


def collapse(cell: Cell, rows: pd.DataFrame) -> float:
    """The share of the input's effective rank, beyond 1, that the first layer loses: 1 where its units are the same."""
    if not INITIALIZERS[cell.initializer].independent:
        return 1.0
    ranks = _ranks(rows).reindex([0, 1])
    return float((ranks[0] - ranks[1]) / (ranks[0] - 1)) if ranks[0] > 1 else math.nan


def collapse_with_depth(cell: Cell, rows: pd.DataFrame) -> float:
    """The share of the first layer's effective rank, beyond 1, that later ones lose: 1 where samples become alike."""
    ranks = _ranks(rows)
    first = ranks.get(1, math.nan)
    return float((first - ranks[1:].min()) / (first - 1)) if first > ONE_DIRECTION else math.nan


def expected(*architectures: str) -> Callable[[Cell, pd.DataFrame], float]:
    """Decades that theory expects of these architectures, either way, measured where it is silent; NaN of others."""

    def evidence(cell: Cell, rows: pd.DataFrame) -> float:
        if cell.architecture not in architectures:
            return math.nan
        theory = float(PREDICTIONS[cell.architecture](**vars(cell)).curve[0])
        return abs(decades(rows).mean if math.isnan(theory) else theory)

    return evidence


def lost(cell: Cell, rows: pd.DataFrame) -> float:
    """Decades lost, where every factor is W diag(f')."""
    return -decades(rows).mean if cell.architecture in SINGLE_FACTOR else math.nan


def forgotten(cell: Cell, rows: pd.DataFrame) -> float:
    """Decades that the gate which keeps the state takes over all steps, by its bias alone, from the unit with most.

    A bias b keeps sigmoid(b) of the state per step.
    """
    if not ARCHITECTURES[cell.architecture].gated:
        return math.nan
    biases, rule = np.zeros(cell.width), INITIALIZERS[cell.initializer]
    if rule.gates is not None:
        rule.gates(np.random.default_rng(cell.seed), {"z": biases}, factors(cell))
    return factors(cell) * math.log10(1 + math.exp(-biases.max()))


def normalised(cell: Cell, rows: pd.DataFrame) -> float:
    """Decades, either way, of layers whose pre-activations have mean 0 and variance 1, whatever the weights.

    The squared factor of one is E[f'^2] / E[f^2] (LayerNorm) or E[f'^2] / Var f (BatchNorm; Yang et al. 2019); inf
    decades where that is 0.
    """
    if cell.architecture not in NORMALISED:
        return math.nan
    field = MeanField.of(lookup_activation(cell.activation))
    mean = expectation(field.f, 1.0, field.kinks) if cell.architecture == "batchnorm" else 0.0
    return factors(cell) * abs(_gained(field.slope_moment(1.0), field.value_moment(1.0) - mean**2))


def shared_attention(cell: Cell, rows: pd.DataFrame) -> float:
    """Decades that remain for the first of the tokens where attention is uniform over all of them."""
    attends = ARCHITECTURES[cell.architecture].kinds == BOTH and kind(cell) == "time"
    return math.log10(factors(cell) + 1) if attends else math.nan


def growth(cell: Cell, rows: pd.DataFrame) -> float:
    """Decades by which the variance grows from the input to the last layer."""
    if cell.architecture != "residual":
        return math.nan
    variance = rows[rows.metric == "forward_variance"].groupby("position")["value"].mean()
    return float(np.log10(variance.iloc[-1] / variance.iloc[0]))
