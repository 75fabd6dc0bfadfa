"""One kernel cache per worker, chosen before anything imports kernels: concurrent writers can corrupt one."""

import os
from pathlib import Path

import platformdirs

_base = Path(os.environ.get("NUMBA_CACHE_DIR") or platformdirs.user_cache_dir("gradfade"))
os.environ["NUMBA_CACHE_DIR"] = str(_base / f"tests-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}")
