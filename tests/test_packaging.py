"""What `pip install .` installs is complete: it runs from another folder, without the checkout."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder a wheel is unpacked into; its dependencies are this environment's. Built from a copy: setuptools
    leaves a build folder, whose stale modules get into the next wheel."""
    source, target = tmp_path_factory.mktemp("source") / "gradfade", tmp_path_factory.mktemp("installed")
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns(".[!g]*", "build", "*.egg-info", "results", "__pycache__")
    )
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, source]
    done = subprocess.run(pip, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return target


def gradfade(installed, folder, *arguments):
    """Run the installed command in a folder; its exit code and what it printed."""
    command = [sys.executable, installed / "bin" / "gradfade", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_the_installed_copy_is_what_runs(installed, tmp_path):
    code = (
        "import gradfade, kernels, suites, reports; print(*(m.__file__ for m in (gradfade, kernels, suites, reports)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert all(path.startswith(str(installed)) for path in done.stdout.split()), done.stdout + done.stderr


def test_benchmarks_and_report_work_from_any_folder(installed, tmp_path):
    code, output = gradfade(installed, tmp_path, "bench", "-k", "tanh-forward-L2-float32", "--out", "run")
    assert code == 0, output
    code, output = gradfade(installed, tmp_path, "report", "run")
    assert code == 0, output
    assert "tanh" in (tmp_path / "run" / "report" / "index.html").read_text()


def test_the_installed_copy_knows_its_commit(installed):
    head = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    assert json.loads((installed / "suites" / "commit.json").read_text())["commit"] == head.strip()


def test_what_is_not_python_is_installed_too(installed):
    assert all((installed / layer / "py.typed").exists() for layer in ("kernels", "suites", "reports"))
    assert list((installed / "reports" / "templates").iterdir())
