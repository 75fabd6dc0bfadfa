"""Scales on which one gradient is judged, and what they hold against the verdict."""

import math
from dataclasses import replace

import pandas as pd
import pytest

from suites.alike import Spread
from suites.diagnosis_scales import caveats, lost, scales
from suites.interventions import subject
from suites.schema import merge, rows
from suites.verdicts import Decades

CELL = subject("depth", 3, architecture="plain", activation="tanh", initializer="xavier_normal", width=8, batch=4)
RNN = subject("time", 3, architecture="rnn", activation="tanh", initializer="xavier_normal", width=8, batch=4)
DIFFERENT = Spread(0.9, 0.9, 0.9)
STORED = rows({}, metric="float32_gradient", position=[0, 1], value=[-1.0, 0.0])


def norms(*logs):
    """A table as of loss_norms."""
    names = [f"{i}.W" for i in range(len(logs))]
    return pd.DataFrame({"parameter": [*names, "all"], "log10_norm": [*logs, 0.0], "log10_clipped": [*logs, 0.0]})


def found(*logs, decades=-0.5, spread=DIFFERENT, cell=CELL):
    return [*scales(cell, STORED, Decades((decades, decades)), norms(*logs), spread)]


def test_both_ends_of_the_documents_thresholds_are_judged_and_the_loss_is_named():
    table = {row["name"]: row for row in found(-7.0, -2.0, 3.0)}
    assert table["weight gradients that vanish"]["value"] == table["weight gradients that explode"]["value"] == 1
    assert table["weight gradients that explode"]["threshold"] == pytest.approx(100)
    assert table["deepest weight gradient"]["verdict"] == "explodes"
    told = [row for row in table.values() if row["unit" if "unit" in row else "kind"] in ("matrices", "norm")]
    assert all("loss: softmax cross-entropy of random labels" in row["about"] for row in told)
    kind = table["*.W"]
    assert (kind["kind"], kind["matrices"], kind["smallest"], kind["largest"]) == ("parameters", 3, 1e-7, 1e3)
    assert "over 100 it explodes" in kind["about"]


def test_the_matrices_of_a_cell_are_of_one_depth():
    rows = found(-2.0, -3.0, cell=RNN)
    assert not any("shallowest" in row["name"] for row in rows)
    assert all("summed over the steps" in row["about"] for row in rows if row["kind"] == "parameter")


@pytest.mark.parametrize(
    ("logs", "decades", "spread", "expected"),
    [
        ((-2.0, -2.0), -0.5, DIFFERENT, []),
        ((-7.0, -2.0), -0.5, DIFFERENT, ["under a loss 1 of 2 weight gradients are under 1e-06"]),
        ((-7.0, -2.0), -9.0, DIFFERENT, []),
        ((3.0, 3.0), -9.0, DIFFERENT, ["under a loss 2 of 2 weight gradients are over 100"]),
        ((-2.0, -2.0), -0.5, Spread(1e-9, 1e-9, 0.9), ["all samples have the same output"]),
        ((), -0.5, Spread(0.9, 0.9, 0.0), ["all units of the last layer are the same"]),
        ((), -0.5, Spread(math.nan, math.nan, 0.9), []),
    ],
)
def test_what_speaks_against_the_verdict(logs, decades, spread, expected):
    assert caveats(found(*logs, decades=decades, spread=spread)) == expected


@pytest.mark.parametrize(
    ("batch", "spread", "scale", "value", "verdict"),
    [
        (4, Spread(0.9, 0.8, 0.7), "samples at the output", 0.8, "healthy"),
        (1, Spread(math.nan, math.nan, 0.7), "units at the output", 0.7, "healthy"),
        (1, Spread(math.nan, math.nan, 0.0), "units at the output", 0.0, "alike"),
        (4, Spread(0.9, 0.8, 1e-9), "units at the output", 1e-9, "alike"),
        (1, Spread(math.nan, math.nan, math.nan), "units at the output", math.nan, "no number"),
        (4, Spread(0.0, math.nan, math.nan), "samples at the output", 0.0, "alike"),
    ],
)
def test_of_one_sample_the_units_are_compared(batch, spread, scale, value, verdict):
    """What is judged is the number that is shown."""
    (row,) = (row for row in found(spread=spread, cell=replace(CELL, batch=batch)) if "output" in row["name"])
    assert (row["name"], row["verdict"]) == (scale, verdict)
    assert row["value"] == pytest.approx(value, nan_ok=True)


def test_norms_of_more_steps_than_memory_holds_are_told_to_be_missing():
    *_, row = scales(RNN, STORED, Decades((-0.5,)), norms().head(0), DIFFERENT)
    assert (row["name"], row["verdict"]) == ("weight gradients", "no number")
    assert row["unit"] == "not measured: over 2000 steps"


def test_the_relative_scale_decides():
    assert [row["name"] for row in found(-7.0, -2.0) if row.get("decides")] == ["relative decades"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_the_dtype_loses(dtype):
    """The median seed decides; a seed that keeps all is the smallest."""
    table = merge([
        rows({}, metric="first_subnormal_position", seed=[0, 1, 2], value=[7.0, math.nan, 9.0]),
        rows({}, metric="first_zero_position", seed=[0, 1, 2], value=[math.nan, math.nan, 3.0]),
    ])  # fmt: skip
    subnormal, zero = lost(table, dtype).items()
    assert subnormal == (f"{dtype} gradient is subnormal", 7.0)
    assert zero[0] == f"{dtype} gradient is 0"
    assert math.isnan(zero[1])
