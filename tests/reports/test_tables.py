"""Printing tables."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from reports.tables import SHOWN, emit, shown
from suites.errors import UserError

FRAME = pd.DataFrame({
    "name": ["a|b", "c"], "value": [1.0, np.inf], "other": [np.nan, -0.123456789],
    "count": pd.array([3, None], dtype="Int64"),
})  # fmt: skip


def printed(format, **options):
    file = io.StringIO()
    emit(FRAME, format, file, **options)
    return file.getvalue()


def test_json_is_flat_objects_with_null_for_what_is_not_finite():
    assert json.loads(printed("json", title="not printed")) == [
        {"name": "a|b", "value": 1.0, "other": None, "count": 3},
        {"name": "c", "value": None, "other": -0.123456789, "count": None},
    ]


def test_csv_gives_the_numbers_back():
    table = pd.read_csv(io.StringIO(printed("csv")))
    assert list(table.columns) == list(FRAME.columns)
    assert table.other[1] == -0.123456789
    assert np.isinf(table.value[1])


def test_markdown():
    assert printed("markdown", title="T").splitlines() == [
        "### T", "", "| name | value | other | count |", "| --- | ---: | ---: | ---: |", "| a\\|b | 1 |  | 3 |",
        "| c | inf | -0.1235 |  |", "",
    ]  # fmt: skip


def test_table_is_not_folded_in_a_file():
    long = pd.DataFrame({"x": ["[bold]" + "y" * 500]})
    file = io.StringIO()
    emit(long, file=file)
    assert "[bold]" + "y" * 500 in file.getvalue()


def test_an_empty_frame_is_an_empty_list():
    file = io.StringIO()
    emit(FRAME.iloc[:0], "json", file)
    assert json.loads(file.getvalue()) == []


def test_standard_output_is_the_default(capsys):
    emit(FRAME, "csv")
    assert capsys.readouterr().out == printed("csv")


def test_unknown_format():
    with pytest.raises(UserError, match="'yaml'; valid: table, markdown, csv, json"):
        emit(FRAME, "yaml")


def test_names_are_printed_as_they_are_and_positions_whole():
    file = io.StringIO()
    emit(
        pd.DataFrame({"name": ["own.py:snake:", "[bold]x"], "position": [99765.0, 0.123456], "a": [np.nan, 1e12]}),
        file=file,
    )
    text = file.getvalue()
    assert all(part in text for part in ("own.py:snake:", "[bold]x", "99765", "0.1235", "1e+12"))


class Terminal(io.StringIO):
    def isatty(self):
        return True


WIDE = pd.DataFrame({
    "name": ["tanh", "relu", "relu"], "bias_variance": [0.0, 0.0, 0.25],
    **{f"a_column_of_a_long_name_{i}": [i + 0.1234, -i - 0.00056781, np.nan] for i in range(12)},
    "why": ["a sentence of words " * 4, "another", ""],
})  # fmt: skip


@pytest.mark.parametrize("kind", [Terminal, io.StringIO])
def test_a_wide_table_is_told_in_bands_with_its_numbers_whole(kind, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")  # without bold heads
    file = kind()
    emit(WIDE, file=file)
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    for value in WIDE.drop(columns=["name", "why"]).to_numpy().ravel():
        assert np.isnan(value) or f" {value:.4g} " in file.getvalue()
    bands = sum(line.startswith(("┏", "╔")) for line in lines)
    assert bands > 1
    assert sum("│ tanh" in line for line in lines) == bands  # the columns that tell the rows apart stand in each
    assert sum(line.startswith("│ relu │     0.25 │") for line in lines) == bands


def test_a_terminal_too_narrow_for_two_columns_gets_a_list(monkeypatch):
    monkeypatch.setenv("COLUMNS", "24")
    file = Terminal()
    emit(WIDE, file=file)
    assert "┃" not in file.getvalue()
    assert "\nname: relu\n" in file.getvalue()


def test_what_fits_stands_in_one_table_with_its_names_whole(monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    file = Terminal()
    emit(WIDE.iloc[:, :8], file=file)
    assert "a_column_of_a_long_name_5" in file.getvalue()
    assert file.getvalue().count("bias_variance") == 1


def test_benchmarks_are_told_by_words_that_fold():
    name = "bench_layers.py::test_block[transformer_post-gelu-forward_backward-T64-N16-D128-A4-float32]"
    cost = pd.DataFrame({"benchmark": [name, "bench_x.py::test_whole"], "ns_per_element": 1.5, "op": "block"})
    table = shown(cost)
    assert [*table] == SHOWN
    assert table.benchmark.tolist() == ["block transformer_post gelu forward_backward T64 N16 D128 A4 float32", "whole"]
    file = io.StringIO()
    emit(table, file=file)
    assert max(map(len, file.getvalue().splitlines())) <= 80
