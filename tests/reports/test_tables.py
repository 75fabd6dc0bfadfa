"""Printing tables."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from reports.tables import emit
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
