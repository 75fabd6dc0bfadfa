"""Figures of time: cost per element, share of the machine's limit, and whole layers."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from reports.layers import timed
from reports.load import Tables
from reports.style import ROW, Look, arrange, heat_map, looks, marks, panels, plain_numbers
from reports.summary import element_cost
from reports.words import listed, number, readable, several

ACROSS = 4  # panels of operations beside each other


def cost_data(run: Tables) -> pd.DataFrame:
    """Columns activation, direction, level, dtype, n, ns_per_element, q1, q3 (same unit), and the machine's share."""
    rows = run["cost"]
    rows = rows[(rows.op == "activation") & rows.ns_per_element.notna()]
    scaled = {name: rows.ns_per_element * rows[name] / rows["median"] for name in ("q1", "q3")}
    names = ["activation", "direction", "level", "dtype", "n", "ns_per_element", "bytes_per_element"]
    return rows[[*names, "gb_per_s", "fraction_of_limit"]].assign(**scaled).reset_index(drop=True)


def draw_cost(data: pd.DataFrame) -> Canvas:
    """Activations below each other, cheapest on top; a panel per direction and dtype, a colour per memory level."""
    order, look = _cheapest_first(data, "ns_per_element"), looks(data.level)
    data = data.assign(panel=data.direction.map(readable) + ", " + data.dtype)
    figure, axes = panels(data.panel.unique(), data.direction.nunique(), "nanoseconds per element (log scale)", "")
    figure.set_figheight((ROW * len(order) + 1) * data.dtype.nunique())
    for name, ax in axes.items():
        _dots(ax, data[data.panel == name], "ns_per_element", "level", order, look)
    return arrange(figure, marks(look))


def _cheapest_first(data: pd.DataFrame, time: str) -> dict[str, int]:
    """Activation -> row, by geometric mean of the column time over all panels."""
    means = np.log(data[time]).groupby(data.activation, observed=True).mean().sort_values(kind="stable")
    return {name: i for i, name in enumerate(means.index)}


def _dots(ax: Axes, data: pd.DataFrame, time: str, hue: str, order: dict[str, int], look: dict[str, Look]) -> None:
    """Medians of the column time with their quartiles, one row per activation, a look per value of hue."""
    for name, points in data.groupby(hue, sort=False):
        spread = [points[time] - points.q1, points.q3 - points[time]]
        rows = points.activation.map(order).astype(float)
        colour, marker = look[name]
        ax.errorbar(points[time], rows, xerr=spread, color=colour, marker=marker, linestyle="", alpha=0.85)
    ax.set(xscale="log", yticks=list(order.values()), yticklabels=list(order), ylim=(len(order) - 0.4, -0.6))
    plain_numbers(ax)


def cost_finding(data: pd.DataFrame) -> str:
    """Cheapest and dearest in each memory level, for both directions at once where that was measured."""
    direction = "forward_backward" if (data.direction == "forward_backward").any() else data.direction.iloc[0]
    dtype = "float32" if (data.dtype == "float32").any() else data.dtype.iloc[0]
    rows = data[(data.direction == direction) & (data.dtype == dtype)]
    cases = []
    for level, group in rows.groupby("level", sort=False):
        low, high = (group.loc[group.ns_per_element.agg(end)] for end in ("idxmin", "idxmax"))
        ratio = number(high.ns_per_element / low.ns_per_element, 2)
        cases.append(
            f"{level}: {low.activation} {number(low.ns_per_element)} ns, {high.activation} "
            f"{number(high.ns_per_element)} ns, {ratio} times as much"
        )
    return (
        f"Cheapest and dearest per element, {readable(direction)}, {dtype}. {'; '.join(cases)}. Where the "
        "points of a level stand above each other, memory sets the pace and the choice of activation costs nothing."
    )


