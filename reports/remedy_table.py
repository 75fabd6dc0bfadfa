"""What remedies are worth, from the rows of two experiments: one table of decades and prices, one of updates."""

import math
from typing import Any

import pandas as pd

from suites.prices import price
from suites.summary import CONFIGURATION
from suites.verdicts import Decades, decades, effect, gain

ONCE = ["decades_bought", "decades_bought_low", "decades_bought_high"]
TIMES = ["baseline_nanoseconds", "nanoseconds", "added_nanoseconds", "time_ratio", "time_ratio_low", "time_ratio_high"]
TRAINING = ["loss", "clipped_share", "norm_before", "norm_after"]
COLUMNS = [
    "baseline", "kind", "remedy", "verdict", "certain", "effect", "decades", "decades_low", "decades_high", *ONCE,
    *TIMES, "free", "decades_per_nanosecond", *TRAINING,
]  # fmt: skip
# What tells the network of a row: of its configuration all but the weights' variances, which follow from it.
NETWORK = [name for name in CONFIGURATION if name not in ("parameter_a", "weight_variance", "bias_variance")]
UPDATES = ["baseline", "remedy", "step", "position", "parameter", "gradient", "update", "relative_update"]


def remedy_table(rows: pd.DataFrame, times: pd.DataFrame) -> pd.DataFrame:
    """A row per baseline and remedy ("" is the baseline itself): COLUMNS.

    rows: of the experiment remedies; times: of remedy_times, which tell which network is which remedy. decades are of
    the gradient across kind, or, of what is in training across depth, of the first step's update relative to the
    weights, first matrix over last; across time, where one matrix serves every step, there are none. norm_before,
    norm_after and loss are medians over the seeds, norms of all steps, the loss of the last one. The baseline's
    nanoseconds are the median of what was timed beside each remedy, one for all of them.
    """
    measured = _by_network(rows)
    found: list[dict[str, Any]] = []
    for baseline, part in times.assign(remedy=times.remedy.fillna("")).groupby("baseline", sort=False):
        nanoseconds = part.value[part.metric == "baseline_nanoseconds"].median()
        before = Decades(())
        for remedy, each in part.groupby("remedy", sort=False):
            (name,) = _by_network(each)
            network = measured.get(name, rows.iloc[:0])
            after = _decades(network)
            before = after if remedy == "" else before
            kind = "depth" if each.length.isna().all() else "time"
            row = {"baseline": baseline, "kind": kind, "remedy": remedy, **_estimate(after), **_training(network)}
            found.append(row | (_worth(before, after, each, nanoseconds) if remedy else {}))
    return pd.DataFrame(found).reindex(columns=COLUMNS)


def _by_network(rows: pd.DataFrame) -> dict[tuple[str, ...], pd.DataFrame]:
    """The rows of each network, by NETWORK as text, in which what is missing is the same as itself."""
    groups = rows.groupby(NETWORK, dropna=False, sort=False, observed=True)
    return {tuple(map(str, network)): part for network, part in groups}


def _decades(rows: pd.DataFrame) -> Decades:
    first = rows[(rows.metric == "log10_relative_update") & (rows.step == 1)]
    if first.empty:
        return decades(rows)
    if rows.length.notna().any():
        return Decades(())
    ends = first.sort_values("position").groupby("seed")["value"].agg(["first", "last"])
    return Decades(tuple(ends["first"] - ends["last"]))


def _estimate(found: Decades) -> dict[str, Any]:
    if not found.values:
        return {}
    low, high = found.interval
    ends = {"decades": found.mean, "decades_low": low, "decades_high": high}
    return {"verdict": found.verdict, "certain": found.certain, **ends}


def _worth(before: Decades, after: Decades, times: pd.DataFrame, nanoseconds: float) -> dict[str, Any]:
    ratio, low, high = times.set_index("metric").value[["time_ratio", "time_ratio_low", "time_ratio_high"]]
    if not after.values:
        return price(ratio, low, high, nanoseconds, math.nan, math.nan)
    worth = gain(before, after)
    bought = dict(zip(ONCE, (worth.bought, worth.low, worth.high), strict=True))
    return {"effect": effect(before, after), **bought, **price(ratio, low, high, nanoseconds, worth.bought, worth.low)}


def _training(rows: pd.DataFrame) -> dict[str, Any]:
    """What training tells; of a network that is not trained nothing."""
    last = rows.step.max()
    values = {name: rows[rows.metric == name] for name in TRAINING}
    values["loss"] = values["loss"][values["loss"].step == last]
    found = {name: part.value.median(skipna=False) for name, part in values.items() if len(part)}
    return found | ({"clipped_share": values["clipped_share"].value.mean()} if found else {})


def update_table(rows: pd.DataFrame, times: pd.DataFrame) -> pd.DataFrame:
    """A row per baseline in training, remedy, step (the first and the last) and weight matrix: UPDATES.

    gradient, update and relative_update (the update's norm over the weights') are norms, geometric means over seeds.
    """
    metrics = {"log10_gradient_norm": "gradient", "log10_update": "update", "log10_relative_update": "relative_update"}
    trained = rows[rows.metric.isin(metrics) & (rows.optimizer != "")]
    if trained.empty or times.empty:
        return pd.DataFrame(columns=UPDATES)
    keys = [*NETWORK, "step", "position", "parameter"]
    means = trained.groupby([*keys, "metric"], dropna=False, observed=True)["value"].mean().unstack("metric")
    networks = times.assign(remedy=times.remedy.fillna(""))[["baseline", "remedy", *NETWORK]].drop_duplicates()
    table = (10 ** means.rename(columns=metrics)).reset_index()
    return networks.merge(table, on=NETWORK, how="inner")[UPDATES].reset_index(drop=True)
