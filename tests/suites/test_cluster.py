"""The same rows by a Dask cluster of two worker processes, and its faults told in a line."""

import importlib
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from suites import cluster
from suites.errors import UserError
from suites.results import CELLS, Run
from suites.sweep import sweep
from suites.workers import executor

distributed = pytest.importorskip("distributed")

TINY = {"architectures": ["plain", "transformer_pre"], "initializers": ["he_normal", "orthogonal"]}
TINY |= {"activations": ["tanh", "relu"], "depths": [3], "widths": [64], "batch": 4, "seeds": 1}


@pytest.fixture(scope="module")
def flaky():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        yield importlib.import_module("flaky")
        del sys.modules["flaky"]


@pytest.fixture(scope="module")
def two_workers(flaky):
    """The address of a scheduler with two workers of one thread each, which are started anew where they die."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=60
    ) as running:
        yield running.scheduler_address


def processes(address):
    """Worker -> its process."""
    with distributed.Client(address, set_as_default=False) as client:
        return client.run(os.getpid)


def test_rows_are_the_same_bits(tmp_path, two_workers):
    with executor(1, two_workers) as pool:
        table = sweep("depth", out=tmp_path / "there", executor=pool, **TINY)
    pd.testing.assert_frame_equal(table, sweep("depth", out=tmp_path / "here", **TINY), check_exact=True)
    assert (tmp_path / "there/depth.parquet").read_bytes() == (tmp_path / "here/depth.parquet").read_bytes()


def test_a_worker_killed_half_way_is_no_loss(tmp_path, two_workers, flaky):
    cells = [flaky.FlakyCell(seed, seconds=0.2) for seed in range(12)]
    run, pids = Run.create(tmp_path / "run", {}), list(processes(two_workers).values())

    def progress(done, total):
        if done == 4:
            os.kill(pids.pop(), signal.SIGKILL)

    with executor(1, two_workers) as pool:
        table = flaky.FLAKY.run(cells, run, pool, progress)
    assert len(pids) == 1
    pd.testing.assert_frame_equal(table, flaky.FLAKY.run(cells), check_exact=True)


def test_a_scheduler_that_ends_is_told_and_what_was_measured_kept(tmp_path, flaky):
    cells = [flaky.FlakyCell(seed, seconds=0.2) for seed in range(50)]
    run = Run.create(tmp_path / "run", {})
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=":0", processes=False
    ) as running:

        def progress(done, total):
            if done == 2:
                threading.Thread(target=running.close).start()

        with (
            executor(1, running.scheduler_address) as pool,
            pytest.raises(UserError, match=r"is gone, or its workers are; what was measured is in"),
        ):
            flaky.FLAKY.run(cells, run, pool, progress)
    assert 2 <= len(list((run.folder / CELLS / "flaky").iterdir())) < 50


def test_workers_that_are_gone_are_not_waited_for(monkeypatch, flaky):
    monkeypatch.setattr(cluster, "PATIENCE", 2)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=":0", processes=False
    ) as running:

        def progress(done, total):
            if done == 1:
                running.scale(0)

        with executor(1, running.scheduler_address) as pool, pytest.raises(UserError, match="or its workers are"):
            flaky.FLAKY.run([flaky.FlakyCell(seed, seconds=0.2) for seed in range(50)], None, pool, progress)


def test_a_scheduler_without_workers_is_told(monkeypatch):
    monkeypatch.setattr(cluster, "SECONDS", 1)
    with (
        distributed.LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=":0", processes=False) as running,
        pytest.raises(UserError, match="has no workers"),
        executor(1, running.scheduler_address),
    ):
        pass


def test_workers_of_another_gradfade_are_refused(monkeypatch, two_workers):
    monkeypatch.setattr(cluster, "code", lambda: {"gradfade": os.getpid()})
    told = rf"would measure other rows.*'gradfade': \d+.*not .*'gradfade': {os.getpid()}"
    with pytest.raises(UserError, match=told), executor(1, two_workers):
        pass


MISTAKES = {
    "nobody there": ("127.0.0.1:1", "no Dask scheduler at 127.0.0.1:1"),
    "no port": ("nowhere", "missing port number"),
    "another protocol": ("foo://127.0.0.1:1", "unknown address scheme"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_address_gets_one_line(tmp_path, gradfade, mistake):
    address, told = MISTAKES[mistake]
    began = time.monotonic()
    code, out, err = gradfade("attenuate", "depth", "--dask", address, "--out", "run")
    assert (code, out) == (2, "")
    assert told in err
    assert len(err.splitlines()) == 1
    assert time.monotonic() - began < 60
    assert not list(tmp_path.iterdir())


def test_workers_and_a_cluster_exclude_each_other():
    with pytest.raises(UserError, match="not both"), executor(2, "127.0.0.1:1"):
        pass


def test_without_the_extra_the_way_to_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"pip install '\.\[dask\]'"), executor(1, "127.0.0.1:1"):
        pass
