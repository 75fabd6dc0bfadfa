"""One benchmark: gate, time, and what the time means: ns per element, GB/s, GFLOP/s, fraction of the limit."""

import timeit
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import cycle
from math import prod
from time import perf_counter
from typing import Any

from kernels.jit import compile_seconds
from kernels.layer import Array, Layer, State

# Of two calls timed against each other: how long that takes, within how many rounds of each.
RACE_SECONDS = 0.2
RACE_ROUNDS = (10, 300)


@dataclass(frozen=True)
class Work:
    """What one call of a benchmarked function does, as its extra_info tells it.

    shape is that of the output, repeats how often that is computed in one call (the layers of a network).
    level is where the arrays live, size a name of other sizes. bytes_per_element counts what the program reads and
    writes, not what caches add to it; probe names the bandwidth probe with the same streams. flop is of matrix
    products alone.
    """

    op: str
    activation: str
    direction: str
    shape: tuple[int, ...]
    dtype: str
    level: str = ""
    size: str = ""
    bytes_per_element: float | None = None
    probe: str = ""
    flop: float | None = None
    repeats: int = 1

    @property
    def group(self) -> str:
        """The group of pytest-benchmark's tables: same work, other activations."""
        return " ".join(part for part in (self.op, self.direction, self.level, self.size, self.dtype) if part)

    @property
    def n(self) -> int:
        """How many elements one call computes."""
        return prod(self.shape) * self.repeats

    def describe(self, seconds: float, limits: dict[str, Any]) -> dict[str, Any]:
        """The keys of extra_info, from the median seconds of one call and the session's limits."""
        info = {
            "op": self.op,
            "activation": self.activation,
            "direction": self.direction,
            "shape": list(self.shape),
            "n": self.n,
            "dtype": self.dtype,
            "level": self.level,
            "size": self.size,
            "ns_per_element": seconds / self.n * 1e9,
        }
        if self.bytes_per_element is not None:
            info["bytes_per_element"] = self.bytes_per_element
            amount, rate, probe, where = self.bytes_per_element * self.n, "gb_per_s", self.probe, self.level
        elif self.flop is not None:
            info["flop"] = self.flop
            amount, rate, probe, where = self.flop, "gflop_per_s", "fma", self.dtype
        else:
            return info
        achieved, limit = amount / seconds / 1e9, limits[probe][where]
        info |= {rate: achieved, "limit": f"{probe} {where}", f"limit_{rate}": limit}
        return {**info, "fraction_of_limit": achieved / limit}


def directions(layer: Layer, state: State, x: Array, dy: Array) -> dict[str, Callable[[], Any]]:
    """The three calls that are timed of a layer; backward reuses what the gate's forward left in state."""
    return {
        "forward": lambda: layer.forward(state, x),
        "backward": lambda: layer.backward(state, dy),
        "forward_backward": lambda: (layer.forward(state, x), layer.backward(state, dy)),
    }


def once(benchmark: Any, call: Callable[[], Any], rounds: int = 1) -> Any:
    """Time a long call a single time, or that many; returns what it does."""
    return benchmark.pedantic(call, rounds=rounds)


def nothing() -> None:
    """What comes before a call that needs nothing."""


def race(
    benchmark: Any,
    call: Callable[[], Any],
    rival: Callable[[], Any],
    rounds: int | None = None,
    before: Callable[[], None] = nothing,
    before_rival: Callable[[], None] = nothing,
) -> list[float]:
    """Time call with the fixture and rival between its rounds, in the order A B B A; the rival's seconds per round.

    As many rounds of each as RACE_SECONDS hold, within RACE_ROUNDS, where no number is given. before and before_rival
    prepare each call and are not timed.
    """
    seconds: list[float] = []
    turns = {"before": cycle([True, False]), "after": cycle([False, True])}

    def run_rival() -> None:
        before_rival()
        start = perf_counter()
        rival()
        seconds.append(perf_counter() - start)

    def turn(moment: str) -> None:
        if next(turns[moment]):
            run_rival()

    def set_up() -> None:
        turn("before")
        before()

    def both() -> None:
        for each in (before, call, before_rival, rival):
            each()

    if rounds is None:
        pair = min(timeit.repeat(both, number=1, repeat=3))
        rounds = min(max(RACE_ROUNDS[0], int(RACE_SECONDS / pair)), RACE_ROUNDS[1])
    benchmark.pedantic(call, setup=set_up, teardown=lambda: turn("after"), rounds=rounds)
    return seconds


def time_gated(
    benchmark: Any,
    limits: dict[str, Any],
    work: Work,
    call: Callable[[], Any],
    gate: Callable[[], Mapping[str, Any] | None],
    how: Callable[[Any, Callable[[], Any]], Any] = lambda benchmark, call: benchmark(call),
    **extra: Any,
) -> Any:
    """Compile and check by gate, then time call with pytest-benchmark's fixture and describe it in extra_info.

    gate runs the call on poisoned outputs and raises GateError where its results are wrong; what it returns is extra
    info, too. how(benchmark, call) has
    the fixture time the call, and what it returns is returned.
    """
    before = compile_seconds()
    told = gate() or {}
    benchmark.group = work.group
    benchmark.extra_info.update(extra, **told, compile_seconds=compile_seconds() - before)
    result = how(benchmark, call)
    if benchmark.stats is not None:
        benchmark.extra_info.update(work.describe(benchmark.stats.stats.median, limits))
    return result
