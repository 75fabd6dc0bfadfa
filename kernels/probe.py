"""Kernels that a machine's limits are timed with; suites/limits.py has the clock."""

from typing import Any

import numpy as np

from kernels.checks import check_apart, check_dtype, check_input, check_output
from kernels.intrinsics import fma, load, store
from kernels.jit import kernel

Array = np.ndarray[Any, Any]

# 16 chains of the widest vectors: two FMA units of latency 4 are never idle, and all stay in registers.
CHAIN_BYTES = 1024


def _fma_chains(lanes: int) -> Any:
    """x = x * factor + factor, rounds times, on lanes independent chains."""

    @kernel(name=f"fma_chains_{lanes}")
    def loop(x, factor, rounds):
        chains = np.empty(lanes, x.dtype)
        for i in range(lanes):
            chains[i] = x[i]
        for _ in range(rounds):
            for i in range(lanes):
                chains[i] = fma(chains[i], factor, factor)
        for i in range(lanes):
            x[i] = chains[i]

    return loop


_FMA = {np.dtype(T): _fma_chains(CHAIN_BYTES // np.dtype(T).itemsize) for T in (np.float32, np.float64)}


def fma_chain(x: Array, rounds: int) -> int:
    """Multiply-adds on every lane of x, rounds times over; the floating-point operations that took.

    x: one number per lane, of size chain_lanes(dtype), changed in place.
    """
    dtype = check_dtype("x", x)
    check_output("x", x, dtype, chain_lanes(dtype))
    _FMA[dtype](x, dtype.type(0.5), rounds)
    return 2 * x.size * rounds


def chain_lanes(dtype: np.dtype[Any]) -> int:
    """How many independent chains fma_chain runs."""
    return CHAIN_BYTES // dtype.itemsize


@kernel(fastmath={"reassoc", "nsz"})
def _read(x, rounds):
    total = x.dtype.type(0)
    for _ in range(rounds):
        for i in range(x.size):
            total += x[i]
    return total


@kernel()
def _copy(y, x, rounds):
    for _ in range(rounds):
        for i in range(x.size):
            store(y, i, load(x, i))


@kernel()
def _triad(z, y, x, rounds):
    for _ in range(rounds):
        for i in range(x.size):
            store(z, i, load(y, i) * load(x, i))


def read(x: Array, rounds: int = 1) -> float:
    """The sum of x (n,), in any order, rounds times over: one array read a round."""
    check_input("x", x, check_dtype("x", x), None)
    return float(_read(x, rounds))


def copy(y: Array, x: Array, rounds: int = 1) -> None:
    """y = x, both (n,), rounds times over: one array read, one written a round."""
    dtype = check_dtype("x", x)
    check_output("y", y, dtype, *x.shape)
    check_input("x", x, dtype, None)
    check_apart("y", y, x=x)
    _copy(y, x, rounds)


def triad(z: Array, y: Array, x: Array, rounds: int = 1) -> None:
    """z = y * x, all (n,), rounds times over: two arrays read, one written a round."""
    dtype = check_dtype("x", x)
    check_output("z", z, dtype, *x.shape)
    check_input("y", y, dtype, *x.shape)
    check_input("x", x, dtype, None)
    check_apart("z", z, y=y, x=x)
    _triad(z, y, x, rounds)
