"""Two runs side by side: what takes longer, what changed in the gradient, and how their machines differ."""

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd

from reports.load import cost_table, load, read_object
from reports.tables import emit
from reports.words import entries
from suites.errors import UserError
from suites.summary import CONFIGURATION, FACTORS, attenuation

MOMENTS = {"time", "finished", "load"}  # every run has its own: no difference between environments
LONG = 80  # characters of an environment's entry
CHANGED = 1e-3  # decades per layer or step: 12 % over 50 layers, far above rounding
BOTH, ONLY_A, ONLY_B, SLOWER = "both", "only in A", "only in B", "slower"


class Status(Enum):
    """What a comparison found; the command line has an exit code for each."""

    FINE = "fine"
    SLOWER = "slower"
    NOTHING_IN_COMMON = "nothing in common"


@dataclass(frozen=True)
class Side:
    """What is compared of one run.

    environment is flat; benchmarks has the columns benchmark, group, median (seconds); decades has name (the
    configuration), decades and unit.
    """

    path: Path
    environment: dict[str, str]
    benchmarks: pd.DataFrame
    decades: pd.DataFrame


@dataclass(frozen=True)
class Comparison:
    """A against B; what one side lacks is listed with status "only in A" or "only in B".

    environment: name, a, b of what differs. groups: name, benchmarks, ratio (geometric mean over those in both).
    benchmarks: name, group, a, b (median seconds), ratio (b / a: above 1 is slower), status. attenuation: name, a, b
    (decades), change (b - a), unit, status; all configurations, changed or not.
    """

    environment: pd.DataFrame
    groups: pd.DataFrame
    benchmarks: pd.DataFrame
    attenuation: pd.DataFrame
    status: Status

    @property
    def changed(self) -> pd.DataFrame:
        """The rows of attenuation that differ by more than CHANGED, or that one side lacks."""
        kept = ~np.isclose(self.attenuation.a, self.attenuation.b, rtol=0, atol=CHANGED, equal_nan=True)
        return self.attenuation[kept | (self.attenuation.status != BOTH)]


def read_side(path: Path) -> Side:
    """A results folder, or a JSON file that pytest-benchmark saved.

    Raises:
        UserError: path is missing, damaged or neither.
    """
    if path.is_dir():
        run = load(path)
        decades = [_decades(run[name], name) for name in FACTORS]
        return Side(path, entries(run.environment), run["cost"], pd.concat(decades, ignore_index=True))
    content = read_object(path)
    environment = {name: content.get(name) or {} for name in ("machine_info", "commit_info")}
    nothing = pd.DataFrame({"name": [], "decades": [], "unit": []})
    return Side(path, entries(environment), cost_table(content, path), nothing)


def compare(a: Side, b: Side, fail_over: float | None = None) -> Comparison:
    """Put two sides beside each other.

    With fail_over (0.1 for 10 %) every single benchmark whose median grew by more than that has status "slower", and
    one of them makes the whole SLOWER; a group's geometric mean decides nothing. NOTHING_IN_COMMON: no benchmark, and
    where no threshold asks for one, no configuration either, is in both.
    """
    benchmarks = _beside(a.benchmarks.set_index("benchmark"), b.benchmarks.set_index("benchmark"), "group", "median")
    ratio = benchmarks.b / benchmarks.a
    benchmarks.insert(4, "ratio", ratio)
    if fail_over is not None:
        benchmarks.loc[ratio > 1 + fail_over, "status"] = SLOWER
    decades = _beside(a.decades.set_index("name"), b.decades.set_index("name"), "unit", "decades")
    with np.errstate(invalid="ignore"):
        change = (decades.b - decades.a).where(decades.a != decades.b, 0.0)
    decades = decades.assign(change=change.where(decades.status == BOTH))
    tables = [benchmarks] if fail_over is not None else [benchmarks, decades]
    if not any(table.status.isin([BOTH, SLOWER]).any() for table in tables):
        status = Status.NOTHING_IN_COMMON
    else:
        status = Status.SLOWER if (benchmarks.status == SLOWER).any() else Status.FINE
    return Comparison(_environment(a, b), _groups(benchmarks), benchmarks, decades, status)


