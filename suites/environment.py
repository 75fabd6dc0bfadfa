"""The environment record: everything of the machine and the software that a number may depend on."""

import os
import platform
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cpuinfo
import numpy as np
from threadpoolctl import threadpool_info

from kernels import jit
from kernels.openblas import blas_info
from suites.commit import commit
from suites.levels import caches
from suites.peers import CONTENDERS

ROOT = Path(__file__).parents[1]
GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
PACKAGES = ["numpy", "scipy", "mpmath", "pandas", "pyarrow", "scikit-learn", "scipy-openblas32", "pytest-benchmark"]
# Of the peers, where installed.
PEERS = list(dict.fromkeys(package for row in CONTENDERS.values() for package in row.needs))


def environment() -> dict[str, Any]:
    """The record of this machine and process, of plain values that JSON can hold.

    commit is None outside a checkout, governor and load are None where the system does not tell.
    """
    cpu = cpuinfo.get_cpu_info()
    threads, layer = jit.threading()
    return {
        "time": now(),
        "gradfade": version(),
        **commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu": cpu.get("brand_raw") or platform.processor(),
        "cores": os.cpu_count(),
        "cpu_flags": cpu.get("flags", []),
        "caches": caches(),
        "versions": {name: metadata.version(name) for name in [*PACKAGES, *filter(find_spec, PEERS)]} | jit.versions(),
        "blas": blas_info(),
        "numpy_core": numpy_core(),
        "threading_layer": layer,
        "threads": threads,
        "target": jit.TARGET[0],
        "denormals": {"before": denormals(), "after": None},
        "governor": GOVERNOR.read_text().strip() if GOVERNOR.exists() else None,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested objects as one level of "outer inner" -> value; lists are joined."""
    entries: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping):
            entries |= flat(value, f"{prefix}{name} ")
        else:
            entries[prefix + name] = " ".join(map(str, value)) if isinstance(value, list) else value
    return entries


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def denormals() -> str:
    """Whether this thread keeps subnormal float32 numbers: "kept", or how they are lost.

    A library built with -Ofast can switch that off when it is loaded.
    """
    smallest_normal = np.finfo(np.float32).smallest_normal
    half = np.full(64, smallest_normal) * np.float32(0.5)
    subnormal = np.full(64, smallest_normal.view(np.int32) >> 1).view(np.float32)
    # Bits, since a comparison would take subnormals as zero too.
    flushed = not half.view(np.int32).any()
    taken_as_zero = not (subnormal * np.float32(2)).view(np.int32).any()
    if not (flushed or taken_as_zero):
        return "kept"
    return " and ".join(["flushed to zero"] * flushed + ["taken as zero"] * taken_as_zero)


def numpy_core() -> str | None:
    """The core type that NumPy's own OpenBLAS chose, which may differ from blas's; None where it is another library."""
    rows = (row for row in threadpool_info() if Path(row["filepath"]).parent.name.startswith("numpy"))
    return next((row.get("architecture") for row in rows), None)


def version() -> str:
    """The version of gradfade: the installed one, or the checkout's."""
    source = ROOT / "pyproject.toml"
    if source.exists():
        return str(tomllib.loads(source.read_text())["project"]["version"])
    return metadata.version("gradfade")
