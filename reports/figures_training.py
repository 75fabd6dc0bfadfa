"""Figures of training on real data."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure as Canvas

from reports.load import Tables
from reports.style import MUTED, arrange, looks, panels
from reports.summary import label, over_seeds
from reports.words import listed, number, several
from suites.summary import CONFIGURATION


def _data(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    table = over_seeds(rows[rows.metric == metric], [*CONFIGURATION, "step"])
    line = {"line": label(table, ["activation"])} if len(table) else {"line": pd.Series(dtype=object)}
    table = table[["activation", "step", "seeds", "mean", "low", "high"]].assign(**line)
    return table.rename(columns={"mean": metric})


def loss_data(run: Tables) -> pd.DataFrame:
    """Columns activation, step, seeds, loss (geometric mean), low, high (95 % t-interval of its logarithm), line."""
    rows = run["training"]
    with np.errstate(divide="ignore", invalid="ignore"):
        table = _data(rows.assign(value=np.log(rows.value)), "loss")
    return table.assign(**{name: np.exp(table[name].astype(float)) for name in ("loss", "low", "high")})


def accuracy_data(run: Tables) -> pd.DataFrame:
    """Columns activation, step, seeds, test_accuracy (mean), low, high (95 % t-interval), line."""
    return _data(run["training"], "test_accuracy")


def _draw(data: pd.DataFrame, metric: str, name: str, **limits: Any) -> Canvas:
    figure, axes = panels(data.line.unique(), 5, "step", name)
    look = looks(data.activation)
    everyone = [curve[["step", metric]].astype(float) for _, curve in data.groupby("line", sort=False)]
    for line, ax in axes.items():
        ax.add_collection(LineCollection(everyone, colors=MUTED, linewidths=0.5, alpha=0.35))
        curve = data[data.line == line].sort_values("step")
        colour = look[curve.activation.iloc[0]].colour
        ax.fill_between(curve.step.astype(float), curve.low, curve.high, color=colour, alpha=0.25, linewidth=0)
        ax.plot(curve.step, curve[metric], color=colour, linewidth=1.8)
        ax.set(**limits)
    return arrange(figure)


def draw_loss(data: pd.DataFrame) -> Canvas:
    """One panel per activation in its colour, all others grey behind; log scale over the means' range."""
    shown = data.loss[np.isfinite(data.loss) & (data.loss > 0)]
    return _draw(data, "loss", "loss (log scale)", yscale="log", ylim=(shown.min() / 1.5, shown.max() * 1.5))


def draw_accuracy(data: pd.DataFrame) -> Canvas:
    """One panel per activation in its colour, all others grey behind."""
    return _draw(data, "test_accuracy", "test accuracy", ylim=(0, 1.02))


def loss_finding(data: pd.DataFrame) -> str:
    """Lowest and highest loss at the end, and which runs hardly moved from their first value."""
    ordered = data.sort_values("step").groupby("line", sort=False)
    last, first = ordered.loss.last().sort_values(kind="stable"), ordered.loss.first()
    stuck = [name for name in last.index if not last[name] < 0.9 * first[name]]
    text = (
        f"After {several(int(data.step.max()), 'step')} the loss is lowest with {last.index[0]} "
        f"({number(last.iloc[0])}) and highest with {last.index[-1]} ({number(last.iloc[-1])})."
    )
    return text + (f" It hardly fell with {listed(stuck)}." if stuck else " It fell with all of them.")


def accuracy_finding(data: pd.DataFrame) -> str:
    """Best and worst at the last step, and who was first half-way there."""
    ordered = data.sort_values("step").groupby("line", sort=False)
    last = ordered.test_accuracy.last().sort_values(ascending=False, kind="stable")
    half = data[data.test_accuracy >= 0.5 * np.nanmax(data.test_accuracy)].groupby("line", sort=False).step.min()
    quick = half.sort_values(kind="stable").index[0]
    return (
        f"{last.index[0]} ends at {number(100 * last.iloc[0])} % on digits it has not seen, {last.index[-1]} at "
        f"{number(100 * last.iloc[-1])} %. The first to reach half of the best is {quick}, after "
        f"{several(int(half[quick]), 'step')}."
    )
