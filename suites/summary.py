"""What a sweep across depth or time comes to: one row per configuration, over its seeds."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from kernels.checks import DTYPES
from suites.errors import UserError
from suites.intervals import half_width, standard_error
from suites.schema import COLUMNS
from suites.stored_summary import KEPT, kept
from suites.theory import PREDICTIONS

# Everything that names a configuration: what stands between the experiment and the seed.
CONFIGURATION = COLUMNS[COLUMNS.index("experiment") + 1 : COLUMNS.index("seed")]
# Experiment -> the column that counts its factors, and what one factor is called.
FACTORS = {"depth": ("depth", "layer"), "time": ("length", "step")}
# Column of a summary -> what it means; per_factor is decades_per_layer, decades_per_step.
MEANING = {
    "seeds": "networks measured",
    "seeds_zero": "those whose gradient arrived as exactly 0",
    "total_decades": "log10 of the gradient's norm at position 0 over that at the last one, mean over seeds",
    "total_decades_low": "its 95 % t-interval over seeds; blank with one seed",
    "total_decades_high": "its other end",
    "per_factor": "the same for each {factor}",
    "per_factor_low": "its 95 % t-interval",
    "per_factor_high": "its other end",
    "predicted_total_decades": "theory's, of the configuration alone; blank where it is silent: a note says why",
    "predicted_per_factor": "the same for each {factor}",
    "gap": "decades per {factor}, measured minus predicted",
    "z": "the gap over its standard error between seeds, a t statistic of seeds - 1 degrees of freedom (of 8 seeds: "
    "beyond 2.36 it is significant at 95 %); large, too, where seeds hardly differ",
    **KEPT,
}


def attenuation(rows: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """One row per configuration: how many decades its gradient gained from the last position to position 0.

    Columns: CONFIGURATION, seeds, seeds_zero (those whose gradient arrived as exactly 0), total_decades (mean over
    seeds of log10; -inf if one is 0), total_decades_low and _high (95 % t-interval; NaN with one seed),
    decades_per_layer (_step) with its _low and _high, predicted_total_decades, predicted_decades_per_layer (_step), NaN
    where theory is silent, gap: decades per layer (step), measured minus predicted, and z: the same over the standard
    error between seeds, NaN with one seed. z is a t statistic of seeds - 1 degrees of freedom: at 95 % it differs from
    0 beyond 12.7 with 2 seeds, 2.36 with 8 and 1.96 with very many, which is where the prediction leaves the interval.
    A large z of a small gap tells that seeds hardly differ, or are many: theory is of infinite width, and the rest
    shows. The prediction is that of the mean square; for one sample (batch 1), where
    log10 is on average less, gap and z are against centre, and NaN where theory has a curve but no band to tell it.
    """
    count, factor = FACTORS[experiment]
    first = rows[rows.position == 0]
    predicted, sd = (
        _by_configuration(first, metric).first().rename(metric)
        for metric in ("predicted_log10_gradient", "predicted_sd")
    )
    table = _by_configuration(first, "log10_gradient").agg(
        seeds="size",
        seeds_zero=lambda value: int(np.isneginf(value).sum()),
        total_decades=lambda value: value.mean(skipna=False),
        error=standard_error,
    )
    table = table.join(predicted).join(sd).join(kept(rows, CONFIGURATION)).reset_index()
    expected = centre(table.predicted_log10_gradient, table.predicted_sd).where(~_bandless(table))
    half = half_width(table.error, table.seeds)
    factors = table[count].astype("float64")
    gap = table.total_decades - expected
    summary = table[[*CONFIGURATION, "seeds", "seeds_zero", "total_decades"]].assign(
        total_decades_low=table.total_decades - half,
        total_decades_high=table.total_decades + half,
        per_factor=table.total_decades / factors,
        per_factor_low=(table.total_decades - half) / factors,
        per_factor_high=(table.total_decades + half) / factors,
        predicted_total_decades=table.predicted_log10_gradient,
        predicted_per_factor=table.predicted_log10_gradient / factors,
        gap=gap / factors,
        z=gap / table.error.where(table.error > 0),
    )
    summary = summary.join(table[[*KEPT]])[[*CONFIGURATION, *MEANING]]
    return summary.rename(columns=lambda name: _by_factor(name, factor))


def meaning(experiment: str) -> dict[str, str]:
    """What the columns of a summary mean that are not CONFIGURATION, in their order."""
    _, factor = FACTORS[experiment]
    return {_by_factor(name, factor): told.format(factor=factor) for name, told in MEANING.items()}


def _by_factor(name: str, factor: str) -> str:
    return name.replace("per_factor", f"decades_per_{factor}")


def summarise(rows: pd.DataFrame, experiment: str) -> tuple[pd.DataFrame, list[str]]:
    """The summary of these rows, and the remarks on it."""
    table = attenuation(rows, experiment)
    return table, remarks(table, rows, experiment)


def remarks(table: pd.DataFrame, rows: pd.DataFrame, experiment: str) -> list[str]:
    """Why a summary of these rows has blanks, infinite or NaN totals: a sentence each, once for several depths."""
    found = [
        f"theory is silent for {_named(row)}: {silence(experiment, row._asdict())}"
        for row in table[table.predicted_total_decades.isna()].itertuples(index=False)
    ]
    found += [
        f"{_named(row)}: a single sample is less than the mean square by what theory does not tell: no gap and no z"
        for row in table[(table.batch == 1) & table.predicted_total_decades.notna() & table.gap.isna()].itertuples()
        if math.isfinite(row.total_decades)
    ]
    if (table.seeds == 1).any():
        found.append("one seed has no interval and no z: give --seeds 2 or more")
    variances = rows[rows.metric == "forward_variance"]
    normal = {name: float(np.finfo(dtype).smallest_normal) for name, dtype in DTYPES.items()}
    smallest = variances.dtype.map(normal).astype(float)
    for lost, does, so in (
        (~np.isfinite(variances.value), "overflows", "no total is finite"),
        (
            (variances.value > 0) & (variances.value < smallest**2),
            "leaves the normal numbers of",
            "slopes are lost there",
        ),
    ):
        first = variances[lost].groupby(CONFIGURATION, dropna=False, sort=False, observed=True)["position"].min()
        for row in first.reset_index().itertuples():
            place = f"{FACTORS[experiment][1]} {row.position:.0f}"
            found.append(f"{_named(row)}: the forward pass {does} {row.dtype} from {place} on, so {so}")
    gone = table[table.seeds_zero > 0].itertuples()
    found += [f"{_named(row)}: the gradient is exactly 0 in {row.seeds_zero} of {row.seeds} seeds" for row in gone]
    return [*dict.fromkeys(found)]


def silence(experiment: str, row: Mapping[str, Any]) -> str:
    """Why theory has no curve for the configuration that a row's columns name; "" where it has one."""
    known = {name: row[name] for name in CONFIGURATION if pd.notna(row[name])} | {"trained": bool(row["optimizer"])}
    if experiment == "depth":
        known["tokens"] = known.pop("length", None)
    return _reason(tuple(known.items()))


