"""Processes beside this one: they leave Ctrl-C to it, and measure the same rows."""

import os
import signal

import pandas as pd

from suites import certify
from suites.workers import workers


def test_workers_are_other_processes_that_leave_ctrl_c_to_this_one():
    with workers(1) as executor:
        assert executor.submit(os.getpid).result() != os.getpid()
        assert executor.submit(signal.getsignal, signal.SIGINT).result() is signal.SIG_IGN


def test_a_worker_measures_the_same_rows():
    (cell, *_) = certify.cells(activations=["gelu"], dtypes=["float32"], count=2**10)
    with workers(1) as executor:
        rows = executor.submit(certify.measure, cell).result()
    pd.testing.assert_frame_equal(rows, certify.measure(cell))
