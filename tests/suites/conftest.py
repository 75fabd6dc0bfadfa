"""Benchmark sessions run as a user runs them: pytest in a process of its own."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).parents[2]


def pytest_configure(config):
    for marker in ("full", "grid"):
        config.addinivalue_line("markers", f"{marker}: as in suites/conftest.py, for the tests that read the grids")


@pytest.fixture(scope="session")
def simulated():
    """Networks in plain NumPy, of simulated.py beside this file."""
    spec = importlib.util.spec_from_file_location("simulated", Path(__file__).with_name("simulated.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with threadpool_limits(limits=1, user_api="blas"):  # of matrices so small, threads only wait for one another
        yield module


@pytest.fixture(scope="module")
def own_file(tmp_path_factory):
    """The path of a copy of own.py beside this file; the colon of its folder is no NAME."""
    return Path(shutil.copy(Path(__file__).with_name("own.py"), tmp_path_factory.mktemp("a:b")))


@pytest.fixture
def timeless(monkeypatch):
    """A diagnosis times nothing: each step takes 2 ns, half more where other than initialiser or activation changes."""
    from suites import diagnosis  # most tests here do without its imports
    from suites.step_time import StepTime

    def time(a, b, **clip):
        ratio = 1.5 if clip or a.architecture != b.architecture else 1.0
        return StepTime(ratio, ratio - 0.05, ratio + 0.05, 2.0)

    monkeypatch.setattr(diagnosis, "step_time", time)


@pytest.fixture(scope="session")
def session():
    """session(*arguments, path=(), wait=True): pytest on the suites, from the checkout; the process when done.

    path: folders to import from as well. Without wait the running process is given. Plugins that are here for these
    tests alone are left out, as they are where users are.
    """

    def start(*arguments, path=(), wait=True):
        # a worker of pytest-xdist would have pytest-benchmark switch itself off
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        environment["PYTHONPATH"] = os.pathsep.join(map(str, (ROOT, *path)))
        without = (f"-pno:{name}" for name in ("cacheprovider", "hypothesispytest", "xdist", "xdist.looponfail"))
        command = [sys.executable, "-m", "pytest", *without, *map(str, arguments)]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if not wait:
            return process
        output, _ = process.communicate(timeout=600)
        return subprocess.CompletedProcess(command, process.returncode, output)

    return start
