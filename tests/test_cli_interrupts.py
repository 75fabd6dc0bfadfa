"""Ctrl-C at the command line: it ends soon, what was measured is kept, and the same command goes on with it."""

import json
import re
import signal
import time

import pandas as pd
import pytest

from kernels import ACTIVATIONS


def interrupt(process, ready):
    """Ctrl-C once ready() says so; what the command then says on standard error."""
    deadline = time.monotonic() + 300
    while not ready():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in err
    return err


# A command, and what is in its folder when it is interrupted.
MOMENTS = {
    "before the first benchmark": (("run",), "environment.json"),
    "in a sweep": (("attenuate", "depth", *(f"--activation={name}" for name in ACTIVATIONS)), "cells/depth/*.parquet"),
    "while it certifies": (("certify", "identity", "relu", "--exhaustive"), "cells/accuracy/*.parquet"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interrupted_command_ends_and_keeps_what_it_measured(tmp_path, start, moment):
    command, met = MOMENTS[moment]
    err = interrupt(start(*command, "--out", "out"), lambda: any((tmp_path / "out").glob(met)))
    assert re.search(r"interrupted; (gradfade report out shows )?what was measured", err)
    assert json.loads((tmp_path / "out" / "environment.json").read_text())["finished"] is None
    for cells in (tmp_path / "out" / "cells").glob("*"):
        assert len(pd.read_parquet(tmp_path / "out" / f"{cells.name}.parquet")) > 0


def test_an_interrupted_run_leaves_a_readable_folder_and_is_resumed(tmp_path, start, gradfade):
    journal = tmp_path / "run" / "cost.jsonl"
    run = ("run", "--out", "run")
    interrupt(start(*run), lambda: journal.exists() and journal.read_text().count("\n") >= 2)
    measured = len(journal.read_text().splitlines())
    assert gradfade("report", "run")[0] == 0
    assert "did not finish" in (tmp_path / "run" / "report" / "index.html").read_text()

    assert "resumed" in interrupt(start(*run), lambda: len(journal.read_text().splitlines()) > measured)
