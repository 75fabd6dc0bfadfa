"""Rows keep their columns and types, in memory, on disk and as JSON."""

import json

import numpy as np
import pandas as pd
import pytest

from suites.schema import COLUMNS, SCHEMA, merge, printable, records, rows, stack


def test_scalars_repeat_along_the_longest_column():
    table = rows({"experiment": "depth", "seed": 3}, position=range(4), value=[1.0, 2.0, 3.0, 4.0], metric="m")
    assert list(table.columns) == COLUMNS
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == SCHEMA
    assert table.seed.tolist() == [3] * 4
    assert table.value.tolist() == [1, 2, 3, 4]
    assert table.length.isna().all()
    assert (table.dataset == "").all()


def test_a_strange_column_is_refused():
    with pytest.raises(KeyError, match="colour"):
        rows({"colour": "red"})


def test_stack_is_rows_one_below_the_other():
    configuration = {"experiment": "depth", "width": 8}
    pieces = [
        {"seed": 0, "position": range(3), "metric": "a", "value": [1.0, 2.0, 3.0]},
        {"metric": "b", "value": 4.0, "parameter": "W"},
    ]
    expected = merge([rows(configuration, **piece) for piece in pieces])
    pd.testing.assert_frame_equal(stack(configuration, pieces), expected)


def test_nothing_measured_is_an_empty_table_in_the_schema():
    empty = merge([])
    assert len(empty) == 0
    assert {name: str(dtype) for name, dtype in empty.dtypes.items()} == SCHEMA


def test_parquet_keeps_everything(tmp_path):
    table = rows({"experiment": "depth", "seed": 3}, position=range(3), value=[1.0, -np.inf, np.nan])
    table.to_parquet(tmp_path / "rows.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "rows.parquet"), table)


def test_whole_positions_are_printed_as_whole_numbers():
    layers, curve = (rows({"experiment": "depth"}, position=positions) for positions in ([0, 1, 2], [0, 0.5, 1]))
    assert printable(layers).to_csv(columns=["position"], index=False).split() == ["position", "0", "1", "2"]
    assert printable(curve) is curve
    assert printable(rows({"experiment": "training"})).position.isna().all()


def test_records_are_plain_and_null_where_nothing_finite_is():
    table = rows({"experiment": "depth"}, seed=[0, 1, 2], value=[1.5, -np.inf, np.nan])
    found = json.loads(json.dumps(records(table), allow_nan=False))
    assert [record["value"] for record in found] == [1.5, None, None]
    assert found[2]["seed"] == 2
    assert found[0]["depth"] is None
    assert list(found[0]) == COLUMNS
