"""What claims measure of the norms that D2's section 10 prints: of every parameter's gradient under a loss."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from reports.bounds import KEPT, VANISHED
from reports.claim import Figure, MissingError
from reports.claim_evidence import Configuration, Evidence, at, figure
from reports.measures import Measure
from suites import norm_thresholds
from suites.claims import DIAGNOSED, DIAGNOSED_LAYERS


def network(activation: str, layers: int, initializer: str = "xavier_normal") -> Configuration:
    """A classifier of so many plain layers under the mean cross-entropy."""
    return Configuration("parameter_norms", "plain", activation, initializer, layers)


def norms(evidence: Evidence, of: Configuration, metric: str = "log10_weight_gradient", clip: float = math.nan,
          optimizer: str = "") -> pd.DataFrame:  # fmt: skip
    """log10 of a norm of each layer's W."""
    rows = evidence.rows(of, metric)
    clipped = rows.clip_norm.isna() if math.isnan(clip) else rows.clip_norm == clip
    rows = rows[(rows.parameter == "W") & clipped & (rows.optimizer == optimizer)]
    if rows.empty:
        raise MissingError(f"{metric} of W of {of}")
    return rows


def first_over_last(
    metric: str, activation: str, layers: int, clip: float = math.nan, optimizer: str = "", over_unclipped: bool = False
) -> Measure:
    """Decades from the last layer's norm to the first one's; over_unclipped: beside the same without clipping."""

    def ratio(rows: pd.DataFrame) -> pd.Series:
        return at(rows, 1) - at(rows, layers)

    def measure(evidence: Evidence) -> Figure:
        of = network(activation, layers)
        value = ratio(norms(evidence, of, metric, clip, optimizer))
        return figure((value - ratio(norms(evidence, of, metric)) if over_unclipped else value).dropna())

    return measure


def share_of(truth: str, right: Callable[[pd.DataFrame], bool]) -> Measure:
    """The share of the networks that vanish, or are healthy, by their own gradient, of which right(norms of W) is true.

    A network vanishes where six decades are lost between its last layer and its input, is healthy where no more than
    one is, whatever the loss; those between are not counted. A share per seed, of its networks.
    """
    bound = {"vanishing": VANISHED, "healthy": KEPT}[truth]

    def measure(evidence: Evidence) -> Figure:
        found: dict[float, list[bool]] = {}
        for layers in DIAGNOSED_LAYERS:
            for _, activation, initializer in DIAGNOSED:
                of = network(activation, layers, initializer)
                arrives, W = at(evidence.rows(of, "log10_gradient"), 0), norms(evidence, of)
                for seed, value in arrives.items():
                    if bound.holds(value):
                        found.setdefault(seed, []).append(right(W[W.seed == seed]))
        if not found:
            raise MissingError(f"a network that is {truth}")
        share = figure(pd.Series({seed: float(np.mean(each)) for seed, each in found.items()}))
        low, high = np.clip([share.low, share.high], 0.0, 1.0)
        return replace(share, low=float(low), high=float(high))

    return measure


def flagged(shift: float = 0.0) -> Callable[[pd.DataFrame], bool]:
    """Whether a layer's norm is below 1e-6, after a change of the loss by so many decades."""
    return lambda W: bool((W.value + shift < math.log10(norm_thresholds.VANISHED)).any())


def not_flagged(W: pd.DataFrame) -> bool:
    """Whether none is."""
    return not flagged()(W)


def shallow_as_expected(W: pd.DataFrame) -> bool:
    """Whether the first layer's norm is from 0.001 to 0.1."""
    return bool(W[W.position == 1].value.between(*map(math.log10, norm_thresholds.SHALLOW)).all())


def deep_as_expected(W: pd.DataFrame) -> bool:
    """Whether the last layer's norm is above 0.0001."""
    return bool((W[W.position == W.position.max()].value > math.log10(norm_thresholds.DEEP)).all())
