"""The cache folder of last resort, in a folder that everybody may write, is ours alone: Numba unpickles its files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kernels import cache

pytestmark = pytest.mark.skipif(not hasattr(os, "getuid"), reason="folders have no owner by number here")


def mode(folder):
    return folder.stat().st_mode & 0o777


def test_the_folder_is_made_and_kept_private(tmp_path):
    folder = tmp_path / "cache"
    assert cache.private(folder) == folder
    assert mode(folder) == 0o700
    folder.chmod(0o777)
    cache.private(folder)
    assert mode(folder) == 0o700


def test_the_folder_of_somebody_else_is_refused(tmp_path, monkeypatch):
    somebody = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: somebody)
    with pytest.raises(PermissionError, match=r"is not ours to cache kernels in; set NUMBA_CACHE_DIR"):
        cache.private(tmp_path)


def test_a_link_to_a_folder_is_refused(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.mkdir()
    link.symlink_to(target)
    with pytest.raises(PermissionError, match=r"is not ours"):
        cache.private(link)


def test_where_the_users_cache_cannot_be_written_the_private_folder_is_used(tmp_path):
    (tmp_path / "file").touch()
    nowhere = str(tmp_path / "file" / "below")
    env = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    env |= {"HOME": nowhere, "XDG_CACHE_HOME": nowhere, "TMPDIR": str(tmp_path)}
    env["PYTHONPATH"] = str(cache.SOURCES.parent)
    code = "from kernels.jit import CACHE_BASE; print(CACHE_BASE)"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, timeout=60)
    folder = Path(done.stdout.strip())
    assert folder.parent == tmp_path
    assert mode(folder) == 0o700
