"""The command of Lyapunov exponents, and what their rows come to."""

import math
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from reports.measuring import survival
from reports.options import (
    Activations,
    Dask,
    Format,
    Initializers,
    Inputs,
    KeptOut,
    Lengths,
    Names,
    Rows,
    Seed,
    Seeds,
    Widths,
    Workers,
)
from reports.summary import over_seeds
from suites.lyapunov import dimension
from suites.summary import CONFIGURATION, attenuation
from suites.summary import summarise as attenuated

Cells = Annotated[Names, typer.Option("--architecture", help="rnn, lstm or gru; may be repeated.")]
# What a row of this experiment tells per step -> what the experiment across time tells of all of them.
TOTALS = {"decades_per_step": "log10_gradient", "predicted_decades_per_step": "predicted_log10_gradient"}
RATES = [
    "decades_per_step", "decades_per_step_low", "decades_per_step_high", "predicted_decades_per_step", "gap", "z",
]  # fmt: skip


def spectra(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per configuration: CONFIGURATION, seeds, and over them largest_exponent in nats per step.

    largest_decades_per_step is the same in decades, with its 95 % t-interval _low and _high. Beside it stand, as in the
    summary across time, decades_per_step of the gradient over the same steps, with its interval, and
    predicted_decades_per_step, gap and z, NaN where theory is silent. exponents and positive_exponents count,
    sum_of_exponents is in nats per step. All but the prediction, gap and z are means.
    """
    exponents = rows[rows.metric == "lyapunov_exponent"].sort_values("position", kind="stable")
    per_seed = exponents.groupby([*CONFIGURATION, "seed"], dropna=False, sort=False, observed=True)["value"]
    figures = {
        "largest_exponent": lambda values: values.iloc[0],
        "exponents": "size",
        "positive_exponents": lambda values: int((values > 0).sum()),
        "sum_of_exponents": lambda values: values.sum(skipna=False),
        "kaplan_yorke_dimension": lambda values: dimension(values.to_numpy()),
    }
    table = per_seed.agg(**figures).reset_index()
    keys = [*CONFIGURATION]
    decades = over_seeds(table.assign(value=table.largest_exponent / math.log(10)), keys).drop(columns="sd")
    shown = decades.rename(
        columns={
            "mean": "largest_decades_per_step",
            "low": "largest_decades_per_step_low",
            "high": "largest_decades_per_step_high",
        }
    )
    shown = shown.merge(attenuation(_as_time(rows), "time")[[*keys, *RATES]], on=keys, how="left")
    with np.errstate(invalid="ignore"):
        means = table.groupby(keys, dropna=False, sort=False, observed=True)[[*figures]].mean().reset_index()
    return shown.merge(means, on=keys, how="left")


def _as_time(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the gradient and of its prediction as those of the experiment across time: totals at position 0."""
    rates = rows[rows.metric.isin(TOTALS)]
    value = rates.value * rates.length.astype("float64")
    totals = rates.assign(metric=rates.metric.map(TOTALS), position=0, value=value)
    return pd.concat([totals, rows[rows.metric == "predicted_sd"]])


def summarise(rows: pd.DataFrame, experiment: str) -> tuple[pd.DataFrame, list[str]]:
    """The rows of an experiment on exponents as spectra, and what is to be said of their blanks."""
    return spectra(rows), attenuated(_as_time(rows), "time")[1]


def lyapunov(
    context: typer.Context,
    architectures: Cells = ["rnn"],  # noqa: B006
    activations: Activations = ["tanh"],  # noqa: B006
    initializers: Initializers = ["xavier_normal"],  # noqa: B006
    lengths: Lengths = [1000],  # noqa: B006
    widths: Widths = [32],  # noqa: B006
    inputs: Inputs = 10,
    seeds: Seeds = 8,
    seed: Seed = 0,
    workers: Workers = 1,
    dask: Dask = None,
    out: KeptOut = None,
    rows: Rows = False,
    format: Format = "table",
) -> None:
    """Lyapunov exponents of rnn, lstm or gru, by QR along a trajectory, after 200 steps that are not counted.

    The largest one is the rate at which a gradient grows on its way back through time, and stands beside the rate
    measured and the one predicted, with their gap per step and its z: gap over its standard error between seeds, a t
    statistic of seeds - 1 degrees of freedom. Prints a row per configuration; --rows prints every exponent.
    """
    survival("lyapunov", summarise=summarise, **context.params)
