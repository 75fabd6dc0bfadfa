"""Reading a results folder: whole, partial, unfinished, damaged."""

import json

import pandas as pd
import pytest

from reports.load import load
from suites.errors import UserError


def test_whole_run(run):
    tables = load(run)
    assert set(tables.tables) == {"depth", "time", "training", "curves", "cost"}
    assert len(tables["depth"]) == 3 * 2 * 51 * (4 + 1)
    assert tables.notes == []
    names = ["relu", "sigmoid", "tanh"]
    assert all(sorted(tables[name].activation.cat.categories) == names for name in tables.tables)


def test_cost_is_one_row_per_benchmark(run):
    cost = load(run)["cost"].set_index("benchmark")
    row = cost.loc["bench_activations.py::test_activation[relu-forward_backward-L2-float32]"]
    assert row["group"] == "activation forward_backward L2 float32"
    assert (row.activation, row.direction, row.level, row["shape"]) == ("relu", "forward_backward", "L2", "65536")
    assert row.ns_per_element == pytest.approx(0.1 * 2 * 1.1)
    assert row["median"] == pytest.approx(0.22 * 65536e-9)
    assert row.iqr == pytest.approx(0.2 * row["median"])
    assert row.rounds == 9


def test_a_run_may_lack_anything(run):
    for name in ("depth.parquet", "cost.json", "training.parquet"):
        (run / name).unlink()
    tables = load(run)
    assert "depth" not in tables
    assert "time" in tables
    assert tables["cost"].empty
    assert tables["depth"].empty
    assert "ns_per_element" in tables["cost"]


def test_cells_stand_in_for_an_unfinished_table(run, edit):
    whole = pd.read_parquet(run / "depth.parquet")
    cells = run / "cells" / "depth"
    cells.mkdir(parents=True)
    for name in ("relu", "tanh"):
        whole[whole.activation == name].to_parquet(cells / f"{name}.parquet")
    (run / "depth.parquet").unlink()
    tables = load(run)
    assert len(tables["depth"]) == len(whole) * 2 // 3
    assert tables.notes == ["depth: only 2 configurations, those measured so far."]


def test_an_unfinished_run_says_so(run):
    record = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps(record | {"finished": None}))
    assert load(run).notes == ["This run did not finish; what it had measured is shown."]


def test_the_journal_stands_in_for_cost(run):
    benchmarks = json.loads((run / "cost.json").read_text())["benchmarks"]
    (run / "cost.json").unlink()
    lines = [json.dumps(benchmark) for benchmark in benchmarks[:5]]
    (run / "cost.jsonl").write_text("\n".join(lines[:4]) + "\n" + lines[4][:50])
    assert len(load(run)["cost"]) == 4


def test_missing_folder(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        load(tmp_path / "nowhere")


def test_folder_of_something_else(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UserError, match=r"not a results folder; one has environment\.json"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["depth.parquet", "cost.json", "environment.json"])
def test_truncated_file(run, name):
    path = run / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=name) as caught:
        load(run)
    assert "truncated" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["depth.parquet", "cost.json", "environment.json"])
def test_binary_rubbish(run, name):
    (run / name).write_bytes(b"\xff\xfe\x00 rubbish" * 100)
    with pytest.raises(UserError, match=name):
        load(run)


def test_foreign_parquet(run):
    pd.DataFrame({"x": [1]}).to_parquet(run / "mine.parquet")
    with pytest.raises(UserError, match=r"mine\.parquet: lacks the columns .*activation"):
        load(run)


def test_missing_column(run, edit):
    edit(run, "depth", lambda table: table.drop(columns="position"))
    with pytest.raises(UserError, match=r"depth\.parquet: lacks the columns position"):
        load(run)


def test_wrong_type(run, edit):
    edit(run, "depth", lambda table: table.assign(value="large"))
    with pytest.raises(UserError, match=r"depth\.parquet: a column has another type"):
        load(run)


@pytest.mark.parametrize("content", ["[1]", '{"a": 1}', '{"benchmarks": [{"name": "x"}]}', '{"benchmarks": 3}'])
def test_foreign_json(run, content):
    (run / "cost.json").write_text(content)
    with pytest.raises(UserError, match=r"cost\.json"):
        load(run)