def draw_limits(data: pd.DataFrame) -> Canvas:
    """A heat map per dtype: percent of the machine's measured limit, per activation, direction and memory level."""
    data = data.assign(column=data.direction.str.replace("_", " + ") + " " + data.level)
    order = _cheapest_first(data, "ns_per_element")
    figure, axes = panels(data.dtype.unique(), 2, "", "", share="")
    figure.set_figheight(ROW * len(order) + 2)
    for dtype, ax in axes.items():
        part = data[data.dtype == dtype]
        table = part.pivot_table(index="activation", columns="column", values="fraction_of_limit", observed=True)
        table = 100 * table.reindex(index=list(order), columns=part.column.unique())
        heat_map(
            ax, table, "% of the level's bandwidth", ticks=range(0, 101, 20), cmap="cividis", vmin=0, vmax=100,
            annot=True, fmt=".0f", annot_kws={"size": 7},
        )  # fmt: skip
    return arrange(figure)


def limits_data(run: Tables) -> pd.DataFrame:
    """The rows of cost_data whose limit was probed in the same session."""
    data = cost_data(run)
    return data[data.fraction_of_limit.notna()].reset_index(drop=True)


def limits_finding(data: pd.DataFrame) -> str:
    """Median share per level, and the cell that leaves most to gain."""
    medians = data.groupby("level", sort=False).fraction_of_limit.median()
    worst = data.loc[data.fraction_of_limit.idxmin()]
    cases = listed([f"{number(100 * share, 2)} % in {level}" for level, share in medians.items()])
    return (
        f"The median kernel reaches {cases} of the bandwidth that was probed. Furthest from it: "
        f"{worst.activation} {readable(worst.direction)} in {worst.level} "
        f"({number(100 * worst.fraction_of_limit, 2)} %)."
    )


def layers_data(run: Tables) -> pd.DataFrame:
    """Columns op, activation, case (what tells benchmarks of one op apart), milliseconds, q1, q3, alone: whole layers.

    Those that were timed with several activations, if any. alone is the activation's own cost, in ns per element.
    """
    rows = timed(run["cost"])
    rows = rows[rows.activation.notna()]
    several_names = rows.groupby(["op", "group"]).activation.transform("nunique") > 1
    rows = rows[several_names] if several_names.any() else rows
    depths = rows["depth"] if "depth" in rows else pd.Series(1.0, rows.index)
    case = [
        ", ".join([f"{depth:g} layers"] * (depth > 1) + [readable(part) for part in group.removeprefix(op).split()])
        for group, op, depth in zip(rows.group, rows.op, depths, strict=True)
    ]
    times = {"milliseconds": rows["median"], "q1": rows.q1, "q3": rows.q3}
    alone = element_cost(run["cost"]).set_index("activation").ns_per_element
    names = {"op": rows.op.map(readable), "case": case, "alone": rows.activation.map(alone).astype(float)}
    table = rows[["activation"]].assign(**names, **{name: 1e3 * time for name, time in times.items()})
    return table.reset_index(drop=True)


def draw_layers(data: pd.DataFrame) -> Canvas:
    """A panel per operation, activations below each other, a colour per direction and shape."""
    order, look = _cheapest_first(data, "milliseconds"), looks(data.case)
    figure, axes = panels(data.op.unique(), ACROSS, "milliseconds (log scale)", "", share="y")
    figure.set_figheight((ROW * len(order) + 1) * -(-data.op.nunique() // ACROSS))
    for op, ax in axes.items():
        _dots(ax, data[data.op == op], "milliseconds", "case", order, look)
    return arrange(figure, marks(look))


def layers_finding(data: pd.DataFrame) -> str:
    """How much the choice of activation moves each operation's time, beside how much it moves its own."""
    ratios = {}
    for (op, case), group in data.groupby(["op", "case"], sort=False):
        low, high = (group.loc[group.milliseconds.agg(end)] for end in ("idxmin", "idxmax"))
        ratio = high.milliseconds / low.milliseconds
        ratios[f"{op} ({case}) {number(ratio)} times ({low.activation} to {high.activation})"] = ratio
    cases = sorted(ratios, key=lambda case: -ratios[case])
    text = f"How many times longer whole layers take with the dearest activation than the cheapest: {listed(cases, 5)}."
    alone = data.alone.max() / data.alone.min()
    if np.isfinite(alone):
        less = sum(ratio < alone for ratio in ratios.values())
        text += (
            f" Alone, the dearest of these activations takes {number(alone)} times as long per element as the "
            f"cheapest; inside a layer the ratio is smaller in {less} of {several(len(ratios), 'case')}."
        )
    return text
