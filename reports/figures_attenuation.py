"""Figures of what is left of a gradient across layers and across time steps, with the predictions."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from reports.load import Tables
from reports.style import INK, Look, arrange, heat_map, looks, panels
from reports.summary import label, survival
from reports.words import listed, number, power, several, signed
from suites.summary import CONFIGURATION, FACTORS, attenuation, centre, silence

POINTS = 200  # positions drawn of one curve, its ends included
WIDE = 6  # columns of a heat map beyond which two of them stand below each other
FEW = 5  # rows of a heat map that its colour bar needs the height of
DASHED = (0, (4, 3))


def _curve_data(run: Tables, experiment: str) -> pd.DataFrame:
    table = survival(run[experiment])
    positions = np.sort(table.position.unique())
    kept = positions[np.unique(np.linspace(0, len(positions) - 1, POINTS).astype(int))] if len(positions) else []
    unused = [name for name in CONFIGURATION if table[name].isna().all() or (table[name].astype(str) == "").all()]
    table = table[table.position.isin(kept)]
    silent = table[(table.position == 0) & table.predicted.isna()]
    table["silence"] = pd.Series(
        {at: silence(experiment, row) for at, row in silent.to_dict("index").items()}, dtype=str
    )
    table = table.drop(columns=unused)
    varying = {"line": label(table, ["initializer"])} if len(table) else {"line": pd.Series(dtype=object)}
    return table.assign(**varying).reset_index(drop=True)


def depth_data(run: Tables) -> pd.DataFrame:
    """Per configuration and layer: measured (mean over seeds of log10), low, high, predicted; line names the curve.

    silence, at position 0: why there is no prediction.
    """
    return _curve_data(run, "depth")


def time_data(run: Tables) -> pd.DataFrame:
    """The same per time step."""
    return _curve_data(run, "time")


def _draw(data: pd.DataFrame, axis: str) -> Canvas:
    figure, axes = panels(data.activation.unique(), 5, axis, "log₁₀ of gradient left")
    look = looks(data.initializer if data.line.isin(data.initializer).all() else data.line)
    for name, ax in axes.items():
        for line, curve in data[data.activation == name].groupby("line", sort=False):
            _draw_curve(ax, curve.sort_values("position"), look[line])
    _frame(ax, data)
    handles = [Line2D([], [], color=c, marker=m, label=line) for line, (c, m) in look.items() if line in set(data.line)]
    handles.append(Line2D([], [], color=INK, linestyle=DASHED, linewidth=0.8, label="predicted"))
    if np.isinf(data.measured).any():
        handles.append(Line2D([], [], color=INK, marker="v", linestyle="", label="exactly 0 in the measured format"))
    return arrange(figure, handles)


def _frame(ax: Axes, data: pd.DataFrame) -> None:
    """Limit what panels share to the lines and as much again on either side: an interval of two seeds is 13 times as
    wide as the seeds are apart, and would leave the lines of all others one.
    """
    lines = data[["measured", "predicted"]].to_numpy(np.float64)
    lines = lines[np.isfinite(lines)]
    if len(lines):
        low, high = lines.min(), lines.max()
        room, (bottom, top) = max(high - low, 1.0), ax.get_ylim()
        ax.set_ylim(max(bottom, low - room), min(top, high + room))


def draw_depth(data: pd.DataFrame) -> Canvas:
    """One panel per activation, one colour per initialiser."""
    return _draw(data, "layer")


def draw_time(data: pd.DataFrame) -> Canvas:
    """One panel per activation, one colour per initialiser."""
    return _draw(data, "time step")


def _draw_curve(ax: Axes, curve: pd.DataFrame, look: Look) -> None:
    """Measured line with its interval, prediction dashed; a triangle on the frame where it reaches 0 or overflows.

    For one sample a grey band has 95 % of what theory expects of single networks.
    """
    finite = curve[np.isfinite(curve.measured)]
    every = max(1, len(curve) // 5)
    ax.plot(
        finite.position, finite.measured, color=look.colour, marker=look.marker, markevery=every, markersize=4.5,
        linewidth=2.6, alpha=0.6, markeredgewidth=0,
    )  # fmt: skip
    ax.fill_between(finite.position, finite.low, finite.high, color=look.colour, alpha=0.25, linewidth=0)
    band = curve[curve.predicted_sd.notna()]
    middle = centre(band.predicted, band.predicted_sd)
    ends = [middle + side * 1.96 * band.predicted_sd for side in (-1, 1)]
    ax.fill_between(band.position, *ends, color=INK, alpha=0.1, linewidth=0)
    ax.plot(curve.position, curve.predicted, color=INK, linestyle=DASHED, linewidth=0.8)
    for marker, height, lost in (("v", 0.03, curve.measured == -np.inf), ("^", 0.97, curve.measured == np.inf)):
        if lost.any():
            at = curve.position[lost].max()
            ax.plot(at, height, marker=marker, color=look.colour, markersize=6, transform=ax.get_xaxis_transform())


def _finding(data: pd.DataFrame, thing: str) -> str:
    ends = data[data.position == 0].reset_index(drop=True)
    ends["name"] = ends.activation.astype(str) + " with " + ends.line
    known = ends[ends.measured.notna()]
    if known.empty:
        return "No combination of this run has a gradient to show at position 0."
    low, near = known.loc[known.measured.idxmin()], known.loc[known.measured.abs().idxmin()]
    kept, more = int((known.measured.abs() <= 1).sum()), int((known.measured > 1).sum())
    theory = f", where theory predicts {power(low.predicted)}" if np.isfinite(low.predicted) else ""
    text = (
        f"Over {several(int(data.position.max()), thing)} {low['name']} keeps {power(low.measured)} of its "
        f"gradient{theory}; {near['name']} keeps {power(near.measured)}. Of {len(known)} combinations {kept} stay "
        f"within a factor of ten, {more} grow beyond it, {len(known) - kept - more} lose more."
    )
    gap = (known.measured - known.predicted).abs()
    gap = gap[np.isfinite(gap)]
    if len(gap):
        text += f" Measured and predicted totals differ by {number(gap.median(), 2)} decades in the median."
    for reason, names in ends[ends.silence.fillna("") != ""].groupby("silence", sort=False)["name"]:
        text += f" Theory is silent about {listed(list(names), 3)}: {reason}."
    for arrival, which in (("Exactly 0", ends.measured == -np.inf), ("No number", ends.measured.isna())):
        if which.any():
            text += f" {arrival} arrives from {listed(list(ends['name'][which]), 5)}."
    return text


def depth_finding(data: pd.DataFrame) -> str:
    """Who keeps least and most, how many stay within a factor of ten, and how well theory foretold it."""
    return _finding(data, "layer")


def time_finding(data: pd.DataFrame) -> str:
    """The same over time."""
    return _finding(data, "time step")


def heat_data(run: Tables) -> pd.DataFrame:
    """Columns panel, activation, column (the initialiser), decades and predicted, per layer or step."""
    parts = []
    for name, (_, factor) in FACTORS.items():
        table = attenuation(run[name], name)
        if len(table):
            columns = {f"decades_per_{factor}": "decades", f"predicted_decades_per_{factor}": "predicted"}
            table = table.rename(columns=columns).assign(
                panel=f"decades per {factor}", column=label(table, ["initializer"])
            )
            parts.append(table[["panel", "activation", "column", "decades", "predicted"]])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["panel", "activation", "column"])


def draw_heat(data: pd.DataFrame) -> Canvas:
    """A heat map per panel: activations down, initialisers across, red lost and blue inflated."""
    names = list(data.panel.unique())
    rows = data.activation.nunique()
    side = len(names) if data.column.nunique() <= WIDE else 1
    figure, axes = panels(names, side, "", "", share="")
    figure.set_figheight((0.24 * max(rows, FEW) + 1.9) * len(names) / side)
    for name, ax in axes.items():
        part = data[data.panel == name]
        table = part.pivot_table(
            index="activation", columns="column", values="decades", sort=False, observed=True, dropna=False
        )[part.column.unique()]
        texts = table.map(lambda value: "lost" if value == -np.inf else signed(value, 3))
        shown = table.replace({-np.inf: -10.0, np.inf: 10.0})
        heat_map(
            ax, shown, "decades\n(log beyond ±0.005)", ticks=(-1, -0.1, -0.01, 0, 0.01, 0.1, 1), cmap="RdBu",
            norm=SymLogNorm(0.005, vmin=-1, vmax=1), vmin=-1, vmax=1, annot=texts, fmt="", annot_kws={"size": 7.5},
        )  # fmt: skip
    return arrange(figure)


def heat_finding(data: pd.DataFrame) -> str:
    """How many combinations hold the gradient to a hundredth of a decade, and which initialiser does so most often."""
    cases = []
    for panel, part in data.groupby("panel", sort=False):
        good = part[part.decades.abs() <= 0.01]
        most = good.column.value_counts()
        tail = f", most often with {most.index[0]} ({most.iloc[0]})" if len(most) else ""
        unit = panel.replace("decades", "decade")
        cases.append(f"{len(good)} of {len(part)} combinations hold the gradient to a hundredth of a {unit}{tail}")
    return "; ".join(cases) + "."
