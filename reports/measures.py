"""What claims measure: each function gives a measure(evidence) -> Figure, to be the row of a part."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from reports.claim import Figure, MissingError
from reports.claim_evidence import Configuration, Evidence, at, figure
from suites.verdicts import LIMIT

Measure = Callable[[Evidence], Figure]


def across_depth(architecture: str, activation: str, initializer: str, layers: int = 50) -> Configuration:
    """A network of so many layers or blocks."""
    return Configuration("depth", architecture, activation, initializer, layers)


def across_time(architecture: str, activation: str, initializer: str, steps: int = 100) -> Configuration:
    """A cell or a causal Transformer over so many steps."""
    return Configuration("time", architecture, activation, initializer, steps)


def _totals(evidence: Evidence, of: Configuration) -> tuple[pd.Series, float]:
    """log10 of the gradient that arrives over that at the last position, per seed, and as predicted."""
    measured = at(evidence.rows(of, "log10_gradient"), 0)
    try:
        predicted = at(evidence.rows(of, "predicted_log10_gradient"), 0)
    except MissingError:
        return measured, math.nan
    return measured, float(predicted.iloc[0]) if len(predicted) else math.nan


def total(of: Configuration) -> Measure:
    """Decades that the gradient gains from the last position to the first."""
    return lambda evidence: figure(*_totals(evidence, of))


def per_factor(of: Configuration) -> Measure:
    """The same per layer or step."""

    def measure(evidence: Evidence) -> Figure:
        measured, predicted = _totals(evidence, of)
        return figure(measured / of.size, predicted / (of.size or 1))

    return measure


def kept(of: Configuration) -> Measure:
    """The share of the gradient that arrives: 10 to the total, of the mean over seeds."""

    def measure(evidence: Evidence) -> Figure:
        found = total(of)(evidence)
        return Figure(*(10.0**value for value in (found.value, found.low, found.high, found.theory)))

    return measure


def beside(of: Configuration, over: Configuration, compare: Callable[[Any, Any], Any]) -> Measure:
    """compare(total, other's total), seed by seed and of the predictions."""

    def measure(evidence: Evidence) -> Figure:
        (measured, predicted), (other, other_predicted) = _totals(evidence, of), _totals(evidence, over)
        with np.errstate(divide="ignore", invalid="ignore"):
            theory = compare(np.float64(predicted), np.float64(other_predicted))
            return figure(compare(*measured.align(other, join="inner")), float(theory))

    return measure


def gained(of: Configuration, over: Configuration) -> Measure:
    """Decades more than another configuration keeps."""
    return beside(of, over, lambda total, other: total - other)


def recovered(of: Configuration, over: Configuration) -> Measure:
    """The share of the decades that another configuration loses which this one does not."""
    return beside(of, over, lambda total, other: 1 - total / other)


def quickening(of: Configuration, over: Configuration) -> Measure:
    """Decades per layer of a deeper network over those of a shallower one."""
    layers = (over.size or 1) / (of.size or 1)
    return beside(of, over, lambda total, other: total / other * layers)


def straightness(of: Configuration) -> Measure:
    """R^2 of a straight line through log10 of the gradient over the positions: 1 where it shrinks exponentially."""

    def measure(evidence: Evidence) -> Figure:
        fits = evidence.rows(of, "log10_gradient").groupby("seed").apply(_r_squared)
        try:
            predicted = _r_squared(evidence.rows(of, "predicted_log10_gradient"))
        except MissingError:
            predicted = math.nan
        return figure(fits, predicted)

    return measure


def _r_squared(rows: pd.DataFrame) -> float:
    """Of the least-squares line of value over position; 0 where value does not change, NaN where it is not finite."""
    x, y = rows.position.to_numpy(float), rows.value.to_numpy(float)
    if not np.isfinite(y).all():
        return math.nan
    return float(np.corrcoef(x, y)[0, 1] ** 2) if np.ptp(y) > 0 else 0.0


def reached(of: Configuration, within: float = LIMIT) -> Measure:
    """How many layers, counted from the last, get a gradient within so many decades of the last one's."""

    def count(rows: pd.DataFrame) -> float:
        values = rows[rows.position > 0].sort_values("position", ascending=False).value.to_numpy(float)
        return float(np.cumprod(values >= values[0] - within).sum())

    def measure(evidence: Evidence) -> Figure:
        counts = evidence.rows(of, "log10_gradient").groupby("seed").apply(count)
        try:
            predicted = count(evidence.rows(of, "predicted_log10_gradient"))
        except MissingError:
            predicted = math.nan
        return figure(counts, predicted)

    return measure


def mean_over_layers(of: Configuration, metric: str) -> Measure:
    """A share, averaged over the layers."""
    return lambda evidence: figure(evidence.rows(of, metric).groupby("seed").value.mean())


def change_of_variance(of: Configuration) -> Measure:
    """log10 of the last layer's forward variance over the first's."""

    def measure(evidence: Evidence) -> Figure:
        rows = evidence.rows(of, "forward_variance")
        with np.errstate(divide="ignore"):
            return figure(np.log10(at(rows, of.size or 0) / at(rows, 1)))

    return measure


def shape(activation: str, metric: str, of: Callable[[pd.Series], float], theory: float = math.nan) -> Measure:
    """A number of an activation's f or df, a series over x."""
    return lambda evidence: Figure(float(of(evidence.curve(activation, metric))), theory=theory)
