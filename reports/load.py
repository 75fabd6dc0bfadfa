"""Reading a results folder, checking each file before anything relies on it."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow

from reports.words import several
from suites import journal
from suites.errors import UserError
from suites.results import CELLS, COST, JOURNAL, RECORD
from suites.schema import EMPTY, LATER, SCHEMA, merge

# What a benchmark's extra_info may say; absent fields are null.
FACTS = [
    "op", "activation", "direction", "shape", "n", "dtype", "level",
    "ns_per_element", "bytes_per_element", "gb_per_s", "fraction_of_limit",
]  # fmt: skip
STATISTICS = ["median", "q1", "q3", "iqr", "rounds"]


@dataclass(frozen=True)
class Tables:
    """One run: its environment, "cost" (a row per benchmark) and one table of suites.schema per experiment.

    Columns activation and initializer are categorical, with the run's names in one order for all tables; one's own
    activations without their folders. session
    is what the benchmarks' session tells of itself (limits probed, compile time). notes says in sentences what is
    unfinished, left out or of mixed origin.
    """

    folder: Path
    environment: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    session: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> pd.DataFrame:
        """The table called name; an empty one where this run has none."""
        empty = pd.DataFrame(columns=["benchmark", "group", *FACTS, *STATISTICS]) if name == "cost" else merge([])
        return self.tables.get(name, empty)

    def __contains__(self, name: str) -> bool:
        """Whether this run has rows in the table called name."""
        return not self[name].empty


def load(folder: Path) -> Tables:
    """The tables of a results folder; whatever an interrupted or partial run lacks is simply not there.

    Of an unfinished run the journal of benchmarks and the cells count, which are never older than the whole files.

    Raises:
        UserError: folder is missing or no results folder, or one of its files is truncated or foreign; a cell that
            cannot be read is left out, with a note.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give a results folder, which `gradfade run` makes")
    environment = read_object(folder / RECORD) if (folder / RECORD).exists() else {}
    finished = bool(environment.get("finished"))
    notes = [] if finished else ["This run did not finish; what it had measured is shown."]
    tables = {} if finished else _cells(folder, notes)
    tables |= {path.stem: read_rows(path) for path in sorted(folder.glob("*.parquet")) if path.stem not in tables}
    cost = read_object(folder / COST) if (folder / COST).exists() else {}
    if not finished and (folder / JOURNAL).exists():
        cost["benchmarks"] = journal.read(folder / JOURNAL)
    if cost:
        tables["cost"] = cost_table(cost, folder / COST)
    if not tables and not environment:
        raise UserError(f"{folder}: not a results folder; one has {RECORD}, {COST} or *.parquet")
    notes += [_resumed(time, changes) for time, changes in environment.get("resumed", {}).items()]
    for column in ("activation", "initializer"):
        _share_categories(tables, column)
    return Tables(folder, environment, tables, cost.get("gradfade", {}), notes)


def _cells(folder: Path, notes: list[str]) -> dict[str, pd.DataFrame]:
    """The table of every experiment that has readable cells, in the order of measurement; notes says how many."""
    tables = {}
    for cells in sorted((folder / CELLS).glob("*/")):
        read = []
        for path in sorted(cells.glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns):
            try:
                read.append(read_rows(path))
            except UserError as error:
                notes.append(f"{error}; left out.")
        if read:
            tables[cells.name] = merge(read)
            notes.append(f"{cells.name}: {several(len(read), 'configuration')} measured so far.")
    return tables


def _resumed(time: str, changes: Any) -> str:
    other = " and ".join(f"another {name} ({value})" for name, value in dict(changes).items())
    return f"This run was resumed at {time} with {other}; its figures are of both."


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in path; UserError where it is truncated or something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise UserError(f"{path}: truncated or not JSON ({error})") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a JSON {type(content).__name__} where an object is expected")
    return content


def read_rows(path: Path) -> pd.DataFrame:
    """A Parquet file of suites.schema rows; UserError where it is truncated, foreign or lacks columns."""
    try:
        frame = pd.read_parquet(path, engine="pyarrow")
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise UserError(f"{path}: truncated or not Parquet ({str(error).splitlines()[0]})") from None
    frame = frame.assign(**{name: EMPTY[SCHEMA[name]] for name in LATER if name not in frame})
    if absent := SCHEMA.keys() - frame.columns:
        raise UserError(f"{path}: lacks the columns {', '.join(sorted(absent))}; a row has {', '.join(SCHEMA)}")
    try:
        return frame.astype(SCHEMA)
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: a column has another type than gradfade writes ({error})") from None


def cost_table(content: dict[str, Any], path: Path) -> pd.DataFrame:
    """What pytest-benchmark saved in path as a table: benchmark (file::test), group, FACTS, STATISTICS in seconds.

    Raises:
        UserError: content is something else.
    """
    try:
        rows = [_benchmark(entry) for entry in content["benchmarks"]]
    except (KeyError, TypeError, AttributeError):
        raise UserError(f"{path}: not what pytest-benchmark saves (benchmarks, each with its name and stats)") from None
    frame = pd.DataFrame(rows, columns=_columns(rows))
    numbers = ["n", "ns_per_element", "bytes_per_element", "gb_per_s", "fraction_of_limit", *STATISTICS]
    try:
        return frame.astype(dict.fromkeys(numbers, "float64"))
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: a figure of a benchmark is not a number ({error})") from None


def _benchmark(entry: dict[str, Any]) -> dict[str, Any]:
    # The folder before the file depends on where pytest was started, so it is no part of the identity.
    file, _, test = entry["fullname"].partition("::")
    facts = {name: _flat(value) for name, value in entry["extra_info"].items()}
    statistics = {name: entry["stats"][name] for name in STATISTICS}
    return facts | statistics | {"benchmark": f"{file.rpartition('/')[2]}::{test}", "group": entry["group"] or ""}


def _flat(value: Any) -> Any:
    return "x".join(map(str, value)) if isinstance(value, list) else value


def _columns(rows: Iterable[dict[str, Any]]) -> list[str]:
    others = (name for row in rows for name in row)
    return list(dict.fromkeys(["benchmark", "group", *FACTS, *STATISTICS, *others]))


def _share_categories(tables: dict[str, pd.DataFrame], column: str) -> None:
    """Give column the same categories in every table: curves first, since they hold every activation in order."""
    first = sorted(tables, key=lambda name: name != "curves")
    named = [tables[name][column].dropna() for name in first if column in tables[name]]
    names = [name for name in dict.fromkeys(name for names in named for name in names.unique()) if name]
    shown = _without_folders(names)
    for name, frame in tables.items():
        if column in frame:
            known = frame[column].map(shown)  # "" is no name
            tables[name] = frame.assign(**{column: pd.Categorical(known, categories=list(shown.values()))})


def _without_folders(names: list[str]) -> dict[str, str]:
    """Name -> what readers are shown: FILE.py:NAME without its folder, where no other one is called so then."""
    short = {name: name.rpartition("/")[2] for name in names}
    often = Counter(short.values())
    return {name: last if often[last] == 1 else name for name, last in short.items()}
