"""What one core of this machine can do, and two where there are, probed in the session that is held against it."""

import timeit
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kernels import probe
from kernels.blas import set_threads
from kernels.checks import DTYPES
from kernels.jit import max_threads, num_threads
from kernels.layer import empty
from suites.levels import levels

ROUNDS = 7
ROUND_SECONDS = 2e-3
FMA_ROUNDS = 100_000

# Probe -> how it runs on three arrays, and how many of them it moves; copy and triad take rounds, threads and streams.
READ: tuple[Callable[..., Any], int] = (lambda x, y, z, rounds: probe.read(x, rounds), 1)
WRITES: dict[str, tuple[Callable[..., Any], int]] = {
    "copy": (lambda x, y, z, *how: probe.copy(y, x, *how), 2),
    "triad": (lambda x, y, z, *how: probe.triad(z, y, x, *how), 3),
}
THREADS = (1, 2) if max_threads() > 1 else (1,)


def in_threads(name: str, threads: int) -> str:
    """The name of a probe run in so many threads."""
    return name if threads == 1 else f"{name}_{threads}_threads"


# Every probe of a bandwidth.
BANDWIDTHS = ["read", *(in_threads(name, threads) for threads in THREADS for name in WRITES)]

# One probed pass moves at least this many bytes per array, so that the call itself does not count.
PASS_BYTES = 2**20


def measure() -> dict[str, dict[str, float]]:
    """Limits of one core: fma in GFLOP/s by dtype; read, copy and triad (two in, one out) in GB/s by cache level.

    copy and triad write into the caches or past them, whichever is faster; copy_2_threads is of two cores together.
    """
    limits: dict[str, dict[str, float]] = {"fma": {name: _fma_peak(dtype) for name, dtype in DTYPES.items()}}
    for name in BANDWIDTHS:
        limits[name] = {}
    before = num_threads()
    try:
        for level, size in levels().items():
            limits["read"][level] = _rate(size, READ)
            for threads in THREADS:
                set_threads(threads)
                for name, probed in WRITES.items():
                    rates = (_rate(size, probed, threads, streams) for streams in (False, True))
                    limits[in_threads(name, threads)][level] = max(rates)
    finally:
        set_threads(before)
    return limits


def _rate(size: int, probed: tuple[Callable[..., Any], int], *how: Any) -> float:
    """GB/s of a probe on arrays of size bytes."""
    run, streams = probed
    arrays = [empty((size // 4,), DTYPES["float32"]) for _ in range(3)]
    for array in arrays:
        array.fill(1)
    rounds = max(1, PASS_BYTES // size)
    return per_second(partial(run, *arrays, rounds, *how), streams * size * rounds) / 1e9


def per_second(call: Callable[[], Any], amount: float) -> float:
    """What call does per second, where one call does amount of it: the fastest of some rounds of a few milliseconds."""
    call()
    number = max(1, int(ROUND_SECONDS / min(timeit.repeat(call, number=1, repeat=2))))
    return amount * number / min(timeit.repeat(call, number=number, repeat=ROUNDS))


def _fma_peak(dtype: np.dtype[Any]) -> float:
    x = np.full(probe.chain_lanes(dtype), 1.0, dtype)
    return per_second(lambda: probe.fma_chain(x, FMA_ROUNDS), probe.fma_chain(x, FMA_ROUNDS)) / 1e9
