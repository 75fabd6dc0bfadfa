"""The phase diagram: decades per layer over the variances of weights and biases, and the critical line of theory."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from reports.load import Tables
from reports.style import INK, arrange, blank, panels
from reports.words import number, several
from suites.phase import KEPT, diagram

COLUMNS = [
    "name", "weight_variance", "bias_variance", "decades_per_layer", "predicted_decades_per_layer", "phase",
    "critical_weight_variance",
]  # fmt: skip
NOTHING = "no number: the pass overflows"
NORM = SymLogNorm(0.01, vmin=-1, vmax=1)


def phase_data(run: Tables) -> pd.DataFrame:
    """A row per point of the planes, those of suites.phase.diagram."""
    rows = run["phase"]
    return diagram(rows)[COLUMNS] if len(rows) else pd.DataFrame(columns=COLUMNS)


def draw_phase(data: pd.DataFrame) -> Canvas:
    """One panel per activation: measured decades per layer in colour, the critical line of theory on top."""
    figure, axes = panels(data.name.unique(), 3, "weight variance times fan-in", "bias variance", share="")
    meshes = [_draw_plane(ax, data[data.name == name]) for name, ax in axes.items()]
    arrange(figure, [Line2D([], [], color=INK, marker="o", label="chi = 1 by theory")])
    figure.subplots_adjust(right=0.9)
    bar = figure.colorbar(
        meshes[0], cax=figure.add_axes((0.915, 0.2, 0.012, 0.6)), label="decades per layer (log beyond ±0.01)",
        ticks=(-1, -0.1, -0.01, 0, 0.01, 0.1, 1), format=lambda value, _: number(value),
    )  # fmt: skip
    bar.minorticks_off()
    if bar.solids is not None:
        bar.solids.set(rasterized=False, edgecolor="face")  # the page holds no pictures
    return figure


def _draw_plane(ax: Axes, plane: pd.DataFrame) -> QuadMesh:
    table = plane.pivot_table(
        index="bias_variance", columns="weight_variance", values="decades_per_layer", dropna=False
    )
    weights, biases = _edges(table.columns.to_numpy()), _edges(table.index.to_numpy())
    shown = table.clip(-1, 1).to_numpy()
    mesh = ax.pcolormesh(weights, biases, shown, cmap="RdBu", norm=NORM, edgecolors="face", linewidth=0.2)
    line = plane.drop_duplicates("bias_variance").sort_values("bias_variance")
    inside = line[line.critical_weight_variance.between(weights[0], weights[-1])]
    if len(inside):  # a line of no points that nothing clips would be thought to begin at the figure's corner
        ax.plot(
            inside.critical_weight_variance, inside.bias_variance, color=INK, marker="o", markersize=4, clip_on=False
        )
    if np.isnan(shown).all():
        blank(ax, NOTHING)
    ax.grid(visible=False)
    ax.set(xlim=(weights[0], weights[-1]), ylim=(biases[0], biases[-1]))
    return mesh


def _edges(centres: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Of cells around evenly spaced centres; a single one is drawn as wide as 1."""
    step = centres[1] - centres[0] if len(centres) > 1 else 1.0
    return np.append(centres, centres[-1] + step) - step / 2


def phase_finding(data: pd.DataFrame) -> str:
    """How many points vanish, explode or are kept, and whether theory foretells which."""
    known = data[data.decades_per_layer.notna()]
    if known.empty:
        return "No point of this run has a gradient to show."
    measured = known.decades_per_layer
    kept, lost = int((measured.abs() <= KEPT).sum()), int((measured < -KEPT).sum())
    text = (
        f"Of {several(len(known), 'point')} {lost} lose more than {KEPT} decades per layer, {len(known) - kept - lost} "
        f"gain more, {kept} keep their gradient."
    )
    if lacking := len(data) - len(known):
        text += f" {several(lacking, 'more point')} {'has' if lacking == 1 else 'have'} no number: the pass overflows."
    gap = (measured - known.predicted_decades_per_layer).abs()
    gap = gap[np.isfinite(gap)]
    if len(gap):
        worst = known.loc[gap.idxmax()]
        text += (
            f" Measured and predicted differ by {number(gap.median(), 2)} decades per layer in the median, most for "
            f"{worst['name']} at weight variance {number(worst.weight_variance)} and bias variance "
            f"{number(worst.bias_variance)}, by {number(gap.max(), 2)}."
        )
    return text
