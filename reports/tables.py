"""Printing a table in the formats that every command offers."""

import json
import re
import sys
from collections.abc import Sequence
from textwrap import fill
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
WIDTH = 80  # characters beside one another in a file or a pipe, unless a single text is longer
HEAD, EDGES = 12, 3  # characters of a line of a heading, around a column
TEXTS = (40, 32, 24)  # characters before text folds: fewer where all columns stand beside one another so


def emit(frame: pd.DataFrame, format: str = "table", file: TextIO | None = None, title: str | None = None) -> None:
    """Print frame to file (standard output) as one of FORMATS.

    title stands above a table or a Markdown table; CSV and JSON hold the rows and nothing else.

    Raises:
        UserError: format is none of FORMATS.
    """
    if format not in FORMATS:
        raise UserError(f"unknown format {format!r}; valid: {', '.join(FORMATS)}")
    FORMATS[format](frame, file or sys.stdout, title)


def say(text: str) -> None:
    """Print sentences in lines as long as the terminal's, in a file or a pipe of WIDTH, as tables are."""
    width = Console().width if sys.stdout.isatty() else WIDTH
    for line in text.split("\n"):
        sys.stdout.write(fill(line, width, break_long_words=False, break_on_hyphens=False) + "\n")


def shown(cost: pd.DataFrame) -> pd.DataFrame:
    """What of the benchmarks' table fits a terminal: SHOWN, and of a benchmark's name the words that -k takes."""
    words = cost.benchmark.str.partition("::test_")[2].str.replace(r"[][-]+", " ", regex=True).str.strip()
    return cost.assign(benchmark=words).reindex(columns=SHOWN)


def cell(value: object) -> str:
    """A value as people read it: four significant digits, all of a whole number below a million; nothing if missing."""
    if value is None or value is pd.NA or value != value:  # NaN is the value that differs from itself
        return ""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) < 1e6 and value.is_integer() else f"{value:.4g}"


def _table(frame: pd.DataFrame, file: TextIO, title: str | None) -> None:
    """What is empty is left out; of many columns, what is the same in all rows is told once, above.

    Columns for which there is no room stand below, again beside those that tell rows apart.
    """
    texts = frame.map(cell)
    texts = texts.loc[:, (texts != "").any()]
    same = texts.columns[texts.nunique() == 1] if len(texts.columns) > FEW else []
    heads = [title] * bool(title) + [f"{name}: {texts[name].iloc[0]}" for name in same]
    texts = texts.drop(columns=same)
    console = Console(file=file, width=None if file.isatty() else UNBOUNDED, **AS_IT_IS)
    width = console.width if file.isatty() else WIDTH
    heading, broken = {name: name for name in texts}, {name: _broken(name) for name in texts}
    tried = [(names, fold) for fold in TEXTS for names in (heading, broken)]
    beside = (way for way in tried if len(_bands(texts, *way, width)) == 1)
    heading, fold = next(beside, (broken, TEXTS[0]))
    bands = _bands(texts, heading, fold, width)
    if any(_across(texts[names], heading, fold) > console.width for names in bands):
        heads += [
            "\n" + "\n".join(f"{name}: {row[name]}" for name in texts if row[name]) for _, row in texts.iterrows()
        ]
        bands = []
    drawn = (_drawn(texts[names], frame.dtypes, heading, fold) for names in bands if names)
    console.print(*heads, *drawn, sep="\n")


def _drawn(texts: pd.DataFrame, dtypes: pd.Series, heading: dict[str, str], fold: int) -> Table:
    """Numbers are never folded, sentences between words."""
    table = Table()
    for name in texts:
        number = pd.api.types.is_numeric_dtype(dtypes[name])
        size = _size([heading[name], *texts[name]], fold)
        table.add_column(
            heading[name], overflow="fold", justify="right" if number else "left", no_wrap=number, max_width=size
        )
    for row in texts.itertuples(index=False):
        table.add_row(*row)
    return table


def _bands(texts: pd.DataFrame, heading: dict[str, str], fold: int, width: int) -> list[list[str]]:
    """The names of columns that stand beside one another, in each band those first that tell the rows apart."""
    names = [*texts]
    apart = next((i for i in range(1, len(names)) if not texts[names[:i]].duplicated().any()), 1)
    keys, bands = names[:apart], [names[:apart]]
    for name in names[apart:]:
        if _across(texts[[*bands[-1], name]], heading, fold) > width and bands[-1] != keys:
            bands.append([*keys])
        bands[-1].append(name)
    return bands


def _across(texts: pd.DataFrame, heading: dict[str, str], fold: int) -> int:
    """Characters across a table."""
    return 1 + sum(_size([heading[name], *texts[name]], fold) + EDGES for name in texts)


def _size(texts: Sequence[str], fold: int) -> int:
    """Characters across a column: those of the longest line, or no more than fold where words allow that."""
    lines = [line for text in texts for line in text.split("\n")]
    return max(min(max(map(len, lines)), fold), *(len(word) for line in lines for word in line.split(" ")))


def _broken(name: str) -> str:
    """A column's name in lines of up to HEAD characters, broken behind underscores."""
    lines = [""]
    for part in re.findall(r"[^_]*_?", name):
        if lines[-1] and len(lines[-1] + part) > HEAD:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


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
