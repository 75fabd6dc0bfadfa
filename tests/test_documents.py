"""The documents keep their word: links resolve, and the README's commands are there for CI."""

import re
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
