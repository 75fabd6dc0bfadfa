"""The figure of Lyapunov spectra: how fast each direction of a recurrent state grows or fades."""

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from reports.load import Tables
from reports.lyapunov import spectra
from reports.style import INK, arrange, looks, panels
from reports.summary import label, over_seeds
from reports.words import number, signed
from suites.summary import CONFIGURATION

COLUMNS = ["panel", "line", "share", "exponent", "low", "high", "largest", "gradient", "predicted"]


def lyapunov_data(run: Tables) -> pd.DataFrame:
    """Columns panel, line (the cell), share, exponent (mean over seeds, in decades per step), low, high (95 %).

    share is the part of the state's directions up to this one, the fastest first. largest is that one's exponent,
    gradient the rate measured on the same trajectories, predicted theory's, all in decades per step.
    """
    rows = run["lyapunov"]
    if rows.empty:
        return pd.DataFrame(columns=COLUMNS)
    keys = [*CONFIGURATION]
    exponents = rows[rows.metric == "lyapunov_exponent"]
    curves = over_seeds(exponents.assign(value=exponents.value / math.log(10)), [*keys, "position"])
    ends = spectra(rows)[[*keys, "largest_decades_per_step", "decades_per_step", "predicted_decades_per_step"]]
    table = curves.merge(ends, on=keys, how="left")
    most = table.groupby(keys, dropna=False, observed=True)["position"].transform("max")
    table = table.assign(
        panel=table.activation.astype(str) + " " + table.initializer.astype(str),
        line=label(table, ["architecture"]),
        share=table.position / most,
    )
    names = {"mean": "exponent", "largest_decades_per_step": "largest", "decades_per_step": "gradient"}
    return table.rename(columns={**names, "predicted_decades_per_step": "predicted"})[COLUMNS]


def draw_lyapunov(data: pd.DataFrame) -> Canvas:
    """One panel per activation and initialiser, one colour per cell."""
    figure, axes = panels(data.panel.unique(), 3, "share of directions", "exponent, decades per step")
    look = looks(data.line)
    for name, ax in axes.items():
        ax.axhline(0, color=INK, linewidth=0.7)
        for line, curve in data[data.panel == name].groupby("line", sort=False):
            colour, marker = look[line]
            shown = curve[np.isfinite(curve.exponent)]
            every = max(1, len(shown) // 6)
            ax.plot(shown.share, shown.exponent, color=colour, marker=marker, markevery=every, markersize=4.5)
            ax.fill_between(shown.share, shown.low, shown.high, color=colour, alpha=0.25, linewidth=0)
            ax.axhline(curve.predicted.iloc[0], color=colour, linestyle=":", linewidth=1.2)
    handles = [Line2D([], [], color=colour, marker=marker, label=line) for line, (colour, marker) in look.items()]
    if data.predicted.notna().any():
        handles.append(Line2D([], [], color=INK, linestyle=":", linewidth=1.2, label="predicted rate of the gradient"))
    return arrange(figure, handles)


def lyapunov_finding(data: pd.DataFrame) -> str:
    """The fastest and the slowest leading direction, and how near the measured gradient is to its exponent."""
    table = data.drop_duplicates(["panel", "line"])
    table = table[np.isfinite(table.largest)]
    if table.empty:
        return "No cell of this run has a finite exponent."
    high, low = table.loc[table.largest.idxmax()], table.loc[table.largest.idxmin()]
    chaotic = int((table.largest > 0).sum())
    gap = (table.gradient - table.largest).abs().median()
    return (
        f"The largest exponent is {signed(high.largest, 3)} decades per step for {high.line} with {high.panel} and "
        f"{signed(low.largest, 3)} for {low.line} with {low.panel}; it is above 0, which is chaos and an exploding "
        f"gradient, in {chaotic} of {len(table)} cases. The gradient's own rate differs from it by {number(gap, 2)} in "
        "the median."
    )
