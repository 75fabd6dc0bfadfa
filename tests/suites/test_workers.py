"""Processes beside this one: they leave Ctrl-C to it, measure the same rows, and are replaced where they die."""

import importlib
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import pytest

from kernels.blas import set_threads
from kernels.jit import max_threads
from suites import certify
from suites.errors import UserError
from suites.experiment import EXPERIMENTS
from suites.results import CELLS, Run
from suites.workers import executor, workers

ROOT = Path(__file__).parents[2]
BUSY = """
import os, time
from suites.workers import workers

if __name__ == "__main__":
    with workers(2) as executor:
        print(*{executor.submit(os.getpid).result() for _ in range(20)}, flush=True)
        executor.submit(time.sleep, 60)
        executor.submit(time.sleep, 60).result()
"""


@pytest.fixture
def flaky(monkeypatch):
    """The module of cells that kill their workers, which these import by its name."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    yield importlib.import_module("flaky")
    del sys.modules["flaky"]


def test_workers_are_other_processes_that_leave_ctrl_c_to_this_one():
    with workers(1) as executor:
        assert executor.submit(os.getpid).result() != os.getpid()
        assert executor.submit(signal.getsignal, signal.SIGINT).result() is signal.SIG_IGN


def test_pipes_to_dead_workers_do_not_end_this_process():
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        with executor(2):
            assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGPIPE) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGPIPE, before)


def test_a_worker_measures_the_same_rows():
    (cell, *_) = certify.cells(activations=["gelu"], dtypes=["float32"], count=2**10)
    with workers(1) as executor:
        rows = executor.submit(certify.measure, cell).result()
    pd.testing.assert_frame_equal(rows, certify.measure(cell))


def test_workers_end_with_a_process_that_is_killed(tmp_path):
    (tmp_path / "busy.py").write_text(BUSY)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, tmp_path / "busy.py"], env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline().split()
        process.kill()
        assert process.stdout.read() == b""  # which ends when no process is left that could write to it


def test_killed_workers_are_replaced_and_nothing_is_lost(tmp_path, flaky):
    cells = [flaky.FlakyCell(seed, str(tmp_path), kills=seed == 3) for seed in range(8)]
    with executor(2) as pool:
        table = flaky.FLAKY.run(cells, Run.create(tmp_path / "run", {}), pool)
    assert (tmp_path / "3-0").exists()
    expected = flaky.FLAKY.run([flaky.FlakyCell(seed) for seed in range(8)])
    pd.testing.assert_frame_equal(table, expected, check_exact=True)


def test_the_cell_that_kills_its_worker_is_named_and_the_others_are_kept(tmp_path, flaky):
    run, cells = Run.create(tmp_path / "run", {}), [flaky.FlakyCell(seed, str(tmp_path)) for seed in range(6)]
    cells[2] = flaky.FlakyCell(2, str(tmp_path), kills=100)
    with executor(2) as pool, pytest.raises(UserError, match=rf"FlakyCell\(seed=2.*in {run.folder}, and the same"):
        flaky.FLAKY.run(cells, run, pool)
    assert pd.read_parquet(run.folder / "flaky.parquet").seed.unique().tolist() == [0, 1, 3, 4, 5]


def test_an_executor_that_cannot_go_on_ends_it_with_a_message(tmp_path, flaky):
    cells = [flaky.FlakyCell(seed, str(tmp_path), kills=seed == 1) for seed in range(4)]
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
        pytest.raises(UserError, match="workers die whatever they measure"),
    ):
        flaky.FLAKY.run(cells, Run.create(tmp_path / "run", {}), pool)
    assert len(pd.read_parquet(tmp_path / "run" / "flaky.parquet")) == 2


GRIDS = {
    "depth": {
        "architectures": ["plain", "transformer_pre"], "initializers": ["orthogonal"], "depths": [3], "widths": [192],
        "batch": 8, "seeds": 2,
    },
    "time": {"architectures": ["rnn"], "lengths": [5], "widths": [64], "batch": 8, "seeds": 2},
}  # fmt: skip


def test_tables_are_the_same_bytes_whoever_measures(tmp_path):
    def written(name, pool):
        run = Run.create(tmp_path / name, {})
        for experiment, grid in GRIDS.items():
            EXPERIMENTS[experiment].run(EXPERIMENTS[experiment].cells(**grid), run, pool)
        return [(run.folder / f"{experiment}.parquet").read_bytes() for experiment in GRIDS]

    expected = written("here", None)
    set_threads(max_threads())
    try:
        assert written("many threads here", None) == expected
    finally:
        set_threads(1)
    for count in (1, 2):
        with workers(count) as pool:
            assert written(f"{count} workers", pool) == expected


def test_a_sweep_whose_process_is_killed_goes_on(tmp_path, start, gradfade):
    names = ("--activation", "tanh", "--activation", "relu", "--activation", "selu", "--activation", "elu")
    command = ("attenuate", "depth", *names, "--depth", "30", "--width", "64", "--workers", "2", "--out", "run")
    process = start(*command)
    folder = tmp_path / "run" / CELLS / "depth"
    while not list(folder.glob("*.parquet")):
        assert process.poll() is None, process.communicate()
    process.kill()
    process.communicate()
    done = len(list(folder.glob("[0-9a-f]*.parquet")))
    code, out, err = gradfade(*command, "--format", "json")
    assert code == 0
    assert f"depth: {done} of 4 cells were done" in err
    assert len(json.loads(out)) == 4
