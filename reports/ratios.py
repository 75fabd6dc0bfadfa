"""gradfade beside its peers: the ratios that a run measured, their geometric means, and where gradfade is behind.

A ratio is the peer's time over gradfade's: above 1 gradfade is faster.
"""

from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
import pandas as pd

from reports.words import listed, readable, several
from suites.levels import array_bytes
from suites.peers import CONTENDERS, OWN, reason
from suites.session import COMPARED

COLUMNS = ["what", "n", "dtype", "lane", "contender", "activation", "ratio", "gradfade_ns", "reason", "threads"]
GROUP = ["what", "n", "dtype", "threads", "lane", "contender"]
TITLES = {
    "network": "Networks, forward and backward",
    "product": "Products of square matrices",
    "layer_forward": "Layers and losses, forward alone",
    "layer_forward_backward": "Layers and losses, forward and backward",
    "optimizer_step": "A step of optimisers, and clipping",
    "training_step": "A training step of ten layers with Adam",
    "sweep_forward_backward": "A sweep across depth, against hooks that take norms of gradients",
}
# The bandwidth probe with the streams of a direction, and how many arrays that moves.
STREAMS = {"forward": ("copy", 2), "backward": ("triad", 3), "forward_backward": ("copy", 4)}
ELEMENT = "peer"  # the experiment of element-wise comparisons; the others' names say what they compare


@dataclass(frozen=True)
class Grid:
    """One table of the page: columns (contender, lane), rows of (name, a ratio per column), their means.

    own are gradfade's ns per element by row, the median where it was compared with several; floor is what moving the
    arrays alone takes of that at the bandwidth probed, None where it was not, or where not only that is done.
    """

    title: str
    columns: list[tuple[str, str]]
    rows: list[tuple[str, list[float]]]
    means: list[float]
    own: list[float]
    floor: float | None


def cells(peers: pd.DataFrame) -> pd.DataFrame:
    """A row per comparison, from the rows of a run's peers: COLUMNS.

    what is a direction, or a key of TITLES; n counts the elements of a direction; activation is what stands beside
    others in one table: of a product the side of its matrices, of a layer its name and size. gradfade_ns is per
    element; reason says why a ratio below 1 is.
    """
    if peers.empty:
        return pd.DataFrame(columns=COLUMNS)
    rows = peers[peers.metric == "ratio"]
    rows = rows.assign(**{name: default for name, default in COMPARED.items() if name not in rows})
    theirs = peers[(peers.metric == "ns_per_element") & (peers.contender != OWN)].value
    element = rows.experiment == ELEMENT
    kinds = rows.experiment.str.removeprefix(f"{ELEMENT}_")
    kinds = kinds.where(rows.subject == "", kinds.str.removesuffix("_step") + "_" + rows.direction)
    names = rows.activation.astype(object).where(rows.activation.notna() & (rows.activation != ""))
    names = names.where(rows.subject == "", rows.subject + " " + rows["size"])
    table = rows.assign(
        what=rows.direction.where(element, kinds),
        n=rows.n.astype(object).where(element, ""),
        activation=names.fillna(rows.n.map(lambda n: str(isqrt(n)))),
        ratio=rows.value,
        gradfade_ns=theirs.to_numpy() / rows.value.to_numpy(),
    )
    table["reason"] = [
        reason(row.contender, row.subject or row.activation, row.what) if row.ratio < 1 else ""
        for row in table.itertuples()
    ]
    return table[COLUMNS].reset_index(drop=True)


def means(table: pd.DataFrame) -> pd.DataFrame:
    """The geometric mean of each contender's ratios in one direction, size, dtype and lane, and the lowest of them."""
    rows = [
        {
            **dict(zip(GROUP, key, strict=True)),
            "geometric_mean": geometric_mean(group.ratio),
            "cells": len(group),
            "below_1": int((group.ratio < 1).sum()),
            "lowest": group.ratio.min(),
            "of": group.loc[group.ratio.idxmin()].activation,
        }
        for key, group in table.groupby(GROUP, sort=False)
    ]
    return pd.DataFrame(rows, columns=[*GROUP, "geometric_mean", "cells", "below_1", "lowest", "of"])


