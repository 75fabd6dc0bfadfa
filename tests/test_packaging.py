"""What `pip install .` installs is complete: it runs from another folder, without the checkout."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder a wheel of this checkout is unpacked into; its dependencies are this environment's."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, ROOT]
    done = subprocess.run(pip, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return target


def gradfade(installed, folder, *arguments):
    """Run the installed command in a folder; its exit code and what it printed."""
    command = [sys.executable, installed / "bin" / "gradfade", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )


def test_the_installed_copy_is_what_runs(installed, tmp_path):
    code = (
        "import gradfade, kernels, suites, reports; print(*(m.__file__ for m in (gradfade, kernels, suites, reports)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert all(path.startswith(str(installed)) for path in done.stdout.split()), done.stdout + done.stderr


def test_benchmarks_and_report_work_from_any_folder(installed, tmp_path):
    bench = gradfade(installed, tmp_path, "bench", "-k", "tanh-forward-L2-float32", "--out", "run")
    assert bench.returncode == 0, bench.stdout + bench.stderr
    report = gradfade(installed, tmp_path, "report", "run")
    assert report.returncode == 0, report.stdout + report.stderr
    assert "tanh" in (tmp_path / "run" / "report" / "index.html").read_text()
