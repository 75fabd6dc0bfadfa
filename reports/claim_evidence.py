"""What a run holds for the claims: the rows of a configuration, wherever in the run they are."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from reports.claim import Figure, MissingError
from reports.load import Tables
from suites.intervals import half_width
from suites.summary import CONFIGURATION, FACTORS

CLAIMS = "claims"  # the table that is looked into first: it is measured for this
NETWORK = ["architecture", "activation", "initializer"]
# Experiment -> the column by which configurations of one network differ; of the others all rows of a network are one.
SIZES = {"depth": "depth", "time": "length", "parameter_norms": "depth"}
UNITS = {"depth": "layers", "time": "steps", "parameter_norms": "layers"}
KEPT = ["seed", "position", "parameter", "optimizer", "clip_norm", "value"]  # columns that measures ask of

Index = dict[tuple[object, ...], pd.DataFrame]  # by NETWORK, size and metric


@dataclass(frozen=True)
class Configuration:
    """A network in an experiment, of so many layers or steps; what else may differ is taken as it was measured."""

    experiment: str
    architecture: str = ""
    activation: str = ""
    initializer: str = ""
    size: int | None = None

    def __str__(self) -> str:
        names = [self.architecture, self.activation, self.initializer]
        text = " ".join(name for name in names if name)
        return f"{text}, {self.size} {UNITS[self.experiment]}" if self.size else text


class Evidence:
    """The tables of a run as claims ask for them; rows are those of untrained networks, but of training()."""

    def __init__(self, run: Tables) -> None:
        self.run = run
        self.found: dict[str, Index] = {}

    def rows(self, of: Configuration, metric: str) -> pd.DataFrame:
        """KEPT of one configuration, the widest measured, and one metric; MissingError where there are no rows."""
        if of.experiment not in self.found:
            self.found[of.experiment] = self._indexed(of.experiment)
        key = (of.architecture, of.activation, of.initializer, of.size or 0, metric)
        if key not in self.found[of.experiment]:
            raise MissingError(f"{metric} of {of} (experiment {CLAIMS})")
        return self.found[of.experiment][key]

    def curve(self, activation: str, metric: str) -> pd.Series:
        """f or df of an activation by x."""
        rows = self.rows(Configuration("curves", activation=activation), metric)
        return rows.drop_duplicates("position").set_index("position").value.sort_index()

    @cached_property
    def training(self) -> pd.DataFrame:
        """The rows of training."""
        return self.run["training"]

    def _indexed(self, experiment: str) -> Index:
        index: Index = {}
        claims = self.run[CLAIMS]
        for table in (claims[claims.experiment == experiment], self.run[experiment]):
            if experiment in FACTORS:
                table = table[table.dataset == ""]  # others are of trained weights
            size = table[SIZES[experiment]].astype("float64").fillna(0) if experiment in SIZES else 0
            names = {name: table[name].astype(object).where(table[name].notna(), "") for name in NETWORK}
            found = _widest(table.assign(**names, size=size))
            for key, rows in found[[*NETWORK, "size", "metric", *KEPT]].groupby([*NETWORK, "size", "metric"]):
                index.setdefault(key, rows)
        return index


def _widest(rows: pd.DataFrame) -> pd.DataFrame:
    """Of several configurations of one network and size the rows of the widest; of equally wide ones the first."""
    apart = [name for name in CONFIGURATION if name not in ("optimizer", "clip_norm")]
    which = rows.groupby(apart, dropna=False, sort=False).ngroup()
    widths = rows.width.astype("float64").fillna(0)
    first = rows.assign(which=which, width=widths).sort_values("width", ascending=False, kind="stable")
    return rows[which.isin(first.drop_duplicates([*NETWORK, "size"]).which)]


def at(rows: pd.DataFrame, position: float) -> pd.Series:
    """The value at a position by seed."""
    return rows[rows.position == position].set_index("seed").value


def figure(values: pd.Series, theory: float = np.nan) -> Figure:
    """The figure of a number per seed, its interval as reports.summary.over_seeds has it."""
    if values.empty:
        raise MissingError("a position that the rows lack")
    known, seeds = values.to_numpy("float64"), len(values)
    with np.errstate(invalid="ignore"):
        mean, sd = known.mean(), known.std(ddof=1) if seeds > 1 else math.nan
        half = half_width(sd / math.sqrt(seeds), seeds)
    return Figure(float(mean), float(mean - half), float(mean + half), theory)
