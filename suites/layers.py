"""How a layer is benchmarked: made with its inputs, checked whole, timed, held against the multiply-adds it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.checks import DTYPES
from kernels.layer import Array, Layer, State, empty, parameters, saved_bytes
from suites import layer_gate
from suites.levels import level_of
from suites.measure import Work, directions

# Direction -> passes over the layer, in units of the forward one's products.
PASSES = {"forward": 1, "backward": 2, "forward_backward": 3}
# Direction -> arrays of x's size that a layer without products moves.
STREAMS = {"forward": 2, "backward": 3, "forward_backward": 5}


@dataclass(frozen=True)
class Passed:
    """A layer with its state, x and dy, standard normal."""

    layer: Layer
    state: State
    x: Array
    dy: Array


def prepared(layer: Layer, shape: tuple[int, ...], dtype: str, seed: int) -> Passed:
    """The layer for inputs of that shape."""
    state = layer.init(np.random.default_rng(seed), shape, DTYPES[dtype])
    rng = np.random.default_rng(seed + 1)
    x, dy = empty(shape, DTYPES[dtype]), empty(state.saved["y"].shape, DTYPES[dtype])
    for array in (x, dy):
        rng.standard_normal(dtype=array.dtype, out=array)
    return Passed(layer, state, x, dy)


def time(
    timed: Callable[..., Any],
    passed: Passed,
    direction: str,
    depth: int = 1,
    **named: Any,
) -> None:
    """Check all that a forward and a backward pass leave, then time one direction; depth counts the layers.

    named are op, activation and size of the Work. What is timed is held against multiply-adds where the layer has
    matrix products, against the bandwidth of the cache level that x lives in where it has none.
    """
    layer, state, x, dy = passed.layer, passed.state, passed.x, passed.dy

    def check() -> dict[str, int]:
        layer_gate.poison(state)
        layer.forward(state, x)
        layer.backward(state, dy)
        layer_gate.check(" ".join(filter(None, (*named.values(), str(x.dtype)))), layer, state)
        return {"saved_bytes": saved_bytes(state)}

    flop = products(state, x)
    work = Work(
        direction=direction,
        shape=dy.shape,
        dtype=str(x.dtype),
        repeats=depth,
        **(bandwidth(direction, x) if flop == 0 else {"flop": PASSES[direction] * flop}),
        **named,
    )
    timed(work, directions(layer, state, x, dy)[direction], check, depth=depth)


def products(state: State, x: Array) -> float:
    """Operations of the matrix products of a forward pass: every weight by each row, and attention's steps by steps."""
    rows = x.size // x.shape[-1]
    weights = sum(value.size for _, value, _ in parameters(state) if value.ndim == 2)
    attended = sum(path.rpartition(".")[2] == "Wq" for path, _, _ in parameters(state))
    return 2.0 * rows * weights + attended * 4.0 * x.size * x.shape[0]


def bandwidth(direction: str, x: Array) -> dict[str, Any]:
    """against_bandwidth of a layer whose arrays are like x: x and y, dy, x and dx, or those four."""
    streams = STREAMS[direction]
    return against_bandwidth(streams, x.itemsize, min(streams, 4) * x.nbytes)


def against_bandwidth(streams: int, itemsize: int, size: int) -> dict[str, Any]:
    """The fields of Work of a pass that reads or writes so many numbers for each element, of arrays of size bytes.

    The limit is that of the smallest cache that holds at least half of the arrays: what is a little larger than a cache
    is partly in it, and faster than the next one.
    """
    return {
        "level": level_of(size // 2),
        "bytes_per_element": streams * itemsize,
        "probe": "copy" if streams == 2 else "triad",
    }
