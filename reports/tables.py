"""Printing a table in the formats that every command offers."""

import json
import sys
from typing import TextIO

import pandas as pd
from rich.console import Console
from rich.table import Table

from reports.console import AS_IT_IS
from suites.errors import UserError
from suites.schema import records

# Columns of a benchmark that fit a terminal.
SHOWN = ["benchmark", "ns_per_element", "gradfade_ns_per_element", "ratio", "gb_per_s", "gflop_per_s"]
SHOWN += ["fraction_of_limit", "limit", "saved_bytes"]

FEW = 8  # columns that fit a terminal
UNBOUNDED = 10_000  # characters: a file or a pipe has no width to fold at


def emit(frame: pd.DataFrame, format: str = "table", file: TextIO | None = None, title: str | None = None) -> None:
    """Print frame to file (standard output) as one of FORMATS.

    title stands above a table or a Markdown table; CSV and JSON hold the rows and nothing else.

    Raises:
        UserError: format is none of FORMATS.
    """
    if format not in FORMATS:
        raise UserError(f"unknown format {format!r}; valid: {', '.join(FORMATS)}")
    FORMATS[format](frame, file or sys.stdout, title)


def cell(value: object) -> str:
    """A value as people read it: four significant digits, all of a whole number below a million; nothing if missing."""
    if value is None or value is pd.NA or value != value:  # NaN is the value that differs from itself
        return ""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) < 1e6 and value.is_integer() else f"{value:.4g}"


def _table(frame: pd.DataFrame, file: TextIO, title: str | None) -> None:
    """What is empty is left out, and where there are many columns, what is the same in all rows is told once, above."""
    texts = frame.map(cell)
    texts = texts.loc[:, (texts != "").any()]
    same = texts.columns[texts.nunique() == 1] if len(texts.columns) > FEW else []
    table = Table()
    for name in texts.columns.difference(same, sort=False):
        table.add_column(
            str(name), overflow="fold", justify="right" if pd.api.types.is_numeric_dtype(frame[name]) else "left"
        )
    for row in texts.drop(columns=same).itertuples(index=False):
        table.add_row(*row)
    heads = [title] * bool(title) + [f"{name}: {texts[name].iloc[0]}" for name in same]
    console = Console(file=file, width=None if file.isatty() else UNBOUNDED, **AS_IT_IS)
    if console.measure(table).minimum > console.width:
        rest = texts.drop(columns=same)
        heads += ["\n" + "\n".join(f"{name}: {row[name]}" for name in rest if row[name]) for _, row in rest.iterrows()]
        table = Table()
    console.print(*heads, *[table] * bool(table.columns), sep="\n")


def _markdown(frame: pd.DataFrame, file: TextIO, title: str | None) -> None:
    rules = ["---:" if pd.api.types.is_numeric_dtype(frame[name]) else "---" for name in frame.columns]
    rows = [frame.columns, rules, *(map(cell, row) for row in frame.itertuples(index=False))]
    lines = ["| " + " | ".join(text.replace("|", "\\|") for text in row) + " |" for row in rows]
    file.write("\n".join([f"### {title}", "", *lines, ""] if title else lines) + "\n")


def _csv(frame: pd.DataFrame, file: TextIO, title: str | None) -> None:
    frame.to_csv(file, index=False, lineterminator="\n")


def _json(frame: pd.DataFrame, file: TextIO, title: str | None) -> None:
    file.write(json.dumps(records(frame), indent=1, ensure_ascii=False) + "\n")


FORMATS = {"table": _table, "markdown": _markdown, "csv": _csv, "json": _json}
