"""Ctrl-C ends what is going on even where Python drops its exception; in processes of their own, which it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LISTENING = "import ctypes, signal\nfrom suites import interrupts\ninterrupts.listen()\n"
# A function that C calls, as LLVM calls Numba's object cache.
DROPPED = "ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGINT))()\n"


def python(script):
    """Exit code, standard output and error of a script."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_an_interrupt_is_raised_where_it_comes():
    script = "try:\n    signal.raise_signal(signal.SIGINT)\nexcept KeyboardInterrupt:\n    print('raised')\n"
    assert python(LISTENING + script)[:2] == (0, "raised\n")


def test_a_dropped_interrupt_is_raised_where_it_is_asked_for():
    script = "print('dropped')\ntry:\n    interrupts.check()\nexcept KeyboardInterrupt:\n    print('raised')\n"
    code, out, err = python(LISTENING + "interrupts.check()\n" + DROPPED + script)
    assert (code, out) == (0, "dropped\nraised\n")
    assert "Exception ignored" in err


FAILS = """
try:
    with interrupts.heeded():
        {}
        raise OSError
except BaseException as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize(("before", "raised"), [("pass", "OSError"), (DROPPED.strip(), "KeyboardInterrupt")])
def test_an_error_that_follows_a_dropped_interrupt_is_that_interrupt(before, raised):
    assert python(LISTENING + FAILS.format(before))[1] == f"{raised}\n"


def test_a_second_interrupt_ends_the_process_at_once():
    code, out, _ = python(LISTENING + DROPPED + "print('first', flush=True)\n" + DROPPED + "print('second')\n")
    assert (code, out) == (-2, "first\n")


def test_a_benchmark_that_drops_one_is_the_last(session, tmp_path):
    (tmp_path / "dropping.py").write_text(
        "import ctypes, signal\n"
        "from kernels.elementwise import Activation\n"
        "right, left = Activation.forward, [1]\n"
        "def forward(self, *arguments):\n"
        "    right(self, *arguments)\n"
        "    while left:\n"
        "        left.pop()\n"
        f"        {DROPPED}"
        "Activation.forward = forward\n"
    )
    few = ("suites/bench_activations.py", "-k", "relu6-forward-L2 or hardtanh-forward-L2", "--benchmark-only")
    out = tmp_path / "out"
    ignored = ("-W", "ignore::pytest.PytestUnraisableExceptionWarning")
    done = session(*few, *ignored, "-p", "dropping", "--gradfade-out", out, path=[tmp_path])
    assert done.returncode == pytest.ExitCode.INTERRUPTED, done.stdout
    assert len((out / "cost.jsonl").read_text().splitlines()) == 1
    assert json.loads((out / "environment.json").read_text())["finished"] is None


def test_a_cell_that_drops_one_is_the_last(tmp_path):
    """The cell fails, as what LLVM was compiling does; what was measured before it is kept."""
    script = f"""
from dataclasses import dataclass
from pathlib import Path
from suites.experiment import Experiment
from suites.results import Run
from suites.schema import rows

@dataclass(frozen=True)
class Cell:
    seed: int

def measure(cell):
    print(cell.seed)
    if cell.seed == 1:
        {DROPPED.strip()}
        raise RuntimeError("no compiled object yet")
    return rows({{"experiment": "fake"}}, seed=cell.seed)

run = Run.create(Path({str(tmp_path / "run")!r}), {{}})
try:
    Experiment("fake", None, measure).run([Cell(seed) for seed in range(3)], run)
except KeyboardInterrupt:
    print("interrupted")
"""
    assert python(LISTENING + script)[:2] == (0, "0\n1\ninterrupted\n")
    assert (tmp_path / "run" / "fake.parquet").exists()
