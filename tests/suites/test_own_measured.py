"""One's own activations in experiments: each takes them, in every process, and measures a changed file again."""

from inspect import signature

import numpy as np
import pandas as pd
import pytest

from suites import certify
from suites.certificate import NO_PROMISE, certificate
from suites.errors import UserError
from suites.experiment import EXPERIMENTS
from suites.own_activations import _read, beside_known, digests, own
from suites.results import Run
from suites.sweep import sweep
from suites.workers import workers

TAKING = [name for name, row in EXPERIMENTS.items() if "activations" in signature(row.cells).parameters]


def test_only_fixed_networks_take_no_activations():
    assert {*EXPERIMENTS} - {*TAKING} <= {"claims", "remedies", "remedy_times"}


@pytest.mark.parametrize("experiment", TAKING)
def test_every_experiment_takes_one_and_refuses_a_wrong_one(own_file, tmp_path, experiment):
    cells = EXPERIMENTS[experiment].cells
    assert {cell.activation for cell in cells(activations=[f"{own_file}:tanh"])} == {f"{own_file}:tanh"}
    path = tmp_path / "wrong.py"
    path.write_text("def f(x):\n    return x * x\ndef f_derivative(x):\n    return x\n")
    with pytest.raises(UserError, match=r"wrong.py:f: f_derivative\(1\) is 1, but differences of f give 2"):
        cells(activations=["tanh", f"{path}:f"])


def test_only_ones_own_stand_beside_the_known_ones(own_file):
    assert beside_known([]) == []
    assert beside_known([f"{own_file}:tanh", f"{own_file}:tanh"]) == [f"{own_file}:tanh"]
    with pytest.raises(UserError, match=r"relu is measured anyway; give an activation of your own, FILE\.py:NAME"):
        beside_known(["relu"])


def test_accuracy_is_measured_against_the_forms_given_and_promised_nowhere(own_file, caplog):
    caplog.set_level("INFO")
    rows = sweep("accuracy", activations=[f"{own_file}:tanh"], count=2**12)
    table = certificate(rows).set_index("direction")
    assert [*table.verdict] == [NO_PROMISE, NO_PROMISE]
    assert [*table.dtype] == ["float32", "float32"]
    assert table.promised_ulp.isna().all()
    assert table.broken_by.tolist() == ["", ""]
    x = np.float32(table.at["derivative", "at"])
    worst = abs(float(np.float32(1) - np.tanh(x) ** 2) - 1 / np.cosh(float(x)) ** 2)
    unit = np.spacing(np.float32(1 / np.cosh(float(x)) ** 2))
    assert table.at["derivative", "largest_ulp"] == pytest.approx(worst / unit, rel=1e-3)
    assert table.at["forward", "largest_ulp"] < 4
    assert caplog.text == ""


def test_accuracy_without_such_forms_says_what_it_is_compared_with(own_file, caplog):
    caplog.set_level("INFO")
    table = certificate(sweep("accuracy", activations=[f"{own_file}:by_y"], count=2**12))
    assert f"{own_file}:by_y: no float64 forms are given" in caplog.text
    assert (table.verdict == NO_PROMISE).all()
    with pytest.raises(UserError, match="float64 results could only be compared with themselves"):
        certify.cells(activations=[f"{own_file}:by_y"], dtypes=["float64"])
    both = certify.cells(activations=["relu", f"{own_file}:by_y"], count=2**12)
    assert {(cell.activation, cell.dtype) for cell in both if cell.by == "gradfade"} == {
        ("relu", "float32"), ("relu", "float64"), (f"{own_file}:by_y", "float32"),
    }  # fmt: skip


def test_rows_are_the_same_in_other_processes(own_file, monkeypatch):
    """By a path from the working folder, too, which the workers share."""
    monkeypatch.chdir(own_file.parent)
    here = sweep("curves", activations=["own.py:leaky", "tanh"])
    with workers(1) as executor:
        there = sweep("curves", executor=executor, activations=["own.py:leaky", "tanh"])
    pd.testing.assert_frame_equal(here, there, check_exact=True)


def test_a_changed_file_is_measured_again(own_file, tmp_path, caplog):
    path, experiment = tmp_path / "own.py", EXPERIMENTS["curves"]
    name = f"{path}:full"
    run, tables, given = Run.create(tmp_path / "run", {}), [], own_file.read_text()
    for text in (given, given, given.replace("full_a = 1.25", "full_a = 1.5")):
        path.write_text(text)
        own.cache_clear()
        _read.cache_clear()
        assert digests(["tanh", name]).keys() == {name}
        tables.append(experiment.run(experiment.cells(activations=["tanh", name]), run))
    first, again, other = tables
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert caplog.text.count("curves: 1 cells were measured by other code") == 1
    same = first.value.to_numpy() == other.value.to_numpy()
    assert same[first.activation == "tanh"].all()
    assert not same[first.activation == name].all()


def test_a_file_that_changes_before_a_worker_reads_it_is_told(own_file, tmp_path):
    """Its rows would be another function's than the digest tells of, and trusted when the run goes on."""
    path, experiment, run = tmp_path / "own.py", EXPERIMENTS["curves"], Run.create(tmp_path / "run", {})
    path.write_text(own_file.read_text())
    cells = experiment.cells(activations=["tanh", f"{path}:full"])
    path.write_text(own_file.read_text().replace("full_a = 1.25", "full_a = 1.5"))
    with workers(1) as executor, pytest.raises(UserError, match=r"own.py:full: the file changed after the run") as told:
        experiment.run(cells, run, executor)
    assert "\n" not in str(told.value)
    assert pd.read_parquet(run.folder / "curves.parquet").activation.unique().tolist() == ["tanh"]
