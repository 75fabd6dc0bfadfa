"""Two runs side by side."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from reports.compare import Status, compare, read_side, show, threshold
from suites.errors import UserError


def benchmarks(folder, change):
    """Rewrite the benchmarks of a run by a function of their list."""
    content = json.loads((folder / "cost.json").read_text())
    content["benchmarks"] = change(content["benchmarks"])
    (folder / "cost.json").write_text(json.dumps(content))


def slowed(name, factor):
    """A change that multiplies the medians of benchmarks whose name holds name."""

    def change(entries):
        for entry in entries:
            if name in entry["name"]:
                entry["stats"]["median"] *= factor
        return entries

    return change


@pytest.fixture
def sides(make_run):
    """Two runs, and what to do to have them compared."""
    a, b = make_run("a"), make_run("b")
    return a, b, lambda **options: compare(read_side(a), read_side(b), **options)


def test_equal_runs(sides):
    *_, comparison = sides
    result = comparison(fail_over=0.0)
    assert (result.benchmarks.ratio == 1).all()
    assert (result.groups.ratio == 1).all()
    assert result.changed.empty
    assert list(result.environment.name) == ["path"]
    assert result.status is Status.FINE


def test_ratio_is_b_over_a_and_groups_are_geometric_means(sides):
    _, b, comparison = sides
    benchmarks(b, slowed("tanh-forward-L2", 8.0))
    result = comparison()
    table = result.benchmarks.set_index("name")
    assert table.ratio["bench_activations.py::test_activation[tanh-forward-L2-float32]"] == pytest.approx(8)
    assert table.ratio["bench_activations.py::test_activation[relu-forward-L2-float32]"] == 1
    groups = result.groups.set_index("name")
    assert groups.ratio["activation forward L2 float32"] == pytest.approx(2)  # the cube root of 8 * 1 * 1
    assert groups.benchmarks["activation forward L2 float32"] == 3
    assert groups.ratio["activation backward L2 float32"] == 1
    assert groups.ratio["all"] == pytest.approx(8 ** (1 / 30))


def test_what_one_side_lacks_is_listed(sides):
    a, b, comparison = sides
    benchmarks(a, lambda entries: [entry for entry in entries if "[relu-backward-L1" not in entry["name"]])
    benchmarks(b, lambda entries: [entry for entry in entries if "[tanh-backward-L1" not in entry["name"]])
    table = comparison().benchmarks
    assert len(table) == 30
    alone = table[table.status != "both"].set_index("name")
    assert alone.status.to_dict() == {
        "bench_activations.py::test_activation[tanh-backward-L1-float32]": "only in A",
        "bench_activations.py::test_activation[relu-backward-L1-float32]": "only in B",
    }
    assert alone.ratio.isna().all()
    assert (alone.group == "activation backward L1 float32").all()


@pytest.mark.parametrize(("limit", "status"), [(0.10, Status.SLOWER), (0.30, Status.FINE), (None, Status.FINE)])
def test_one_slower_benchmark_fails(sides, limit, status):
    _, b, comparison = sides
    benchmarks(b, slowed("tanh-forward-L2", 1.2))
    result = comparison(fail_over=limit)
    assert result.status is status
    assert (result.benchmarks.status == "slower").sum() == (status is Status.SLOWER)


def test_faster_does_not_fail(sides):
    _, b, comparison = sides
    benchmarks(b, slowed("", 0.1))
    assert comparison(fail_over=0.1).status is Status.FINE


def test_nothing_in_common(sides):
    a, b, comparison = sides
    benchmarks(a, lambda entries: entries[:5])
    benchmarks(b, lambda entries: entries[5:])
    assert comparison().status is Status.FINE  # their attenuation is in both
    assert comparison(fail_over=0.1).status is Status.NOTHING_IN_COMMON
    for name in ("depth", "time"):
        (b / f"{name}.parquet").unlink()
    assert comparison().status is Status.NOTHING_IN_COMMON


def test_changed_decades(sides, edit):
    _, b, comparison = sides

    def change(table):
        relu = (
            (table.activation == "relu") & (table.initializer == "xavier_normal") & (table.metric == "log10_gradient")
        )
        table.loc[relu, "value"] *= 2
        table.loc[(table.activation == "sigmoid") & (table.initializer == "he_normal"), "value"] = -np.inf
        return table[(table.activation != "tanh") | (table.initializer != "he_normal")]

    edit(b, "depth", change)
    changed = comparison().changed.set_index("name")
    assert set(changed.unit) == {"decades per layer"}
    relu = changed.loc["depth plain relu xavier_normal float32 width 256 batch 32 depth 50"]
    assert (relu.a, relu.b, relu.change) == pytest.approx((-0.15, -0.30, -0.15))
    assert changed.b["depth plain sigmoid he_normal float32 width 256 batch 32 depth 50"] == -np.inf
    assert changed.status["depth plain tanh he_normal float32 width 256 batch 32 depth 50"] == "only in A"
    assert len(changed) == 3
    assert len(comparison().attenuation) == 12


def test_environments_differ(sides):
    _, b, comparison = sides
    record = json.loads((b / "environment.json").read_text())
    record["blas"]["core"] = "Haswell"
    record["cpu_flags"] = ["avx2"] * 40 + ["amx"]
    record["time"] = record["finished"] = "later"
    record["extra"] = 1
    (b / "environment.json").write_text(json.dumps(record))
    rows = comparison().environment.set_index("name")
    assert list(rows.index) == ["path", "cpu_flags", "blas core", "extra"]
    assert rows.loc["cpu_flags"].to_list() == [" ".join(["avx512f"] * 20), "amx"]
    assert rows.loc["blas core"].to_list() == ["SkylakeX", "Haswell"]
    assert rows.a["extra"] == ""


def test_json_files_of_pytest_benchmark(make_run):
    a, b = (make_run(name, factor) / "cost.json" for name, factor in (("a", 1.0), ("b", 1.5)))
    result = compare(read_side(a), read_side(b), 0.1)
    assert result.benchmarks.ratio.to_numpy() == pytest.approx(1.5)
    assert result.status is Status.SLOWER
    assert result.attenuation.empty


@pytest.mark.parametrize(("text", "value"), [("10%", 0.1), ("0.5 %", 0.005), ("0%", 0.0)])
def test_threshold(text, value):
    assert threshold(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["10", "-5%", "ten%", "%", "nan%", "1e3%"])
def test_not_a_threshold(text):
    with pytest.raises(UserError, match="percentage such as 10%"):
        threshold(text)


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_side(tmp_path / "nothing.json")


def printed(comparison, format):
    file = io.StringIO()
    show(comparison, format, file)
    return file.getvalue()


def test_json_is_one_flat_list(sides):
    _, b, comparison = sides
    benchmarks(b, lambda entries: entries[1:])
    result = comparison()
    rows = json.loads(printed(result, "json"))
    assert [row["kind"] for row in rows].count("benchmark") == 30
    assert [row["kind"] for row in rows].count("attenuation") == 12
    alone = next(row for row in rows if row["status"] == "only in A")
    assert alone["ratio"] is None
    assert alone["a"] == result.benchmarks.a[0]
    assert not any(isinstance(value, dict | list) for row in rows for value in row.values())


def test_csv_holds_the_same_rows(sides):
    *_, comparison = sides
    table = pd.read_csv(io.StringIO(printed(comparison(), "csv")))
    assert table[table.kind == "benchmark"].ratio.eq(1).all()
    assert table[table.kind == "group"].benchmarks.iloc[-1] == 30


@pytest.mark.parametrize("format", ["table", "markdown"])
def test_environments_stand_on_top(sides, format):
    a, b, comparison = sides
    lines = printed(comparison(), format).splitlines()
    assert "Environments" in lines[0]
    text = "\n".join(lines)
    assert str(a) in text
    assert str(b) in text
    assert "test_activation[relu-forward-L2-float32]" in text
    assert "(0 of 12)" in text
