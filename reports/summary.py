"""What the rows of a run come to: means over seeds with their intervals, best choices, one ranked table."""

import numpy as np
import pandas as pd

from reports.load import Tables
from suites.intervals import half_width
from suites.summary import CONFIGURATION, attenuation
from suites.verdicts import LIMIT

SIZES = ("depth", "length", "inputs")  # an architecture tells which of them it has: no value is none of them


def over_seeds(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Per group of by: seeds, mean of value, its sd and the 95 % t-interval low, high (null with one seed).

    An infinite value makes the mean infinite and NaN makes it NaN: what is exactly 0 or overflowed is never
    averaged away.
    """
    groups = rows.groupby(by, dropna=False, observed=True, sort=False)["value"]
    with np.errstate(invalid="ignore"):
        table = groups.agg(seeds="size", known="count", mean="mean", sd="std").reset_index()
    table["mean"] = table["mean"].where(table.pop("known") == table.seeds)
    half = half_width(table.sd / np.sqrt(table.seeds), table.seeds)
    return table.assign(low=table["mean"] - half, high=table["mean"] + half)


def label(frame: pd.DataFrame, always: list[str]) -> pd.Series:
    """One name per row: the columns of always, and whatever else of its configuration varies over frame, and it has.

    What is a number is told with its column's name: 20 depth.
    """
    varying = [
        name for name in CONFIGURATION
        if name in frame and name not in ("activation", "initializer", "parameter_a", *always)
        and frame[name].nunique(dropna=name in SIZES) > 1
    ]  # fmt: skip
    # The variances follow from the initialiser; they tell configurations apart only where it is left open.
    varying = [name for name in varying if not name.endswith("_variance") or "initializer" not in frame]
    told = pd.Series("", index=frame.index)
    for name in [*always, *varying]:
        column = frame[name]
        number = name not in always and pd.api.types.is_numeric_dtype(column)
        told += (" " + column.astype(str) + (f" {name}" if number else "")).where(column.notna(), "")
    return told.str.removeprefix(" ")


def survival(rows: pd.DataFrame) -> pd.DataFrame:
    """Log10 of the gradient at each position over that at the last one, per configuration.

    Columns: CONFIGURATION, position, seeds, measured, sd, low, high (over seeds), predicted, predicted_sd.
    """
    keys = [*CONFIGURATION, "position"]
    metrics = {
        metric: over_seeds(rows[rows.metric == metric], keys)
        for metric in ("log10_gradient", "predicted_log10_gradient", "predicted_sd")
    }
    table = metrics["log10_gradient"].rename(columns={"mean": "measured"})
    for metric, column in [("predicted_log10_gradient", "predicted"), ("predicted_sd", "predicted_sd")]:
        table = table.merge(metrics[metric].rename(columns={"mean": column})[[*keys, column]], on=keys, how="left")
    return table


def best(table: pd.DataFrame) -> pd.DataFrame:
    """The row of each activation, of those of suites.summary.attenuation, that changes its gradient least."""
    order = table.assign(size=table.total_decades.abs().fillna(np.inf)).sort_values("size", kind="stable")
    return order.drop_duplicates("activation").drop(columns="size")


def keeps(table: pd.DataFrame) -> pd.Series:
    """Which rows keep their gradient: total_decades, over all layers or steps measured, within LIMIT of 0."""
    return table.total_decades.abs() <= LIMIT


def element_cost(cost: pd.DataFrame, direction: str = "forward_backward") -> pd.DataFrame:
    """Columns activation, ns_per_element, dtype, level: float32 in the L2 cache, or the nearest that was measured."""
    rows = cost[(cost.op == "activation") & (cost.direction == direction) & cost.ns_per_element.notna()]
    for column, wanted in (("dtype", "float32"), ("level", "L2")):
        present = list(rows[column].unique())
        rows = rows[rows[column] == (wanted if wanted in present else next(iter(present), None))]
    return rows.drop_duplicates("activation")[["activation", "ns_per_element", "dtype", "level"]]


def training(rows: pd.DataFrame) -> pd.DataFrame:
    """Table 1: per configuration the step's time, steps and seconds to the target, final test accuracy over seeds.

    Columns: name (the activation), CONFIGURATION, seeds, seconds_per_step, target_accuracy, reached (seeds that met
    it), steps_to_target and seconds_to_target (means over those), accuracy, accuracy_low, accuracy_high (95 %
    t-interval). Best first.
    """
    finite = rows[np.isfinite(rows.value)]

    def means(metric: str) -> pd.DataFrame:
        return over_seeds(finite[finite.metric == metric], CONFIGURATION)

    table = means("final_test_accuracy").rename(
        columns={"mean": "accuracy", "low": "accuracy_low", "high": "accuracy_high"}
    )
    table = table.drop(columns="sd")
    for metric in ("seconds_per_step", "target_accuracy", "steps_to_target", "seconds_to_target"):
        kept = {"seeds": "reached"} if metric == "steps_to_target" else {}
        other = means(metric).rename(columns={"mean": metric, **kept})
        table = table.merge(other[[*CONFIGURATION, metric, *kept.values()]], on=CONFIGURATION, how="left")
    table["reached"] = table.reached.fillna(0).astype(int)
    table.insert(0, "name", table.activation)
    return table.sort_values("accuracy", ascending=False, kind="stable").reset_index(drop=True)


def ranking(run: Tables) -> pd.DataFrame:
    """One row per activation: what it costs, how much gradient it keeps with its best initialiser, how well it trains.

    total_decades are over the depth beside them. Those that keep their gradient come first, then those that do
    not, each by cost; what a run did not measure is null and sorts last.
    """
    costs = element_cost(run["cost"])[["activation", "ns_per_element"]]
    depth, time = (best(attenuation(run[name], name)) for name in ("depth", "time"))
    trained = training(run["training"]).drop_duplicates("activation")
    parts = [
        costs,
        depth[["activation", "initializer", "decades_per_layer", "predicted_decades_per_layer"]],
        time[["activation", "initializer", "decades_per_step", "predicted_decades_per_step"]],
        trained[["activation", "accuracy", "accuracy_low", "accuracy_high"]],
        depth[["activation", "depth", "total_decades"]],
    ]
    table = parts[0]
    for part in parts[1:]:
        table = table.merge(part, on="activation", how="outer", suffixes=("", "_time"))
    group = (~keeps(table)).where(table.total_decades.notna())
    keys, ascending = ["group", "ns_per_element", "accuracy"], [True, True, False]
    order = table.assign(group=group.astype("float64")).sort_values(keys, ascending=ascending, kind="stable")
    return order.drop(columns="group").reset_index(drop=True)