def geometric_mean(ratios: pd.Series) -> float:
    """The mean on a logarithmic scale: a half and a double cancel."""
    return float(np.exp(np.log(ratios).mean()))


def behind(table: pd.DataFrame) -> pd.DataFrame:
    """The comparisons that gradfade loses, the worst first."""
    return table[table.ratio < 1].sort_values("ratio", kind="stable")


def floor(what: str, n: int, dtype: str, session: dict[str, Any], caches: dict[str, int]) -> float | None:
    """ns per element that moving the arrays of a direction takes in the cache level where they live."""
    limits = session.get("limits")
    if what not in STREAMS or not limits or not caches:
        return None
    probe, arrays = STREAMS[what]
    itemsize = np.dtype(dtype).itemsize
    level = next((name for name, size in array_bytes(caches).items() if n * itemsize <= size), "DRAM")
    return arrays * itemsize / float(limits[probe][level])


def grids(table: pd.DataFrame, session: dict[str, Any], caches: dict[str, int]) -> list[Grid]:
    """A table per direction, size and dtype of element-wise comparisons, and dtype of the others; per threads."""
    return [_grid(group, session, caches) for _, group in table.groupby(["what", "n", "dtype", "threads"], sort=False)]


def _grid(group: pd.DataFrame, session: dict[str, Any], caches: dict[str, int]) -> Grid:
    what, n, dtype, threads = group.iloc[0][["what", "n", "dtype", "threads"]]
    wide = group.pivot_table(index="activation", columns=["contender", "lane"], values="ratio", sort=False)
    return Grid(
        title=f"{TITLES.get(what) or f'{readable(what).capitalize()}, {n:,} elements'}, {dtype}"
        + (f", {threads} threads" if threads > 1 else ""),
        columns=list(wide.columns),
        rows=[(name, list(row)) for name, row in zip(wide.index, wide.to_numpy(), strict=True)],
        means=[geometric_mean(wide[column].dropna()) for column in wide],
        own=list(group.groupby("activation", sort=False).gradfade_ns.median()[wide.index]),
        floor=floor(what, n, dtype, session, caches),
    )


def finding(table: pd.DataFrame) -> str:
    """How many comparisons gradfade wins, and which contenders are not among them."""
    won = int((table.ratio >= 1).sum())
    text = f"gradfade is as fast as its peer or faster in {won} of {several(len(table), 'comparison')}."
    absent = [name for name in CONTENDERS if name != OWN and name not in set(table.contender)]
    return text + (f" Not measured here: {listed(absent)}." if absent else "")


def section(table: pd.DataFrame, session: dict[str, Any], caches: dict[str, int]) -> dict[str, Any]:
    """What the page's section is made of; empty where nothing was compared.

    session and caches tell the bandwidths probed in the run and the sizes of the caches.
    """
    if table.empty:
        return {}
    return {
        "finding": finding(table),
        "means": means(table).to_dict("records"),
        "grids": grids(table, session, caches),
        "behind": behind(table).to_dict("records"),
    }


def summary(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Title -> what a terminal shows: ratios by activation with gradfade's ns, their means, why some are below 1."""
    tables = {
        grid.title: pd.DataFrame(
            [
                *([name, ns, *row] for (name, row), ns in zip(grid.rows, grid.own, strict=True)),
                ["geometric mean", float("nan"), *grid.means],
            ],
            columns=[
                "",
                "gradfade, ns",
                *(f"{contender} {lane}".removesuffix(" preallocated").strip() for contender, lane in grid.columns),
            ],
        )
        for grid in grids(table, {}, {})
    }
    tables |= {"Geometric means": means(table), "Behind": behind(table)}
    return {title: rows for title, rows in tables.items() if len(rows)}
