"""What was run, told from the rows alone."""

import json

import numpy as np

from reports.load import load
from reports.method import setup
from suites.schema import merge, rows


def test_tells_the_shape_of_every_experiment(run):
    texts = setup(load(run))
    assert list(texts) == ["Across depth", "Across time", "Training", "Cost"]
    assert texts["Across depth"].startswith("Architecture plain: depth 50, width 256, batch 32, float32, 4 seeds.")
    assert texts["Across time"].startswith("Architecture rnn: length 100, width 256, batch 32, float32, 4 seeds.")
    assert "dataset digits, architecture plain, optimiser adam, initialiser he_normal, 4 seeds." in texts["Training"]
    assert texts["Cost"] == "This quick run timed activations in L1, L2 and DRAM in float32."


def test_follows_the_rows(run, edit):
    edit(run, "depth", lambda table: table[table.seed.isin([0, None])].assign(width=64, dtype="float64"))
    assert "width 64, batch 32, float64, 1 seed." in setup(load(run))["Across depth"]


def test_leaves_out_what_was_not_measured(run):
    for name in ("time.parquet", "cost.json"):
        (run / name).unlink()
    assert list(setup(load(run))) == ["Across depth", "Training"]


def test_tells_what_plain_float32_keeps(run, edit):
    def kept(table):
        cell = {"experiment": "depth", "architecture": "plain", "activation": "tanh", "initializer": "he_normal"}
        values = {(64, 0): -np.inf, (64, 1): -9.0, (128, 0): -9.0, (128, 1): -8.0}  # the first is zero for one seed
        more = [
            rows(cell | {"width": width}, seed=seed, position=0, metric="float32_gradient", value=value)
            for (width, seed), value in values.items()
        ]
        return merge([table, *more])

    assert "exactly 0" not in setup(load(run))["Across depth"]
    edit(run, "depth", kept)
    assert "exactly 0 arrives in 1 of 2 configurations for at least one seed." in setup(load(run))["Across depth"]


def test_says_what_the_full_profile_adds(run):
    path = run / "cost.json"
    probed = {"fma": {"float32": 200.0, "float64": 100.0}, "read": dict.fromkeys(["L1", "L2", "L3", "DRAM"], 30.0)}
    session = {"profile": "quick", "left_to_full": 7, "limits": probed}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"gradfade": session}))
    assert setup(load(run))["Cost"].endswith("The full profile adds L3 and float64, 7 benchmarks more in all.")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"gradfade": session | {"left_to_full": 0}}))
    assert "adds" not in setup(load(run))["Cost"]