def threshold(text: str) -> float:
    """ "10%" as 0.1; UserError where text is no percentage of 0 or more."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text.strip())
    if not match:
        raise UserError(f"a threshold is a percentage such as 10%, got {text!r}")
    return float(match[1]) / 100


def show(comparison: Comparison, format: str, file: TextIO | None = None) -> None:
    """Print a comparison: one section per table, or for csv and json one flat table of which kind names the part."""
    parts = {
        "environment": comparison.environment,
        "group": comparison.groups,
        "benchmark": comparison.benchmarks,
        "attenuation": comparison.attenuation,
    }
    if format in ("csv", "json"):
        kinds = [part.assign(kind=kind).astype(object) for kind, part in parts.items()]
        columns = ["kind", "name", "group", "benchmarks", "a", "b", "ratio", "change", "unit", "status"]
        emit(pd.concat(kinds, ignore_index=True).reindex(columns=columns), format, file)
        return
    count, changed = len(comparison.attenuation), comparison.changed
    titles = {
        "environment": "Environments, where they differ",
        "group": "Geometric mean of the ratios B / A per group (above 1: B is slower)",
        "benchmark": "Benchmarks, median seconds",
        "attenuation": f"Decades per layer and step, where they changed ({len(changed)} of {count})",
    }
    for kind, part in {**parts, "attenuation": changed}.items():
        emit(part, format, file, titles[kind])


def _beside(a: pd.DataFrame, b: pd.DataFrame, same: str, value: str) -> pd.DataFrame:
    """Columns name, same, a, b, status: the column value of two tables by their index, A's order first."""
    a, b = (table[~table.index.duplicated(keep="last")] for table in (a, b))
    names = pd.Index(dict.fromkeys([*a.index, *b.index]), dtype="object")
    shared = b[same].reindex(names).fillna(a[same].reindex(names))
    status = np.select([~names.isin(b.index), ~names.isin(a.index)], [ONLY_A, ONLY_B], BOTH)
    values = {side: table[value].reindex(names).astype("float64") for side, table in (("a", a), ("b", b))}
    return pd.DataFrame({same: shared, **values, "status": status}, index=names).rename_axis("name").reset_index()


def _groups(benchmarks: pd.DataFrame) -> pd.DataFrame:
    """Columns name, benchmarks, ratio; the last row is of all benchmarks."""
    logs = np.log(benchmarks.assign(ratio=benchmarks.ratio.astype("float64")).set_index("group").ratio.dropna())
    table = logs.groupby(level=0, sort=False).agg(benchmarks="size", ratio="mean").rename_axis("name").reset_index()
    if len(table) > 1:
        table.loc[len(table)] = ["all", len(logs), logs.mean()]
    return table.assign(ratio=np.exp(table.ratio))


def _environment(a: Side, b: Side) -> pd.DataFrame:
    """Columns name, a, b: the paths, then what differs; of long lists of words only those that the other lacks."""
    rows = [("path", str(a.path), str(b.path))]
    for name in dict.fromkeys([*a.environment, *b.environment]):
        one, other = a.environment.get(name, ""), b.environment.get(name, "")
        if one != other and name not in MOMENTS:
            long = max(len(one), len(other)) > LONG
            rows.append((name, _without(one, other), _without(other, one)) if long else (name, one, other))
    return pd.DataFrame(rows, columns=["name", "a", "b"])


def _without(one: str, other: str) -> str:
    return " ".join(word for word in one.split() if word not in other.split())


def _decades(rows: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Columns name, decades, unit of every configuration of an experiment."""
    unit = f"decades_per_{FACTORS[experiment][1]}"
    table = attenuation(rows, experiment)
    names = [f"{experiment} {_configuration(row)}" for row in table[CONFIGURATION].to_dict("records")]
    return pd.DataFrame({"name": names, "decades": table[unit], "unit": unit.replace("_", " ")})


def _configuration(row: dict[str, Any]) -> str:
    """A configuration in words; the variances only where no initialiser implies them."""
    words = []
    for column, value in row.items():
        known = not pd.isna(value) and value != ""
        if known and not (column.endswith("_variance") and row["initializer"]):
            words.append(value if isinstance(value, str) else f"{column} {value:g}")
    return " ".join(words)
