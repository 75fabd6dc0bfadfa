"""The documents keep their word: links resolve, the README's commands are there for CI, its examples run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(path for path in ROOT.glob("*.md")) + sorted(ROOT.glob("docs/*.md"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_within_the_project_resolve(document):
    targets = re.findall(r"\]\(([^)#:]+)\)", document.read_text())
    assert all((document.parent / target).exists() for target in targets)


@pytest.mark.parametrize("marker", ["tests", "main job"])
def test_ci_finds_the_readmes_commands(marker):
    lines = (ROOT / "README.md").read_text().splitlines()
    after = lines[lines.index(f"<!-- {marker} -->") + 1 :]
    assert after[1].startswith("python3 -m venv ")
    assert f'readme_command "{marker}"' in (ROOT / ".ci" / "run").read_text()


EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_readmes_examples_run(example, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-c", example]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
