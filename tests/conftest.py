"""One kernel cache per worker, chosen before anything imports kernels: concurrent writers can corrupt one."""

import os
from pathlib import Path

import platformdirs

_base = Path(os.environ.get("NUMBA_CACHE_DIR") or platformdirs.user_cache_dir("gradfade"))
# Taken out of the environment: pytest-benchmark would switch itself off in the processes that the tests start.
_worker = os.environ.pop("PYTEST_XDIST_WORKER", "main")
os.environ["NUMBA_CACHE_DIR"] = str(_base / f"tests-{_worker}")
