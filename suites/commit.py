"""The commit that this code is of: asked of git in a checkout, written into the package when it is built from one.

Imports nothing outside the standard library: setup.py runs it.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BUILT = "commit.json"


def commit(root: Path = ROOT) -> dict[str, Any]:
    """commit, and whether files differ from it (modified); both None where neither git nor the package knows."""
    built = root / "suites" / BUILT
    if built.exists():
        return dict(json.loads(built.read_text(encoding="utf-8")))
    if not (root / ".git").exists():
        return {"commit": None, "modified": None}
    try:
        head, status = (
            subprocess.run(["git", "-C", str(root), *command], capture_output=True, text=True, check=True).stdout
            for command in (["rev-parse", "HEAD"], ["status", "--porcelain"])
        )
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "modified": None}
    return {"commit": head.strip(), "modified": bool(status.strip())}
