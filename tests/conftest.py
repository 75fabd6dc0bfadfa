"""The command line as a user meets it: a process, its output, its exit code. And what makes the tests cheaper.

All workers of pytest-xdist share one kernel cache, as any two processes of a user's do: one of them compiles a kernel,
the others load it.
"""

import gc
import importlib
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Half of the tests' time is Numba's compiler, which makes objects by the million that all stay: looking through them
# for garbage as often as Python does by default took an eighth of it.
gc.set_threshold(100_000)

# pytest-benchmark would switch itself off in the processes that the tests start.
os.environ.pop("PYTEST_XDIST_WORKER", None)


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


@pytest.fixture
def inside(tmp_path, monkeypatch, capfd):
    """inside(*arguments): the same of the command in this process, which has imported everything already."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGPIPE)}
    level = logging.root.level
    monkeypatch.syspath_prepend(str(ROOT))
    command, own_activations = map(importlib.import_module, ("gradfade", "suites.own_activations"))
    monkeypatch.chdir(tmp_path)

    def done(*arguments):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["gradfade", *map(str, arguments)])
            patch.setattr(command.notes, "file", sys.stderr)
            patch.setattr(logging.root, "handlers", [])  # of pytest: with any the command would add none of its own
            with pytest.raises(SystemExit) as end:
                command.main()
        return end.value.code or 0, *capfd.readouterr()

    yield done
    for kept in (own_activations.own, own_activations._read):  # own.py is another file in another folder
        kept.cache_clear()
    logging.root.setLevel(level)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def run_code():
    """run_code(code, folder): code as a fresh process in that folder; its one line of JSON.

    cache: where it keeps its kernels, else where the tests do; source: where it imports kernels from.
    """

    def run(code, folder, cache=None, source=ROOT, arguments=(), **environment):
        environment = {**os.environ, "PYTHONPATH": str(source), **environment}
        if cache is not None:
            environment["NUMBA_CACHE_DIR"] = str(cache)
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
