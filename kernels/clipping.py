"""Gradient clipping, by global norm and by value: all arrays in one compiled call, which writes only what changes."""

import math
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np

from kernels import jit
from kernels.checks import DTYPES, alike, check_dtype, check_output
from kernels.intrinsics import load, store
from kernels.jit import kernel
from kernels.loops import SMALL, blocks
from kernels.passes import shared
from kernels.tables import array_at, check_all_apart, table

Array = np.ndarray[Any, Any]

# Sums of squares that lie between can be trusted: what underflowed is lost beside them. Others are taken again, of
# float64 gradients times SCALE or over it; squares of float32 are always within.
SMALLEST_SUM = 1e-280
SCALE = 2.0**600
BLOCK = 4096  # elements
_EMPTY = tuple(np.empty(0, dtype) for dtype in DTYPES.values())


class Clipper:
    """Gradients that are clipped at every step: checked, and their places noted, once. The arrays are kept.

    grads are float32 or float64, of any shapes, C-contiguous, apart from each other. Raises TypeError or ValueError,
    naming the argument.
    """

    def __init__(self, grads: Iterable[Array]) -> None:
        self.grads = list(grads)  # tables hold addresses alone
        self.size = 0
        groups: list[list[Array]] = [[] for _ in DTYPES]
        for i, g in enumerate(self.grads):
            if not alike(g, g):
                check_output(f"grads[{i}]", g, check_dtype(f"grads[{i}]", g), *g.shape)
            groups[list(DTYPES.values()).index(g.dtype)].append(g)
            self.size += g.size
        check_all_apart(self.grads, lambda i: f"grads[{i}]")
        self.groups = [(like, table(found)) for like, found in zip(_EMPTY, groups, strict=True) if found]

    def by_global_norm(self, limit: float) -> float:
        """Multiply all gradients by limit / norm where their global norm exceeds limit; the norm before.

        The norm is that of all elements together, with sums in float64, and true for elements of any size; inf where it
        exceeds the largest float64 number (they are clipped all the same). Where an element is infinite or NaN, so is
        the norm, and nothing is written, since no factor would mend it. Pascanu et al. 2013, algorithm 1; PyTorch
        divides by norm + 1e-6. Raises ValueError, having written nothing, unless limit is a number >= 0.
        """
        threads = self._threads(limit)
        root, scale = _root(self.groups, threads)
        if root * scale > limit and math.isfinite(root):
            self._write(_multiply, limit / root / scale, threads)
        return root * scale

    def by_value(self, limit: float) -> float:
        """Cut every element to -limit to limit; the global norm before, as by_global_norm gives it. NaN stays NaN.

        Raises ValueError, having written nothing, unless limit is a number >= 0.
        """
        threads = self._threads(limit)
        root, scale = _root(self.groups, threads)
        if not root * scale <= limit:
            self._write(_cut, limit, threads)
        return root * scale

    def _threads(self, limit: float) -> int:
        if not limit >= 0:
            raise ValueError(f"limit must be a number >= 0, got {limit}")
        return 1 if self.size <= SMALL else jit.num_threads()

    def _write(self, loop: Callable[[], Any], a: float, threads: int) -> None:
        for like, addresses in self.groups:
            shared(loop, (), (like,), (addresses,), a, threads)


def clip_by_global_norm(grads: Iterable[Array], limit: float) -> float:
    """Clipper(grads).by_global_norm(limit), for gradients that are clipped once."""
    return Clipper(grads).by_global_norm(limit)


def clip_by_value(grads: Iterable[Array], limit: float) -> float:
    """Clipper(grads).by_value(limit), for gradients that are clipped once."""
    return Clipper(grads).by_value(limit)


Group = tuple[Array, Array]  # an empty array of the dtype, and the table of the arrays


def _root(groups: list[Group], threads: int) -> tuple[float, float]:
    """Two numbers whose product is the global norm, the first of which does not overflow."""
    sums = np.zeros(threads)
    total = _sum(groups, sums, 1.0)
    scale = SCALE if total == math.inf else 1.0 / SCALE if total < SMALLEST_SUM else 1.0
    if scale != 1.0:
        total = _sum(groups, sums, 1.0 / scale)
    return math.sqrt(total), scale


def _sum(groups: list[Group], sums: Array, scale: float) -> float:
    total = 0.0
    for group in groups:
        shared(_squares, (), (sums,), group, scale, sums.size)
        total += float(sums.sum())
    return total


@cache
def _squares() -> Any:
    """sums[part] = sum of (a g)^2."""

    @kernel(name="sum_of_squares", sealed=True, fastmath={"reassoc", "nsz", "contract"})
    def loop(sums, like, table, a, part, parts):
        total = 0.0
        sizes, places = table[0], table[1]
        for k in range(sizes.size):
            g = array_at(like, places[k], sizes[k])
            start, stop, _, _ = blocks(g, part, parts, False)
            here = g[start:stop]
            for i in range(here.size):
                x = a * here[i]
                total += x * x
        sums[part] = total
        return True

    return loop


@cache
def _multiply() -> Any:
    """g = a g, last elements first, which the sum left in the caches; a is split, since float32 may lack it."""

    @kernel(name="multiply_all", sealed=True)
    def loop(like, table, a, part, parts):
        power = math.ldexp(1.0, math.frexp(a)[1] // 2)
        first, second = like.dtype.type(a / power), like.dtype.type(power)
        sizes, places = table[0], table[1]
        for k in range(sizes.size - 1, -1, -1):
            g = array_at(like, places[k], sizes[k])
            start, stop, _, _ = blocks(g, part, parts, False)
            for end in range(stop, start, -BLOCK):
                here = g[max(start, end - BLOCK) : end]
                for i in range(here.size):
                    store(here, i, load(here, i) * first * second)
        return True

    return loop


@cache
def _cut() -> Any:
    """g = min(max(g, -a), a), in blocks, those that change."""

    @kernel(name="cut_all", sealed=True)
    def loop(like, table, a, part, parts):
        limit = like.dtype.type(a)
        sizes, places = table[0], table[1]
        for k in range(sizes.size - 1, -1, -1):
            g = array_at(like, places[k], sizes[k])
            start, stop, _, _ = blocks(g, part, parts, False)
            for end in range(stop, start, -BLOCK):
                here = g[max(start, end - BLOCK) : end]
                beyond = 0
                for i in range(here.size):
                    beyond += abs(load(here, i)) > limit
                if beyond:
                    for i in range(here.size):
                        x = limit if load(here, i) > limit else load(here, i)
                        store(here, i, -limit if x < -limit else x)
        return True

    return loop
