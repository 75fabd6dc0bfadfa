"""One kernel cache per worker, chosen before anything imports kernels: concurrent writers can corrupt one.

And the command line as a user meets it: a process, its output, its exit code.
"""

import os
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

ROOT = Path(__file__).parents[1]

_base = Path(os.environ.get("NUMBA_CACHE_DIR") or platformdirs.user_cache_dir("gradfade"))
# Taken out of the environment: pytest-benchmark would switch itself off in the processes that the tests start.
_worker = os.environ.pop("PYTEST_XDIST_WORKER", "main")
os.environ["NUMBA_CACHE_DIR"] = str(_base / f"tests-{_worker}")


@pytest.fixture
def start(tmp_path):
    """start(*arguments): the command as a process in the test's folder."""

    def process(*arguments):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [sys.executable, ROOT / "gradfade.py", *arguments],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    return process


@pytest.fixture
def gradfade(start):
    """gradfade(*arguments): exit code, standard output and standard error of the command."""

    def done(*arguments):
        process = start(*arguments)
        out, err = process.communicate(timeout=600)
        return process.returncode, out, err

    return done
