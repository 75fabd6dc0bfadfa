"""Processes beside this one: they leave Ctrl-C to it, and measure the same rows."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd

from suites import certify
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
