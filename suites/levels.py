"""The cache levels of this machine, and how large an array is that lives in each of them."""

import platform
import subprocess
from functools import cache
from pathlib import Path

import numpy as np

SYSFS = Path("/sys/devices/system/cpu/cpu0/cache")
KIB, MIB = 2**10, 2**20

# Where neither Linux nor macOS tells: what most cores of the last ten years have at least.
UNKNOWN = {"L1": 32 * KIB, "L2": MIB, "L3": 16 * MIB}

# Beyond what one core keeps in a cache; peers are compared at 16,777,216 float32, which is this size.
DRAM_BYTES = 64 * MIB

# dy, x, y and dx of a backward or fused pass live in the level together.
STREAMS = 4


def _sysfs(folder: Path) -> dict[str, int]:
    sizes = {}
    for index in sorted(folder.glob("index*")):
        if (index / "type").read_text().strip() != "Instruction":
            size = (index / "size").read_text().strip()
            sizes["L" + (index / "level").read_text().strip()] = int(size.removesuffix("K")) * KIB
    return sizes


def _sysctl() -> dict[str, int]:
    keys = {"L1": "hw.l1dcachesize", "L2": "hw.l2cachesize", "L3": "hw.l3cachesize"}
    found = {}
    for level, key in keys.items():
        done = subprocess.run(["sysctl", "-n", key], capture_output=True, text=True, check=False)
        if done.returncode == 0 and int(done.stdout or 0):
            found[level] = int(done.stdout)
    return found


@cache
def caches() -> dict[str, int]:
    """Bytes of the data caches that a core sees, by level (L1, L2, and L3 where there is one)."""
    try:
        found = _sysctl() if platform.system() == "Darwin" else _sysfs(SYSFS)
    except (OSError, ValueError):
        found = {}
    return found if {"L1", "L2"} <= found.keys() else UNKNOWN


def array_bytes(sizes: dict[str, int]) -> dict[str, int]:
    """Bytes of one array per level, of which STREAMS fill at most half of that level's cache.

    A power of two. An L3 is often shared, with other machines too: no more of it is used than 16 times the L2.
    """
    budget = {level: size // 2 for level, size in sizes.items() if level in UNKNOWN}
    if "L3" in budget:
        budget["L3"] = min(budget["L3"], 16 * sizes["L2"])
    arrays = {level: 2 ** ((share // STREAMS).bit_length() - 1) for level, share in budget.items()}
    return {**arrays, "DRAM": DRAM_BYTES}


def level_of(size: int) -> str:
    """The smallest cache that holds so many bytes, no more of an L3 than 16 times the L2; or DRAM."""
    sizes = caches()
    held = {level: min(most, 16 * sizes["L2"]) for level, most in sizes.items() if level in UNKNOWN}
    return next((level for level, most in held.items() if size <= most), "DRAM")


def levels() -> dict[str, int]:
    """Bytes of one array in each level of this machine."""
    return array_bytes(caches())


def elements(level: str, dtype: str) -> int:
    """Elements of one array of dtype in level."""
    return levels()[level] // np.dtype(dtype).itemsize
