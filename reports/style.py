"""How every figure looks: one theme, and one colour and marker per name throughout a report."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator

from reports.words import number

matplotlib.use("agg")  # figures are only ever saved: never open a window

INK, MUTED, GRID = "#1f2328", "#6e7781", "#d0d7de"  # the page replaces these three in its dark theme
# Okabe & Ito's colours (jfly.uni-koeln.de/color), apart for the colour-blind; without yellow and black, which white
# and dark paper would swallow.
PALETTE = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]  # 7 and 6 have no common factor: 42 different pairs
WIDTH = 11.0  # inches of every figure
LETTER = 0.08  # inches of a wide letter of the legend
EQUAL_CONTRAST = 0.179  # the luminance on which black and white text have the same contrast, 4.6 (WCAG 2.2)
NARROW = 0.074  # inches of a letter of an axis's name, with the room that numbers beside it and its neighbours take
LINE = 0.16  # inches of a line of it
ROW = 0.21  # inches per activation where they are listed one below the other

RC: dict[Any, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "gradfade", "savefig.transparent": True,
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"], "font.size": 9,
    "axes.titlesize": 10, "axes.labelsize": 9, "axes.titlelocation": "left", "axes.titleweight": "bold",
    "text.color": INK, "axes.labelcolor": INK, "axes.titlecolor": INK, "xtick.color": MUTED, "ytick.color": MUTED,
    "xtick.labelcolor": INK, "ytick.labelcolor": INK, "axes.edgecolor": MUTED, "grid.color": GRID,
    "xtick.labelsize": 8, "ytick.labelsize": 8, "legend.fontsize": 9, "legend.frameon": False,
    "lines.linewidth": 1.4, "lines.markersize": 5, "grid.linewidth": 0.6, "axes.facecolor": "none",
}  # fmt: skip


class Look(NamedTuple):
    """The colour and the marker of one name."""

    colour: str
    marker: str


class Panels(NamedTuple):
    """A figure and its panels by name."""

    figure: Canvas
    axes: dict[str, Axes]


@contextmanager
def theme() -> Iterator[None]:
    """Draw under this theme; figures made inside are closed at the end."""
    with sns.axes_style("whitegrid"), plt.rc_context(RC):
        try:
            yield
        finally:
            plt.close("all")


def looks(names: Sequence[str] | pd.Series) -> dict[str, Look]:
    """A look per name, by its place: a categorical column gives its names the same looks in every figure."""
    if isinstance(names, pd.Series):
        categorical = isinstance(names.dtype, pd.CategoricalDtype)
        names = list(names.cat.categories if categorical else names.unique())
    return {
        name: Look(PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)])
        for i, name in enumerate(names)
    }  # fmt: skip


def panels(names: Iterable[str], columns: int, xlabel: str, ylabel: str, share: str = "xy") -> Panels:
    """A figure with one small panel per name, titled by it; share says which of x and y they have in common.

    xlabel folds between words where it would reach into the panel beside.
    """
    names = list(names)
    columns = min(columns, len(names))
    rows = -(-len(names) // columns)
    xlabel = textwrap.fill(xlabel, int(WIDTH / columns / NARROW))
    height = rows * min(3.4, WIDTH / columns / 1.25) + LINE * xlabel.count("\n")
    figure = plt.figure(figsize=(WIDTH, height))
    axes: dict[str, Axes] = {}
    for i, name in enumerate(names):
        shared = {f"share{axis}": next(iter(axes.values()), None) for axis in share}
        ax = figure.add_subplot(rows, columns, i + 1, title=name, **shared)
        left, bottom = i % columns == 0, i + columns >= len(names)
        ax.tick_params(labelbottom=bottom or "x" not in share, labelleft=left or "y" not in share)
        ax.set(xlabel=xlabel if bottom else "", ylabel=ylabel if left else "")
        sns.despine(ax=ax)
        axes[name] = ax
    return Panels(figure, axes)


def arrange(figure: Canvas, legend: Sequence[Line2D] = ()) -> Canvas:
    """Space the panels so that no text overlaps, with the legend in rows of its own above them."""
    longest = max((len(str(handle.get_label())) for handle in legend), default=0)
    columns = max(1, int(WIDTH / (0.6 + LETTER * longest)))
    above = 0.27 * -(-len(legend) // columns)
    height = figure.get_figheight() + above
    figure.set_figheight(height)
    figure.tight_layout(rect=(0, 0, 1, 1 - above / height))
    if legend:
        figure.legend(handles=legend, loc="upper left", ncols=columns, bbox_to_anchor=(0.02, 1.0))
    return figure


def blank(ax: Axes, text: str) -> None:
    """Say in a panel why it shows nothing."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=MUTED)


def marks(look: dict[str, Look]) -> list[Line2D]:
    """Legend handles for points without lines."""
    return [Line2D([], [], color=c, marker=m, linestyle="", label=name) for name, (c, m) in look.items()]


def plain_numbers(ax: Axes) -> None:
    """Write a logarithmic x axis, on which everything is drawn, as 0.1, 0.2, 0.5, 1; a short one evenly."""
    low, high = ax.get_xlim()
    ax.xaxis.set_major_locator(MaxNLocator(4) if high < 5 * low else LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.xaxis.set_minor_formatter(lambda value, _: "")


def heat_map(ax: Axes, table: pd.DataFrame, unit: str, *, ticks: Sequence[float], **options: Any) -> None:
    """A heat map of table with its numbers, its names slanted below it and a colour bar in unit beside it.

    Numbers are black on light cells and white on dark ones. options go to seaborn.heatmap.
    """
    bar = {"label": unit, "ticks": ticks, "format": lambda value, _: number(value), "aspect": 40, "pad": 0.02}
    sns.heatmap(table, ax=ax, linewidths=0.5, cbar_kws=bar, **options)
    cells = ax.collections[0]
    if cells.colorbar is not None and cells.colorbar.solids is not None:
        cells.colorbar.minorticks_off()
        cells.colorbar.solids.set(rasterized=False, edgecolor="face")  # the page holds no pictures
    numbered = table.notna().to_numpy().ravel()
    for text, cell in zip(ax.texts, np.asarray(cells.get_facecolor())[numbered], strict=True):
        text.set_color("#000000" if _luminance(cell[:3]) > EQUAL_CONTRAST else "#ffffff")
    ax.set(xlabel="", ylabel="")
    ax.tick_params(axis="x", rotation=35)
    ax.tick_params(axis="y", rotation=0)  # seaborn turns long names where rows are few, into one another
    for tick in ax.get_xticklabels():
        tick.set_horizontalalignment("right")


def _luminance(rgb: Sequence[float]) -> float:
    """Relative luminance of a colour in sRGB, 0 to 1 (WCAG 2.2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def label_right(ax: Axes, points: pd.DataFrame) -> None:
    """Name every point (columns x, y, name, colour) in a column right of the axes, joined to it by a thin line.

    Labels stand in the order of y at even distances, so they never overlap however close the points are.
    """
    ordered = points.sort_values(["y", "x"], kind="stable").reset_index(drop=True)
    for i, point in ordered.iterrows():
        height = (i + 0.5) / len(ordered)
        ax.annotate(
            point["name"], (point.x, point.y), xytext=(1.06, height), textcoords="axes fraction",
            va="center", ha="left", annotation_clip=False,
            arrowprops={
                "arrowstyle": "-", "color": point.colour, "lw": 0.7, "alpha": 0.6,
                "relpos": (0, 0.5), "shrinkA": 1, "shrinkB": 3,
            },
        )  # fmt: skip
