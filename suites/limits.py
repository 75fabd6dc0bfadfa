"""What one core of this machine can do, probed in the session whose results are held against it."""

import timeit
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kernels import probe
from kernels.checks import DTYPES
from kernels.layer import empty
from suites.levels import levels

ROUNDS = 7
ROUND_SECONDS = 2e-3
FMA_ROUNDS = 100_000

# Probe -> how it runs on three arrays of a level, as often as told, and how many of them it moves.
BANDWIDTHS: dict[str, tuple[Callable[..., Any], int]] = {
    "read": (lambda x, y, z, rounds: probe.read(x, rounds), 1),
    "copy": (lambda x, y, z, rounds: probe.copy(y, x, rounds), 2),
    "triad": (lambda x, y, z, rounds: probe.triad(z, y, x, rounds), 3),
}

# One probed pass moves at least this many bytes per array, so that the call itself does not count.
PASS_BYTES = 2**20


def measure() -> dict[str, dict[str, float]]:
    """Limits of one core: fma in GFLOP/s by dtype; read, copy and triad (two in, one out) in GB/s by cache level."""
    limits = {"fma": {name: _fma_peak(dtype) for name, dtype in DTYPES.items()}}
    for name in BANDWIDTHS:
        limits[name] = {}
    for level, size in levels().items():
        arrays = [empty((size // 4,), DTYPES["float32"]) for _ in range(3)]
        for array in arrays:
            array.fill(1)
        rounds = max(1, PASS_BYTES // size)
        for name, (run, streams) in BANDWIDTHS.items():
            limits[name][level] = per_second(partial(run, *arrays, rounds), streams * size * rounds) / 1e9
    return limits


def per_second(call: Callable[[], Any], amount: float) -> float:
    """What call does per second, where one call does amount of it: the fastest of some rounds of a few milliseconds."""
    call()
    number = max(1, int(ROUND_SECONDS / min(timeit.repeat(call, number=1, repeat=2))))
    return amount * number / min(timeit.repeat(call, number=number, repeat=ROUNDS))


def _fma_peak(dtype: np.dtype[Any]) -> float:
    x = np.full(probe.chain_lanes(dtype), 1.0, dtype)
    return per_second(lambda: probe.fma_chain(x, FMA_ROUNDS), probe.fma_chain(x, FMA_ROUNDS)) / 1e9
