"""Kernels that a machine's limits are timed with; suites/limits.py has the clock."""

from functools import cache
from typing import Any

import numpy as np

from kernels import passes
from kernels.checks import check_apart, check_dtype, check_input, check_output
from kernels.intrinsics import fma, load, store
from kernels.jit import kernel
from kernels.loops import blocks
from kernels.streams import stage, stream

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


@cache
def _copy(streams: bool = False) -> Any:
    @kernel(name="probe_copy" + "_streaming" * streams, sealed=True)
    def loop(y, x, rounds, part, parts):
        start, stop, _, _ = blocks(y, part, parts, streams)
        ys, xs = y[start:stop], x[start:stop]
        for _ in range(int(rounds)):
            if streams:
                stream(ys, xs)
            else:
                for i in range(xs.size):
                    store(ys, i, load(xs, i))
        return True

    return loop


@cache
def _triad(streams: bool = False) -> Any:
    @kernel(name="probe_triad" + "_streaming" * streams, sealed=True)
    def loop(z, y, x, rounds, part, parts):
        start, stop, first, step = blocks(z, part, parts, streams)
        buffer = stage(z)
        for _ in range(int(rounds)):
            for block in range(first, stop, step):
                here = slice(max(block, start), min(block + step, stop))
                zs, ys, xs = z[here], y[here], x[here]
                out = buffer[: zs.size] if streams else zs
                for i in range(xs.size):
                    store(out, i, load(ys, i) * load(xs, i))
                if streams:
                    stream(zs, out)
        return True

    return loop


def _run(factory: Any, arrays: tuple[Array, ...], rounds: int, threads: int, streams: bool) -> None:
    passes.shared(factory, (streams,), arrays[:1], arrays[1:], float(rounds), threads)


def read(x: Array, rounds: int = 1) -> float:
    """The sum of x (n,), in any order, rounds times over: one array read a round."""
    check_input("x", x, check_dtype("x", x), None)
    return float(_read(x, rounds))


def copy(y: Array, x: Array, rounds: int = 1, threads: int = 1, streams: bool = False) -> None:
    """y = x, both (n,), rounds times over: one array read, one written a round, past the caches if it streams.

    threads: those of kernels.blas.set_threads, each of which does a part.
    """
    dtype = check_dtype("x", x)
    check_output("y", y, dtype, *x.shape)
    check_input("x", x, dtype, None)
    check_apart("y", y, x=x)
    _run(_copy, (y, x), rounds, threads, streams)


def triad(z: Array, y: Array, x: Array, rounds: int = 1, threads: int = 1, streams: bool = False) -> None:
    """z = y * x, all (n,), as copy does it: two arrays read, one written a round."""
    dtype = check_dtype("x", x)
    check_output("z", z, dtype, *x.shape)
    check_input("y", y, dtype, *x.shape)
    check_input("x", x, dtype, None)
    check_apart("z", z, y=y, x=x)
    _run(_triad, (z, y, x), rounds, threads, streams)
