"""What a person asks of a machine that misbehaves: environment, kernel cache and measured limits, as one table."""

import shutil
from typing import Any

import pandas as pd

from kernels import jit
from suites import limits
from suites.environment import environment, flat
from suites.errors import UserError


def examine() -> pd.DataFrame:
    """Columns subject, name, value, unit: the environment record, the kernel cache, and the limits probed now."""
    probed = limits.measure()  # before the cache is measured: it compiles the probes
    cache = {"folder": str(jit.CACHE_BASE), "this version": jit.CACHE_DIR.name, "MiB": cache_bytes() / 2**20}
    limit = {f"{probe}, {where}": value for probe, measured in probed.items() for where, value in measured.items()}
    record: dict[str, dict[str, Any]] = {"environment": environment(), "cache": cache, "limit": limit}
    units = {"fma": "GFLOP/s", **dict.fromkeys(limits.BANDWIDTHS, "GB/s")}
    return pd.DataFrame(
        [
            {"subject": subject, "name": name, "value": value, "unit": units.get(name.partition(",")[0], "")}
            for subject, entries in record.items()
            for name, value in flat(entries).items()
        ]
    )


def cache_bytes() -> int:
    """Bytes of all compiled kernels on disk, of this version and of older ones."""
    return sum(path.stat().st_size for path in jit.CACHE_BASE.rglob("*") if path.is_file())


def clear_cache() -> int:
    """Delete every compiled kernel on disk; the bytes that were freed. UserError where a file cannot be deleted."""
    freed = cache_bytes()
    try:
        if jit.CACHE_BASE.exists():
            shutil.rmtree(jit.CACHE_BASE)
    except OSError as error:
        raise UserError(f"cannot clear {jit.CACHE_BASE}: {error.strerror}") from None
    return freed
