"""CAUSES of a gradient that vanishes or explodes: the evidence for each, and the change that removes it alone."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kernels.activations import ACTIVATIONS
from kernels.initializers import INITIALIZERS
from suites import cause_evidence as evidence
from suites.interventions import Cell, changed
from suites.theory import PREDICTIONS
from suites.verdicts import LIMIT, SHARE

# A weight variance within a tenth of the critical one loses a fiftieth of a decade per layer.
OFF_CRITICAL = math.log10(1.1)
# At depth all samples of a batch become alike, so half of ReLU's units are off for all of them in a healthy network.
MOSTLY = 0.75


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One candidate.

    evidence(cell, rows): a number from the measured rows of the configuration, in unit, NaN where the cause does not
    apply to it; from threshold on it is a candidate. remove(cell): the configuration without the cause, and with as
    little else changed as there is; None where there is none. offset(cell): decades that are to be added to what is
    measured without it. It is the cause only if the measured decades are nearer to 0 without it. last: a last resort,
    which takes away whatever else is wrong, too: the cause only if no other one explains what is wrong.
    """

    name: str
    about: str
    evidence: Callable[[Cell, pd.DataFrame], float]
    threshold: float
    unit: str
    remove: Callable[[Cell], Cell | None]
    offset: Callable[[Cell], float] = lambda cell: 0.0
    last: bool = False


def _best_activation(cell: Cell) -> Cell | None:
    """The same with the activation, of all but the identity, that theory predicts to change the gradient least.

    tanh where theory is silent about all of them.
    """
    found = {}
    for name in ACTIVATIONS:
        other = changed(cell, activation=name)
        if other is not None and name != "identity":
            found[other] = abs(PREDICTIONS[cell.architecture](**vars(other)).curve[0])
    finite = {other: total for other, total in found.items() if math.isfinite(total)}
    best = min(finite, key=lambda other: round(finite[other], 2), default=None)
    return best or changed(cell, activation="tanh")


def _best_scale(cell: Cell) -> Cell | None:
    """The same at the critical weight variance; an RNN at that of the usual ones, of which chi is the nearest to 1.

    Its input holds pre-activations where the critical variance of layers leaves chi under 1.
    """
    found = {}
    for name, rule in INITIALIZERS.items():
        other = changed(cell, initializer=name) if rule.form is np.asarray else None  # only the scale is another
        if other is not None and not math.isnan(off := evidence.off_own(other)):
            found[other] = off
    if not found:
        return changed(cell, initializer="critical")
    best = min(found, key=lambda other: round(found[other], 6))
    return None if found[best] >= evidence.off_own(cell) else best


def _single_path(cell: Cell) -> Cell | None:
    if cell.architecture == "plain":
        return changed(cell, architecture="residual_scaled")
    return changed(cell, architecture="lstm", initializer="chrono")


def _with(**fields: Any) -> Callable[[Cell], Cell | None]:
    """The configuration with these fields instead."""
    return lambda cell: changed(cell, **fields)


_ROWS = (
    Cause(
        name="saturation",
        about="units lie where the activation is flatter than at 0; without it: its tangent at 0, the same weights "
        "(in float64, since it may grow far)",
        evidence=evidence.lost_to_bends,
        threshold=SHARE,
        unit="of the measured decades: lost to flat slopes",
        remove=lambda cell: changed(cell, activation="identity", dtype="float64"),
        offset=evidence.linear_offset,
    ),
    Cause(
        name="weight_scale",
        about="their variance is not the one of chi = 1, in layers without skips or norms or an RNN beside its input; "
        "without it: that one, of an RNN the nearest to it that an initialiser has",
        evidence=evidence.off_critical,
        threshold=OFF_CRITICAL,
        unit="decades between the weight variance and the critical one",
        remove=_best_scale,
    ),
    Cause(
        name="activation",
        about="chi is not 1 even at weights that keep the forward variance, or none keeps it: at the critical one it "
        "dies out or grows on, or every slope is 0; without it: the activation of which theory expects least, or tanh, "
        "the same weights",
        evidence=evidence.own_loss,
        threshold=SHARE,
        unit="of the measured decades: at weights that keep the variance; 1 if no critical point is stable, or no "
        "slope is other than 0",
        remove=_best_activation,
    ),
    Cause(
        name="dead_units",
        about="units whose slope is 0 for every sample; without it: a slope that is never 0",
        evidence=evidence.dead,
        threshold=MOSTLY,
        unit="share of dead units in the layer with most of them",
        remove=_with(activation="leaky_relu"),
    ),
    Cause(
        name="rank_collapse",
        about="all units of a layer are the same; without it, a joint change: independent critical weights",
        evidence=evidence.collapse,
        threshold=MOSTLY,
        unit="of the input's effective rank lost in the first layer",
        remove=_with(initializer="critical"),
    ),
    Cause(
        name="rank_collapse_with_depth",
        about="layer after layer samples become more alike; without it: BatchNorm for LayerNorm, which takes away what "
        "they share; elsewhere no change leaves the scale of the signal as it is",
        evidence=evidence.collapse_with_depth,
        threshold=MOSTLY,
        unit="of the first layer's effective rank lost in later ones",
        # Daneshmand et al. 2020, Batch normalization provably avoids rank collapse. A skip, critical weights, or norms
        # where there were none also keep the rank, but change chi: they decide on other causes.
        remove=lambda cell: changed(cell, architecture="batchnorm") if cell.architecture == "layernorm" else None,
    ),
    Cause(
        name="normalisation",
        about="normalised layers cannot be scaled to chi = 1; without it, a joint change: critical weights alone",
        evidence=evidence.normalised,
        threshold=LIMIT,
        unit="decades of layers that are normalised, whatever the weights",
        remove=_with(architecture="plain", initializer="critical"),
    ),
    Cause(
        name="skip_scale",
        about="every skip adds its branch in full; without it: branches divided by the root of their number",
        evidence=evidence.growth,
        threshold=LIMIT,
        unit="decades that the forward variance grows",
        remove=_with(architecture="residual_scaled"),
    ),
    Cause(
        name="norm_on_the_path",
        about="LayerNorm stands on the skip path itself; without it: on the branches",
        evidence=evidence.expected("transformer_post"),
        threshold=LIMIT,
        unit="decades that theory expects of norms on the path; measured where it is silent",
        remove=_with(architecture="transformer_pre"),
    ),
    Cause(
        name="single_path",
        about="the gradient passes every factor, and no other cause explains it; without it: skips across depth, "
        "and across time, a joint change, an LSTM and open gates",
        evidence=evidence.lost,
        threshold=LIMIT,
        unit="decades lost",
        remove=_single_path,
        last=True,
    ),
    Cause(
        name="shared_attention",
        about="each token attends to all before it, and the first gets its share alone; no change of the network "
        "leaves the tokens as many",
        evidence=evidence.shared_attention,
        threshold=LIMIT,
        unit="decades where all tokens have the same share",
        remove=lambda cell: None,
    ),
    Cause(
        name="forgetting",
        about="gates that start half closed forget; without it: biases for sequences of this length",
        evidence=evidence.forgotten,
        threshold=LIMIT,
        unit="decades that the gates' biases alone lose",
        remove=_with(initializer="chrono"),
    ),
)

CAUSES = {row.name: row for row in _ROWS}
