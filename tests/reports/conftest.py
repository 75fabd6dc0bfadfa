"""Folders of a finished run, whose numbers follow the simple laws of synthetic*.py; what its figures say of them."""

import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from reports.figures import FIGURES
from reports.load import load
from reports.style import theme


def _beside(name: str) -> ModuleType:
    """The module beside this file, which no test can import by its name."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


synthetic, synthetic_remedies = _beside("synthetic"), _beside("synthetic_remedies")


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A finished run's folder, the same one for all tests: not to be changed."""
    tables = {"remedies": synthetic_remedies.remedies(), "remedy_times": synthetic_remedies.remedy_times()}
    return synthetic.write_run(tmp_path_factory.mktemp("finished") / "run", **tables)


@pytest.fixture
def make_run(finished, tmp_path):
    """make_run(name, factor): a new folder with that run, whose benchmarks take factor times as long."""

    def copy(name: str, factor: float = 1.0) -> Path:
        folder = shutil.copytree(finished, tmp_path / name, ignore=shutil.ignore_patterns("report"))
        (folder / "cost.json").write_text(json.dumps(synthetic.cost(factor)))
        return folder

    return copy


@pytest.fixture
def run(make_run) -> Path:
    """A finished run's folder, to be changed at will."""
    return make_run("run")


@pytest.fixture
def keep(run):
    """keep(*names): a finished run's folder with these tables alone, of which few figures are to be drawn."""

    def kept(*names: str) -> Path:
        for path in [*run.glob("*.parquet"), run / "cost.json"]:
            if path.stem not in names:
                path.unlink()
        return run

    return kept


@pytest.fixture
def edit():
    """Rewrite one Parquet table of a run by a function of it."""

    def rewrite(folder: Path, name: str, change) -> None:
        path = folder / f"{name}.parquet"
        change(pd.read_parquet(path)).to_parquet(path, index=False)

    return rewrite


@pytest.fixture
def finding():
    """finding(name, folder): the sentence of a figure."""

    def sentence(name: str, folder: Path) -> str:
        return FIGURES[name].finding(FIGURES[name].data(load(folder)))

    return sentence


@pytest.fixture
def drawn():
    """drawn(name, folder): a figure, as it is drawn."""

    def draw(name: str, folder: Path):
        with theme():
            return FIGURES[name].draw(FIGURES[name].data(load(folder)))

    return draw


@pytest.fixture
def gradfade(inside):
    """gradfade(*arguments), in this process: that a process ends as it should is a matter of test_cli.py."""
    return inside
