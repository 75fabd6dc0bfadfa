"""The figure that puts both halves together: cost against lost gradient."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from reports.load import Tables
from reports.style import MUTED, ROW, arrange, label_right, looks, panels, plain_numbers
from reports.summary import best, element_cost, keeps
from reports.words import number, several
from suites.summary import FACTORS, attenuation

COLUMNS = ["panel", "activation", "initializer", "ns_per_element", "decades", "predicted", "total_decades"]


def tradeoff_data(run: Tables) -> pd.DataFrame:
    """Columns panel, activation, initializer (the best), ns_per_element, decades, predicted, total_decades.

    decades and predicted are per layer or step, as panel says.
    """
    costs = element_cost(run["cost"])
    parts = []
    for name, (_, factor) in FACTORS.items():
        table = best(attenuation(run[name], name)).merge(costs, on="activation")
        columns = {f"decades_per_{factor}": "decades", f"predicted_decades_per_{factor}": "predicted"}
        table = table.rename(columns=columns).assign(panel=f"decades per {factor}")
        parts.append(table[COLUMNS])
    return pd.concat(parts, ignore_index=True)


def draw_tradeoff(data: pd.DataFrame) -> Canvas:
    """Cost across, decades per layer or step up; every point is named beside the panel."""
    look = looks(data.activation)
    figure, axes = panels(data.panel.unique(), 2, "ns per element, forward and backward (log scale)", "", share="x")
    figure.set_figheight(max(3.0, ROW * data.activation.nunique() + 1.2))
    for name, ax in axes.items():
        part = data[(data.panel == name) & data.decades.notna()]
        edge = 2 * part.decades[np.isfinite(part.decades)].abs().max() + 0.01  # where 0 and infinity are drawn
        part = part.assign(y=part.decades.clip(-edge, edge) if edge == edge else np.sign(part.decades))
        for point in part.itertuples():
            colour, marker = look[point.activation]
            marker = {-np.inf: "v", np.inf: "^"}.get(point.decades, marker)
            ax.plot(point.ns_per_element, point.y, marker=marker, color=colour, markersize=7, clip_on=False)
        ax.axhline(0, color=MUTED, linestyle="--", linewidth=1)
        ax.set_yscale("symlog", linthresh=0.01, linscale=0.5)
        ax.set_ylabel("decades (log beyond ±0.01)")
        ax.yaxis.set_major_formatter(lambda value, _: number(value))
        ax.set_xscale("log")
        ax.margins(x=0.06, y=0.06)  # whole markers within the axes
        plain_numbers(ax)
        names = part.activation.astype(str) + " · " + part.initializer.astype(str)
        names += part.decades.map({-np.inf: " → 0", np.inf: " → ∞"}).fillna("")
        colours = [look[activation].colour for activation in part.activation]
        label_right(ax, pd.DataFrame({"x": part.ns_per_element, "y": part.y, "name": names, "colour": colours}))
    arrange(figure).subplots_adjust(wspace=1.35, right=0.76)  # room for the names beside each panel
    return figure


def tradeoff_finding(data: pd.DataFrame) -> str:
    """Which activation is the cheapest among those that keep the gradient, and what the dearest one buys."""
    panel = data.panel.iloc[0]
    per = panel.removeprefix("decades per ")
    rows = data[(data.panel == panel) & data.decades.notna()]
    kept = rows[keeps(rows)].sort_values("ns_per_element", kind="stable")
    if kept.empty:
        return "No activation of this run keeps its gradient within a factor of ten."
    first, last = kept.iloc[0], rows.loc[rows.decades.idxmin()]
    return (
        f"{several(len(kept), 'activation')} of {len(rows)} keep the gradient within a factor of ten over all "
        f"{per}s measured; the cheapest is {first.activation} at {number(first.ns_per_element)} ns per element. "
        f"{last.activation} loses most ({number(last.decades)} {panel}) and costs {number(last.ns_per_element)} ns."
    )
