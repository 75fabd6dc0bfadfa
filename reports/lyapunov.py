"""The command of Lyapunov exponents, and what their rows come to."""

import math
from typing import Any

import numpy as np
import pandas as pd

from reports.measuring import measured
from reports.options import (
    Activations,
    Architectures,
    Dask,
    Format,
    Initializers,
    Inputs,
    KeptOut,
    Lengths,
    Rows,
    Seed,
    Seeds,
    Widths,
    Workers,
)
from reports.summary import over_seeds
from reports.tables import emit
from suites.lyapunov import dimension
from suites.summary import CONFIGURATION


def spectra(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per configuration: CONFIGURATION, seeds, and over them largest_exponent in nats per step.

    largest_decades_per_step is the same in decades, with its 95 % t-interval _low and _high; beside it stand
    decades_per_step of the gradient over the same steps and predicted_decades_per_step, NaN where theory is silent.
    exponents and positive_exponents count, sum_of_exponents is in nats per step. All but the prediction are means.
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
    for metric in ("decades_per_step", "predicted_decades_per_step"):
        means = over_seeds(rows[rows.metric == metric], keys)[[*keys, "mean"]]
        shown = shown.merge(means.rename(columns={"mean": metric}), on=keys, how="left")
    with np.errstate(invalid="ignore"):
        means = table.groupby(keys, dropna=False, sort=False, observed=True)[[*figures]].mean().reset_index()
    return shown.merge(means, on=keys, how="left")


def lyapunov(
    architectures: Architectures = ["rnn"],  # noqa: B006
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
    measured and the one predicted. Prints a row per configuration; --rows prints every exponent.
    """
    grid: dict[str, Any] = {
        "architectures": architectures,
        "activations": activations,
        "initializers": initializers,
    }
    grid |= {"lengths": lengths, "widths": widths, "inputs": inputs, "seeds": seeds, "seed": seed}
    table = measured("lyapunov", out, grid, workers, dask)
    emit(table if rows else spectra(table), format)
