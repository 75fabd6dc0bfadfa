"""One experiment over a grid, kept in a folder of its own if one is named."""

import json

import pandas as pd
import pytest

from suites import depth
from suites.errors import UserError
from suites.experiment import EXPERIMENTS, Experiment
from suites.schema import printable
from suites.sweep import sweep

TINY = {"activations": ("tanh", "relu"), "depths": [3], "widths": [8], "batch": 4, "seeds": 2}


def test_rows_without_a_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    rows = sweep("depth", **TINY)
    assert rows.activation.unique().tolist() == ["tanh", "relu"]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_holds_the_same_rows_and_is_finished(tmp_path):
    rows = sweep("depth", out=tmp_path / "run", **TINY)
    pd.testing.assert_frame_equal(printable(pd.read_parquet(tmp_path / "run" / "depth.parquet")), rows)
    record = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert record["finished"]
    assert record["configuration"]["experiment"] == "depth"
    with pytest.raises(UserError, match="finished"):
        sweep("depth", out=tmp_path / "run", **TINY)


def test_another_name_of_the_same_grid_resumes_it(tmp_path):
    sweep("depth", out=tmp_path / "run", **{**TINY, "activations": ("silu", "tanh")})
    path = tmp_path / "run" / "environment.json"
    record = json.loads(path.read_text())
    assert record["configuration"] == {
        "experiment": "depth", "architecture": "plain", "activation": ["swish", "tanh"],
        "initializer": "xavier_normal", "depth": 3, "width": 8, "batch": 4, "tokens": None, "dtype": "float32",
        "seed": 0, "seeds": 2,
    }  # fmt: skip
    path.write_text(json.dumps({**record, "finished": None}))
    sweep("depth", out=tmp_path / "run", **{**TINY, "activations": ("swish", "tanh", "silu")})
    with pytest.raises(UserError, match="finished"):
        sweep("depth", out=tmp_path / "run", **TINY)


def test_a_wrong_grid_writes_nothing(tmp_path):
    with pytest.raises(UserError, match="depth must be"):
        sweep("depth", out=tmp_path / "run", **{**TINY, "depths": [-1]})
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_sweep_resumes(monkeypatch, tmp_path):
    def interrupted(cell):
        if cell.activation == "relu":
            raise KeyboardInterrupt
        return depth.measure(cell)

    with monkeypatch.context() as patch:
        patch.setitem(EXPERIMENTS, "depth", Experiment("depth", depth.cells, interrupted))
        with pytest.raises(KeyboardInterrupt):
            sweep("depth", out=tmp_path / "run", **TINY)
    seen = []
    rows = sweep("depth", out=tmp_path / "run", progress=lambda done, total: seen.append(done), **TINY)
    assert seen == [1, 2]
    pd.testing.assert_frame_equal(rows, sweep("depth", **TINY), check_exact=True)
