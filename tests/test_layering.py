"""The rules of the layout, read from the sources: imports run one way, one module knows Numba."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("kernels", "suites", "reports", "gradfade")
SOURCES = sorted(path for layer in LAYERS for path in [*ROOT.glob(f"{layer}/**/*.py"), *ROOT.glob(f"{layer}.py")])


def imported(path: Path) -> set[str]:
    """Top-level names of every module that a file imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def layer(path: Path) -> str:
    """The layer a source file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_every_layer_has_sources():
    assert {layer(path) for path in SOURCES} == set(LAYERS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path):
    above = LAYERS[LAYERS.index(layer(path)) + 1 :]
    assert not imported(path) & set(above)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_jit_imports_numba(path):
    assert ("numba" in imported(path)) == (path == ROOT / "kernels" / "jit.py")


@pytest.mark.parametrize("path", sorted(ROOT.glob("kernels/*.py")), ids=lambda path: path.name)
def test_kernels_know_no_files_no_clocks_no_tables(path):
    forbidden = {"pandas", "pyarrow", "time", "rich", "typer"} | ({"pathlib"} if path.name != "cache.py" else set())
    assert not imported(path) & forbidden


@pytest.mark.parametrize("path", sorted(ROOT.glob("reports/*.py")), ids=lambda path: path.name)
def test_reports_compute_no_kernel(path):
    assert "kernels" not in imported(path)
