"""The figure of what remedies are worth: decades bought against what a training step takes."""

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from reports.load import Tables
from reports.remedy_table import remedy_table
from reports.style import INK, MUTED, arrange, label_right, looks, panels
from reports.words import listed, number, percent, signed


def remedies_data(run: Tables) -> pd.DataFrame:
    """remedy_table of the run, without the baselines themselves."""
    table = remedy_table(run["remedies"], run["remedy_times"])
    return table[table.remedy != ""].reset_index(drop=True)


def draw_remedies(data: pd.DataFrame) -> Canvas:
    """A panel per baseline: nanoseconds added across, decades bought up, both with intervals; by names their ratio."""
    data = data[data.decades_bought.notna()]
    figure, axes = panels(data.baseline.unique(), 2, "ns added to a training step, per element", "", share="")
    figure.set_figheight(3.6 * -(-len(axes) // 2))
    look = looks(data.remedy)
    for name, ax in axes.items():
        part = data[(data.baseline == name) & np.isfinite(data.decades_bought)]
        for row in part.itertuples():
            (colour, marker), x = look[row.remedy], row.added_nanoseconds
            ends = [(ratio - 1) * row.baseline_nanoseconds for ratio in (row.time_ratio_low, row.time_ratio_high)]
            ax.plot([x] * 2, [row.decades_bought_low, row.decades_bought_high], color=colour, alpha=0.5)
            ax.plot(ends, [row.decades_bought] * 2, color=colour, alpha=0.5)
            ax.plot(x, row.decades_bought, marker=marker, color=colour, markersize=7, clip_on=False)
        ax.axhline(0, color=MUTED, linestyle="--", linewidth=1)
        ax.axvline(0, color=INK, linewidth=0.5)
        ax.set_ylabel("decades bought")
        ax.margins(x=0.08, y=0.08)
        colours = [look[remedy].colour for remedy in part.remedy]
        names = part.remedy + part.decades_per_nanosecond.map(_worth)
        points = {"x": part.added_nanoseconds, "y": part.decades_bought, "name": names, "colour": colours}
        label_right(ax, pd.DataFrame(points))
    arrange(figure).subplots_adjust(wspace=1.1, right=0.8)
    return figure


def _worth(per: float) -> str:
    """Decades per added nanosecond, behind a remedy's name; nothing where there is no number."""
    if math.isnan(per):
        return ""
    return ", free" if math.isinf(per) else f", {number(per, 2)} per ns"


def remedies_finding(data: pd.DataFrame) -> str:
    """Of each baseline: which remedy buys most, and which cost nothing; and what clipping cut."""
    cases = []
    for baseline, part in data[data.decades_bought.notna()].groupby("baseline", sort=False):
        part = part[np.isfinite(part.decades_bought)]
        real = part[part.decades_bought_low > 0]
        if real.empty:
            cases.append(f"no remedy buys {baseline} anything beyond the noise of its seeds")
            continue
        most = real.loc[real.decades_bought.idxmax()]
        bought, times = signed(most.decades_bought, 1), number(most.time_ratio)
        text = f"{most.remedy} buys {baseline} most, {bought} decades at {times} times the step"
        free = list(real.remedy[real.free.astype(bool)])
        cost = "costs" if len(free) == 1 else "cost"
        cases.append(text + (f"; {listed(free, 4)} {cost} nothing" if free else ""))
    for row in data[data.clipped_share > 0].itertuples():
        norms = number(row.norm_before, 2), number(row.norm_after, 2)
        cases.append(
            f"clipping acts in {percent(row.clipped_share)} of the steps of {row.baseline}: the gradient's norm is "
            f"{norms[0]} before and {norms[1]} after"
        )
    return ". ".join(case[0].upper() + case[1:] for case in cases) + "."