@lru_cache(maxsize=4096)
def _reason(configuration: tuple[tuple[str, Any], ...]) -> str:
    """A prediction's reason: remarks and figures ask for it time and again, and it takes the whole prediction."""
    known = dict(configuration)
    try:
        return PREDICTIONS[known["architecture"]](**known).reason
    except UserError as error:  # an activation of a file that is gone
        return str(error)


def _bandless(table: pd.DataFrame) -> pd.Series:
    """Whether a row is of single samples and theory has no band for them: by how much their log10 is less is unknown.

    table: batch and predicted_sd; NaN and 0 differ, since orthogonal linear layers have a band of no width.
    """
    return (table.batch == 1) & table.predicted_sd.isna()


def _named(row: Any) -> str:
    return f"{row.architecture} {row.activation} {row.initializer}"


def centre(predicted: pd.Series, sd: pd.Series) -> pd.Series:
    """Where log10 of the gradient norm of single samples is centred: predicted - ln(10) sd^2; predicted if sd is NaN.

    predicted is of the mean square. ln|Ju|^2 is normal with variance beta and mean -beta/2 (Hanin 2018): the norm's
    median is theory times exp(-beta/4), and beta = (2 ln(10) sd)^2.
    """
    return predicted - math.log(10) * sd.fillna(0.0) ** 2


def _by_configuration(rows: pd.DataFrame, metric: str) -> "pd.api.typing.SeriesGroupBy":
    return rows[rows.metric == metric].groupby(CONFIGURATION, dropna=False, sort=False, observed=True)["value"]
