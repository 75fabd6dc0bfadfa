"""What the singular values of networks come to: one row per configuration, over its seeds, beside theory."""

import math
from typing import Any

import pandas as pd

from suites.intervals import half_width, standard_error
from suites.schema import SCHEMA
from suites.summary import CONFIGURATION

PREDICTED = ("predicted_log10_mean_s2", "predicted_spread_s2", "predicted_sd")
ROUNDING = 1e-9  # what measured and predicted differ by without any reason


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per configuration of rows of the experiment spectrum.

    Columns: CONFIGURATION, seeds, log10_mean_s2 (log10 of the mean of s^2) and spread_s2 (Var(s^2) over that mean
    squared), each the mean over seeds with its 95 % t-interval _low and _high (NaN with one seed), predicted_... (NaN
    where theory is silent), and z_..., measured minus predicted over the standard error; log10_largest and
    log10_condition, means over seeds (NaN where rounding hides the smallest s); predicted_sd, of log10_mean_s2 between
    networks. z_log10_mean_s2 is against the centre of such networks, ln(10)/2 predicted_sd^2 below the prediction,
    which is that of the mean, and its standard error is at least the predicted one: few seeds may agree by chance.
    """
    groups = rows.groupby(CONFIGURATION, dropna=False, sort=False, observed=True)
    table = pd.DataFrame([dict(zip(CONFIGURATION, key, strict=True)) | _summary(part) for key, part in groups])
    return table.astype({name: SCHEMA[name] for name in CONFIGURATION})


def _summary(rows: pd.DataFrame) -> dict[str, Any]:
    values = {name: part.value.to_numpy() for name, part in rows.groupby("metric", observed=True)}
    predicted = {name: float(values[name][0]) if name in values else math.nan for name in PREDICTED}
    centre = predicted["predicted_log10_mean_s2"] - math.log(10) / 2 * predicted["predicted_sd"] ** 2
    found: dict[str, Any] = {"seeds": len(values["spread_s2"])}
    expectations = {
        "log10_mean_s2": (centre, predicted["predicted_sd"] / math.sqrt(found["seeds"])),
        "spread_s2": (predicted["predicted_spread_s2"], 0.0),
    }
    for name, (expected, least) in expectations.items():
        mean, error = float(values[name].mean()), standard_error(values[name])
        half = half_width(error, found["seeds"])
        found |= {name: mean, f"{name}_low": mean - half, f"{name}_high": mean + half}
        found |= {f"predicted_{name}": predicted[f"predicted_{name}"]}
        found |= {f"z_{name}": (mean - expected) / max(error, least, ROUNDING)}
    largest = rows[(rows.metric == "log10_singular_value") & (rows.position == 1)].value.to_numpy()
    found |= {"log10_largest": largest.mean(), "log10_condition": values["log10_condition"].mean()}
    return found | {"predicted_sd": predicted["predicted_sd"]}


def remarks(table: pd.DataFrame) -> list[str]:
    """Why a summary has blanks: a sentence each."""
    found = []
    for row in table[table.predicted_spread_s2.isna()].itertuples():
        name = f"{row.architecture} {row.activation} {row.initializer}, {row.depth} layers of {row.width}"
        why = "its weights' variance or all slopes are 0, or the numbers outgrow float64"
        if row.predicted_sd > 0:
            why = f"such networks differ by {row.predicted_sd:.2g} decades: infinite width says little of one of them"
        found.append(f"theory is silent for {name}: {why}")
    if (table.seeds == 1).any():
        found.append("one seed has no interval and no z: give --seeds 2 or more")
    if table.log10_condition.isna().any():
        found.append("a blank log10_condition means that rounding hides the smallest singular values")
    return found
