"""Figures of the functions themselves: f, f' and what the derivative taken from the output loses."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from reports.load import Tables
from reports.style import INK, arrange, looks, panels
from reports.words import listed, number

NEAR = 5.0  # the range of x in which an activation's shape is drawn


def _curves(run: Tables, metrics: list[str]) -> pd.DataFrame:
    rows = run["curves"]
    rows = rows[rows.metric.isin(metrics)].rename(columns={"position": "x"})
    return rows[["activation", "metric", "x", "value"]].sort_values(["activation", "metric", "x"], kind="stable")


def shapes_data(run: Tables) -> pd.DataFrame:
    """Columns activation, metric (f or df), x, value."""
    rows = _curves(run, ["f", "df"])
    return rows[rows.x.abs() <= NEAR].reset_index(drop=True)


def draw_shapes(data: pd.DataFrame) -> Canvas:
    """One panel per activation, f solid and f' dashed."""
    figure, axes = panels(data.activation.unique(), 5, "x", "")
    look = looks(data.activation)
    for name, ax in axes.items():
        for metric, line in (("f", "-"), ("df", (0, (3, 1.5)))):
            curve = data[(data.activation == name) & (data.metric == metric)]
            ax.plot(curve.x, curve.value, linestyle=line, color=look[name].colour)
        ax.set(ylim=(-1.6, 3.2), xlim=(-NEAR, NEAR), xticks=(-4, 0, 4))
    return arrange(figure)


def shapes_finding(data: pd.DataFrame) -> str:
    """Whose slope is smallest at its steepest, and whose reaches 1."""
    slopes = data[data.metric == "df"].groupby("activation", observed=True).value
    steepest = slopes.max().sort_values(kind="stable")
    full = [name for name, slope in steepest.items() if slope > 0.999]
    negative = [name for name, slope in slopes.min().items() if slope < 0]
    text = (
        f"The slope of {steepest.index[0]} is never above {number(steepest.iloc[0])}, so one layer of it passes on at "
        f"most that share of a gradient before the weights act. {len(full)} of {len(steepest)} activations "
        "reach a slope of 1."
    )
    return text + (f" Somewhere the slope is negative: {listed(negative)}." if negative else "")


def tails_data(run: Tables) -> pd.DataFrame:
    """Columns activation, metric (df or df_from_output), x, value: where both ways to the derivative were measured."""
    rows = _curves(run, ["df", "df_from_output"])
    both = rows.loc[rows.metric == "df_from_output", "activation"].unique()
    return rows[rows.activation.isin(both)].reset_index(drop=True)


def draw_tails(data: pd.DataFrame) -> Canvas:
    """One panel per activation, log10 f' by both ways; where one is exactly 0 its line ends in a triangle."""
    figure, axes = panels(data.activation.unique(), 4, "x", "log₁₀ of the slope", share="x")
    look = looks(data.activation)
    for name, ax in axes.items():
        for metric, colour, style in (("df", look[name].colour, "-"), ("df_from_output", INK, ":")):
            curve = data[(data.activation == name) & (data.metric == metric)]
            positive = curve[curve.value > 0]
            ax.plot(positive.x, np.log10(positive.value), color=colour, linestyle=style)
            ends = _ends(curve)
            ax.plot(ends, [0.03] * len(ends), "v", color=colour, transform=ax.get_xaxis_transform())
    handles = [
        Line2D([], [], color=INK, linestyle="-", label="gradfade's derivative"),
        Line2D([], [], color=INK, linestyle=":", label="from the output alone"),
        Line2D([], [], color=INK, marker="v", linestyle="", label="exactly 0 from here on"),
    ]
    return arrange(figure, handles)


def _ends(curve: pd.DataFrame) -> list[float]:
    """The x on each side from which on, away from 0, the derivative is exactly 0."""
    zero = curve[curve.value == 0].x
    return [side.iloc[i] for side, i in ((zero[zero < 0], -1), (zero[zero > 0], 0)) if len(side)]


def tails_finding(data: pd.DataFrame) -> str:
    """From which x on, away from 0, the output form is 0 although the derivative is not."""
    wide = data.pivot_table(index=["activation", "x"], columns="metric", values="value", observed=True).reset_index()
    lost = wide[(wide.df_from_output == 0) & (wide.df != 0)]
    first = lost.sort_values("x", key=lambda x: x.abs() - 1e-6 * x).drop_duplicates("activation").sort_index()
    if first.empty:
        return "In the range measured both ways keep the same tail."
    cases = [
        f"{row.activation} from x = {number(row.x)} on, where it is {number(row.df, 2)}" for row in first.itertuples()
    ]
    return (
        "The shortcut that frameworks use, the derivative computed from the output alone, rounds to exactly 0 "
        f"although the derivative is not: {listed(cases)}. What is measured with it is rounding."
    )
