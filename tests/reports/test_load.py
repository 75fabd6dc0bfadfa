"""Reading a results folder: whole, partial, unfinished, damaged."""

import json
import os

import pandas as pd
import pytest

from reports.load import load
from suites.errors import UserError
from suites.schema import LATER


def test_whole_run(run):
    tables = load(run)
    measured = {"depth", "time", "phase", "spectrum", "lyapunov", "training", "remedies", "remedy_times", "curves"}
    assert set(tables.tables) == {*measured, "cost"}
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


def change(run, **entries):
    """Rewrite entries of a run's environment record."""
    record = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps(record | entries))


@pytest.fixture
def unfinished(run):
    """A run killed after it was resumed: whole files from before, then cells and a journal of all."""
    change(run, finished=None)
    whole = pd.read_parquet(run / "depth.parquet")
    cells = run / "cells" / "depth"
    cells.mkdir(parents=True)
    for i, name in enumerate(("tanh", "sigmoid", "relu")):
        whole[whole.activation == name].to_parquet(cells / f"{name}.parquet")
        os.utime(cells / f"{name}.parquet", (i, i))
    whole[whole.activation == "tanh"].to_parquet(run / "depth.parquet")
    cost = json.loads((run / "cost.json").read_text())
    benchmarks = cost["benchmarks"]
    lines = [json.dumps(benchmark) for benchmark in benchmarks[:5]]
    (run / "cost.jsonl").write_text("\n".join(lines[:4]) + "\n" + lines[4][:50])
    (run / "cost.json").write_text(json.dumps(cost | {"benchmarks": benchmarks[:2], "gradfade": {"seed": 0}}))
    return run


UNFINISHED = "This run did not finish; what it had measured is shown."


def test_of_an_unfinished_run_cells_and_journal_count(unfinished):
    tables = load(unfinished)
    assert list(tables["depth"].activation.unique()) == ["tanh", "sigmoid", "relu"]
    assert len(tables["cost"]) == 4
    assert tables.session == {"seed": 0}
    assert tables.notes == [UNFINISHED, "depth: 3 configurations measured so far."]
    for name in ("depth.parquet", "cost.json"):
        (unfinished / name).unlink()
    tables = load(unfinished)
    assert (tables["depth"].activation.nunique(), len(tables["cost"])) == (3, 4)


def test_of_a_finished_run_the_whole_files_count(unfinished):
    change(unfinished, finished="2026-01-01T00:05:00+00:00")
    tables = load(unfinished)
    assert list(tables["depth"].activation.unique()) == ["tanh"]
    assert len(tables["cost"]) == 2
    assert tables.notes == []


def test_an_unreadable_cell_is_left_out_and_named(unfinished):
    path = unfinished / "cells" / "depth" / "sigmoid.parquet"
    path.write_bytes(path.read_bytes()[:100])
    tables = load(unfinished)
    assert list(tables["depth"].activation.unique()) == ["tanh", "relu"]
    assert tables.notes[1].startswith(f"{path}: truncated or not Parquet")
    assert tables.notes[1].endswith("left out.")
    assert tables.notes[2] == "depth: 2 configurations measured so far."


def test_a_damaged_journal_is_named(unfinished):
    journal = unfinished / "cost.jsonl"
    journal.write_text("{torn\n" + journal.read_text())
    with pytest.raises(UserError, match=r"cost\.jsonl, line 1: damaged"):
        load(unfinished)


def test_a_run_of_two_machines_says_so(run):
    change(run, resumed={"2026-01-02": {"cpu": "Other CPU", "commit": "abc"}})
    assert load(run).notes == [
        "This run was resumed at 2026-01-02 with another cpu (Other CPU) and another commit (abc); "
        "its figures are of both."
    ]


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


def test_a_table_from_before_a_column_was_added_is_read(run, edit):
    edit(run, "depth", lambda table: table.drop(columns=[*LATER]))
    assert load(run)["depth"].direction.tolist() == load(run)["depth"].by.tolist() == [""] * len(load(run)["depth"])


def test_wrong_type(run, edit):
    edit(run, "depth", lambda table: table.assign(value="large"))
    with pytest.raises(UserError, match=r"depth\.parquet: a column has another type"):
        load(run)


@pytest.mark.parametrize("content", ["[1]", '{"a": 1}', '{"benchmarks": [{"name": "x"}]}', '{"benchmarks": 3}'])
def test_foreign_json(run, content):
    (run / "cost.json").write_text(content)
    with pytest.raises(UserError, match=r"cost\.json"):
        load(run)


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("a/own.py:relu", "/b c:d/own.py:tanh", "tanh"), {"own.py:relu", "own.py:tanh", "tanh"}),
        (("a/own.py:f", "b/own.py:f", "tanh"), {"a/own.py:f", "b/own.py:f", "tanh"}),
    ],
)
def test_ones_own_activations_are_shown_without_their_folders(run, names, shown):
    given = dict(zip(("relu", "sigmoid", "tanh"), names, strict=True))
    for path in run.glob("*.parquet"):
        table = pd.read_parquet(path)
        table.assign(activation=table.activation.map(given)).to_parquet(path)
    cost = json.loads((run / "cost.json").read_text())
    for benchmark in cost["benchmarks"]:
        known = benchmark["extra_info"]["activation"]
        benchmark["extra_info"]["activation"] = given[known]
        benchmark["fullname"] = benchmark["fullname"].replace(f"[{known}-", f"[{given[known]}-")
    (run / "cost.json").write_text(json.dumps(cost))
    tables = load(run)
    for name in tables.tables:
        assert {*tables[name].activation.cat.categories} == shown
        assert tables[name].activation.notna().all() or name == "remedies"  # which are of baselines
    expected = f"bench_activations.py::test_activation[{names[0]}-forward-L2-float32]"
    assert expected in set(tables["cost"].benchmark)
