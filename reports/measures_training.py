"""What claims measure of training: of few layers, as every run trains them, and of deep networks where it has any."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from reports.bounds import Bound
from reports.claim import Figure, MissingError, Part
from reports.claim_evidence import Evidence, figure
from reports.measures import Measure
from suites.summary import CONFIGURATION

DEEP = 10  # layers: the network of D1, section 3.2
ENOUGH = 1000  # steps of training before it counts that something was not learned
FEED_FORWARD = ("mlp", "plain")
# What follows from the activation and the initialiser, so that two networks may differ in it and be alike.
FOLLOWS = ("activation", "parameter_a", "weight_variance", "bias_variance")
SHALLOW_SUITE, DEEP_SUITE = "training", "the deep training suite"


def alike(evidence: Evidence, activations: Sequence[str], deep: bool, initializer: str = "") -> pd.DataFrame:
    """Rows of training of networks that differ in the activation alone, where there is one with each that is named.

    deep: of DEEP layers or more, fewer otherwise. MissingError where there are none.
    """
    rows = evidence.training
    rows = rows[rows.architecture.isin(FEED_FORWARD) & ((rows.depth >= DEEP) == deep)]
    if initializer:
        rows = rows[rows.initializer == initializer]
    columns = [name for name in CONFIGURATION if name not in FOLLOWS]
    for _, group in rows.groupby(columns, dropna=False, sort=False, observed=True):
        if set(activations) <= set(group.activation):
            return group
    of = f" of {initializer} weights" if initializer else ""
    raise MissingError(f"{DEEP_SUITE if deep else SHALLOW_SUITE} with {', '.join(activations)}{of}")


def by_seed(rows: pd.DataFrame, activation: str, metric: str) -> pd.Series:
    """The value by seed of a metric that a training has one of; infinite where it is NaN (a target not reached)."""
    chosen = rows[(rows.activation == activation) & (rows.metric == metric)]
    if chosen.empty:
        raise MissingError(f"{metric} of the training of {activation}")
    return chosen.set_index("seed").value.fillna(math.inf)


def best_by(activation: str) -> Part:
    """That no other activation reaches a higher test accuracy."""

    def measure(evidence: Evidence) -> Figure:
        rows = alike(evidence, [activation], deep=False)
        others = [by_seed(rows, name, "final_test_accuracy") for name in rows.activation.unique() if name != activation]
        if not others:
            raise MissingError(f"the training of other activations than {activation}")
        best = max(others, key=lambda values: float(values.mean()))
        return figure((by_seed(rows, activation, "final_test_accuracy") - best).dropna())

    return Part(
        what=f"test accuracy of {activation} above the best of the others, a few layers on digits",
        unit="",
        measure=measure,
        bound=Bound("no other's mean is higher", least=0.0),
    )


def slower(activation: str, other: str, deep: bool) -> Measure:
    """Steps to the target accuracy, over those of another activation; infinite where it is not reached."""

    def measure(evidence: Evidence) -> Figure:
        rows = alike(evidence, [activation, other], deep)
        steps, others = (by_seed(rows, name, "steps_to_target") for name in (activation, other))
        with np.errstate(invalid="ignore"):
            return figure((steps / others).dropna())

    return measure


def accuracy(activation: str, deep: bool, initializer: str = "") -> Measure:
    """Final test accuracy."""

    def measure(evidence: Evidence) -> Figure:
        return figure(by_seed(alike(evidence, [activation], deep, initializer), activation, "final_test_accuracy"))

    return measure


def deeper_is_worse(activation: str) -> Measure:
    """Final test accuracy of a deep network above that of one of a few layers."""

    def measure(evidence: Evidence) -> Figure:
        deep, shallow = (
            by_seed(alike(evidence, [activation], which), activation, "final_test_accuracy") for which in (True, False)
        )
        return figure((deep - shallow).dropna())

    return measure


def fall(activation: str, start: float, end: float) -> Measure:
    """By how much the loss of a deep network falls between two shares of its training, over the first loss."""

    def of_one(rows: pd.DataFrame) -> float:
        losses = rows.set_index("step").value.sort_index()
        first, last = (losses.iloc[round(at * (len(losses) - 1))] for at in (start, end))
        return float((first - last) / losses.iloc[0])

    return _of_deep(activation, "loss", of_one)


def moved(activation: str, layers: int) -> Measure:
    """By how much the weights of a deep network's first layers changed, over their norm, averaged over the layers."""

    def of_one(rows: pd.DataFrame) -> float:
        return float(rows[rows.position.between(1, layers)].value.mean())

    return _of_deep(activation, "relative_weight_change", of_one)


def _of_deep(activation: str, metric: str, of_one: Callable[[pd.DataFrame], float]) -> Measure:
    """A number of a deep network's rows of one metric, seed by seed."""

    def measure(evidence: Evidence) -> Figure:
        rows = alike(evidence, [activation], deep=True)
        rows = rows[(rows.activation == activation) & (rows.metric == metric)]
        if rows.empty:
            raise MissingError(f"{metric} from {DEEP_SUITE}")
        return figure(rows.groupby("seed").apply(of_one))

    return measure


def remembers(architecture: str, steps: int) -> Measure:
    """The final loss on the adding problem over so many steps or more, over 1/6, that of who always answers 1.

    It is that of one configuration, of which every seed was trained ENOUGH: the one of the shortest sequences, trained
    longest.
    """

    def measure(evidence: Evidence) -> Figure:
        tables = (evidence.run[name] for name in ("training", "time"))  # weights are trained across time, too
        rows = pd.concat([table[(table.dataset == "adding") & (table.metric == "loss")] for table in tables])
        rows = rows[(rows.architecture == architecture) & (rows.length >= steps)].sort_values("step", kind="stable")
        # In an order that is not that of the rows.
        alike = [group for _, group in rows.groupby(["experiment", *CONFIGURATION], dropna=False, observed=True)]
        enough = [group for group in alike if _trained(group) >= ENOUGH]
        if not enough:
            raise MissingError(f"{ENOUGH} steps of training of {architecture} on the adding problem over {steps}")
        chosen = min(enough, key=lambda group: (group.length.iloc[0], -_trained(group)))
        return figure(6 * chosen.groupby("seed").value.last())

    return measure


def _trained(rows: pd.DataFrame) -> int:
    """Steps of training that every seed of one configuration had."""
    return int(rows.groupby("seed").step.max().min())
