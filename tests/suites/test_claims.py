"""The cells that claims are measured on: sound, small, and each measured by what it is named after."""

import json
from dataclasses import asdict, replace

import pandas as pd
import pytest

from suites import claims, depth, sequence
from suites.claims import KINDS, cells, kept_as, measure
from suites.errors import UserError
from suites.experiment import EXPERIMENTS
from suites.results import Run
from suites.schema import COLUMNS, merge


def test_every_kind_is_there_and_no_cell_twice():
    every = cells()
    assert {cell.experiment for cell in every} == set(KINDS)
    assert len(set(every)) == len(every)
    json.dumps([asdict(cell) for cell in every])  # plain values, as a results folder keeps them


def test_width_seeds_and_dtype_are_those_asked_for():
    for cell in cells(width=16, seeds=2, seed=5, dtype="float64"):
        if cell.experiment != "neurons":
            assert (cell.width, cell.seeds, cell.seed, cell.dtype) == (16, 2, 5, "float64")


@pytest.mark.parametrize("wrong", [{"width": 0}, {"seeds": -1}, {"seed": -1}, {"dtype": "float16"}, {"batch": 0}])
def test_a_wrong_number_is_refused(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        cells(**wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_gives_rows_of_its_kind(kind):
    cell = next(cell for cell in cells(width=8, batch=8, seeds=1) if cell.experiment == kind)
    rows = measure(cell)
    assert list(rows.columns) == COLUMNS
    assert set(rows.experiment) == {kind}
    assert set(rows.activation) == {cell.activation}
    assert EXPERIMENTS["claims"].measure is measure


def test_rows_are_those_of_the_experiments_themselves():
    every = cells(width=8, batch=8, seeds=2)
    transformer = next(cell for cell in every if cell.experiment == "depth" and cell.tokens)
    names = {"architectures": [transformer.architecture], "activations": ["relu"], "initializers": ["xavier_normal"]}
    (same,) = depth.cells(**names, tokens=8, batch=1, seeds=2)
    assert measure(transformer).equals(depth.measure(replace(same, width=8, depth=100)))
    cell = next(cell for cell in every if cell.architecture == "lstm" and cell.initializer == "chrono")
    names = {"architectures": ["lstm"], "activations": ["tanh"], "initializers": ["chrono"]}
    (same,) = sequence.cells(**names, inputs=10, batch=8, seeds=2)
    assert measure(cell).equals(sequence.measure(replace(same, width=8, length=100)))


def test_what_other_experiments_measured_in_the_folder_is_not_measured_again(tmp_path, monkeypatch):
    every = cells(width=6, batch=2, seeds=1)
    chosen = [next(cell for cell in every if cell.experiment == kind) for kind in ("curves", "depth", "time")]
    run = Run.create(tmp_path / "run", {})
    alone = [measure(cell) for cell in chosen]
    for cell in chosen:
        name, same = kept_as(cell)
        EXPERIMENTS[name].run([same], run)
    monkeypatch.setattr(claims, "KINDS", {})
    table = EXPERIMENTS["claims"].run(chosen, run)
    pd.testing.assert_frame_equal(table, merge(alone))


def test_what_claims_measured_is_not_measured_again_by_the_experiment(tmp_path, monkeypatch):
    cell = next(cell for cell in cells(width=6, batch=2, seeds=1) if cell.experiment == "depth")
    run = Run.create(tmp_path / "run", {})
    rows = EXPERIMENTS["claims"].run([cell], run)
    _, same = kept_as(cell)
    unmeasured = replace(EXPERIMENTS["depth"], measure=None)
    pd.testing.assert_frame_equal(unmeasured.run([same], run), rows)
    only = next(cell for cell in cells() if cell.experiment == "symmetry")
    assert kept_as(only) == ("claims", only)
