"""The benchmark suites run from Python: resumed, refused, and untouched by what the user's pytest is told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from suites import benchmarks
from suites.errors import UserError

ROOT = Path(__file__).parents[2]
CALL = "import json, sys; from suites.benchmarks import run; print(json.dumps(run(**json.loads(sys.argv[1]))))"
ONE = {"suites": ["activations"], "profile": "quick", "seed": 0, "select": "relu6-forward-L2"}


def run(**arguments):
    """Exit code, what benchmarks.run returned or the last line of its error; in a process, since pytest runs in one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    environment |= {"PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": "--collect-only --no-such-option"}
    done = subprocess.run(
        [sys.executable, "-c", CALL, json.dumps(arguments)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return done.returncode, done.stderr.strip().splitlines()[-1]
    return 0, json.loads(done.stdout)


def journal(folder):
    return (folder / "cost.jsonl").read_text()


def test_what_is_done_is_not_done_again(tmp_path):
    """As `gradfade run` does when it was interrupted after its benchmarks; PYTEST_ADDOPTS changes nothing."""
    folder = {"folder": str(tmp_path / "out")}
    assert run(**ONE, **folder, more_to_come=True) == (0, {})
    before = journal(tmp_path / "out")
    limits = json.loads((tmp_path / "out" / "cost.json").read_text())["gradfade"]["limits"]
    assert limits["fma"]["float32"] > 0
    assert before.count("\n") == 1
    assert run(**ONE, **folder, more_to_come=True) == (0, {})
    assert journal(tmp_path / "out") == before
    assert json.loads((tmp_path / "out" / "cost.json").read_text())["gradfade"]["limits"] == limits
    record = json.loads((tmp_path / "out" / "environment.json").read_text())
    assert record["finished"] is None
    assert record["configuration"] == {"command": "run", "profile": "quick", "seed": 0}

    code, error = run(**ONE, **folder)
    assert code == 1
    assert "another configuration (command: 'run' there, 'bench' asked)" in error
    assert json.loads((tmp_path / "out" / "environment.json").read_text()) == record


def test_what_is_done_of_another_state_of_ones_own_file_is_not_resumed(tmp_path):
    path, folder = tmp_path / "own.py", {"folder": str(tmp_path / "out")}
    path.write_text("def f(x):\n    return x\ndef f_derivative(x):\n    return type(x)(1)\n")
    asked = {**ONE, "select": "own.py:f-forward-L2", "own": [f"{path}:f"], "more_to_come": True, **folder}
    assert run(**asked) == (0, {})
    (benchmark,) = json.loads((tmp_path / "out" / "cost.json").read_text())["benchmarks"]
    assert benchmark["name"] == f"test_activation[{path}:f-forward-L2-float32]"
    assert benchmark["params"]["activation"] == benchmark["extra_info"]["activation"] == f"{path}:f"
    path.write_text(path.read_text() + "# another\n")
    code, error = run(**asked)
    assert code == 1
    assert "holds a run of another configuration (activations: " in error


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"seed": -1}, "seed must be a whole number of 0 or more, got -1"),
        ({"profile": "quik"}, "unknown profile 'quik'"),
        ({"own": ["relu"]}, "relu is measured anyway; give an activation of your own, FILE.py:NAME"),
        ({"suites": ["activation"]}, "unknown suite 'activation'; nearest: activations"),
    ],
)
def test_a_mistake_is_refused_before_anything_is_written(tmp_path, wrong, message):
    with pytest.raises(UserError, match=message):
        benchmarks.run(**{**ONE, **wrong}, folder=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("select", "nearest"), [("lsmt", "lstm"), ("adm", "adam"), ("layer_nrm", "layer_norm")])
def test_a_mistyped_selection_is_told_what_is_near(tmp_path, select, nearest):
    code, error = run(suites=["optimizers"], profile="quick", seed=0, select=select, folder=str(tmp_path / "out"))
    assert code == 1
    assert f"no benchmark matches -k '{select}'; nearest: " in error
    assert nearest in error


def test_the_main_job_leaves_out_what_its_experiments_measure():
    assert {*benchmarks.SUITES} - {*benchmarks.COSTS} == {"attenuation", "peers"}
