"""The figure of Jacobian spectra: how differently a network treats the directions of a gradient."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from reports.load import Tables
from reports.style import INK, arrange, blank, looks, panels
from reports.summary import label
from reports.words import number
from suites.spectrum_summary import summary
from suites.summary import CONFIGURATION

SHARES = np.linspace(0.005, 0.995, 100)
COLUMNS = ["activation", "initializer", "depth", "width", "line", "share", "decades", "spread", "predicted_spread"]
LEAST = -4.0  # decades below the root mean square where the panels end


def spectrum_data(run: Tables) -> pd.DataFrame:
    """Columns activation, initializer, depth, width, line (its name), share, decades, spread, predicted_spread.

    decades is the value below which that share of a configuration's singular values lie, over all seeds: log10 of them
    over their root mean square in the same network; -inf where rounding hides them.
    """
    rows = run["spectrum"]
    if rows.empty:
        return pd.DataFrame(columns=COLUMNS)
    table = summary(rows)
    table = table.assign(line=label(table, ["initializer"]), spread=table.spread_s2)
    table["predicted_spread"] = table.predicted_spread_s2
    groups = rows.groupby(CONFIGURATION, dropna=False, sort=False, observed=True)
    parts = []
    for (_, group), (_, row) in zip(groups, table.iterrows(), strict=True):
        shared = row[[name for name in COLUMNS if name in row]].to_dict()
        parts.append(pd.DataFrame({**shared, "share": SHARES, "decades": _quantiles(group)}))
    return pd.concat(parts, ignore_index=True)[COLUMNS]


def _quantiles(rows: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Of one configuration, at SHARES; each is one of the values, since -inf has no neighbours to be averaged with."""
    means = rows[rows.metric == "log10_mean_s2"].set_index("seed").value
    values = rows[rows.metric == "log10_singular_value"]
    decades = (values.value - values.seed.map(means) / 2).fillna(-np.inf).to_numpy(np.float64)
    return np.asarray(np.quantile(decades, SHARES, method="inverted_cdf"))


def draw_spectrum(data: pd.DataFrame) -> Canvas:
    """One panel per activation, one colour per initialiser: the share of singular values below each size."""
    figure, axes = panels(data.activation.unique(), 5, "log₁₀ of s over its root mean square", "share of s below")
    look = looks(data.line)
    for name, ax in axes.items():
        for line, curve in data[data.activation == name].groupby("line", sort=False, observed=True):
            colour = look[line].colour
            ax.plot(curve.decades.clip(lower=2 * LEAST), curve.share, color=colour, linewidth=2.2, alpha=0.8)
            ends = (curve.spread.iloc[0], "-"), (curve.predicted_spread.iloc[0], "--")
            for (spread, style), ink in zip(ends, (colour, INK), strict=True):
                ax.axvline(_deviation(spread), color=ink, linestyle=style, linewidth=0.9)
        if (data.decades[data.activation == name] == -np.inf).all():
            blank(ax, "no singular value\nis a number above 0")
        ax.set(xlim=(LEAST, 1.5), ylim=(0, 1))
    handles = [Line2D([], [], color=colour, label=line) for line, (colour, _) in look.items()]
    name = "s² one deviation above its mean, predicted"
    handles.append(Line2D([], [], color=INK, linestyle="--", linewidth=0.9, label=name))
    return arrange(figure, handles)


def _deviation(spread: float) -> float:
    """log10 of s over its root mean square where s² is one standard deviation above its mean."""
    return 0.5 * float(np.log10(1 + np.sqrt(spread)))


def spectrum_finding(data: pd.DataFrame) -> str:
    """The narrowest and the widest spectrum, and how near the predicted spreads are."""
    table = data.drop_duplicates(["activation", "line", "depth", "width"])
    table = table[table.spread.notna()]
    if table.empty:
        return "No network of this run has singular values to show."
    narrow, wide = table.loc[table.spread.idxmin()], table.loc[table.spread.idxmax()]

    def told(row: pd.Series) -> str:
        theory = f", where theory predicts {number(row.predicted_spread)}" if np.isfinite(row.predicted_spread) else ""
        return f"{row.activation} with {row.line} (variance of s² over its squared mean {number(row.spread)}{theory})"

    text = f"Directions are treated most alike by {told(narrow)}, least by {told(wide)}."
    known = table[(table.predicted_spread > 0.01) & np.isfinite(table.predicted_spread)]
    if len(known):
        off = ((known.spread / known.predicted_spread) - 1).abs().median()
        text += f" Measured and predicted spreads differ by {number(100 * off, 2)} % in the median of {len(known)}."
    return text
