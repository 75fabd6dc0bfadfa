"""What LayerNorm and RMSNorm share: all but their loops and the names of their statistics and parameters.

A loop of forward is called loop(y, *statistics, x, *params, a, part, parts), one of backward
loop(dx, *sums, dy, x, *statistics, gamma, a, part, parts), where sums are (parts, F), the gradients of the parameters
over each part's rows.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kernels import passes
from kernels.checks import check_dtype, check_input, check_outputs
from kernels.layer import Array, DType, Layer, State, accept, empty, trainable
from kernels.rows import add_parts, check_rows, matrix, sum_buffers, threads_for, vector

Loop = Callable[[], Any]


def forward(loop: Loop, y: Array, statistics: dict[str, Array], x: Array, params: dict[str, Array]) -> None:
    """Check and run a forward pass: x, y (..., F), F >= 1, statistics (...), written, params (F,).

    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("x", x)
    check_rows("x", x, dtype)
    for name, array in params.items():
        check_input(name, array, dtype, x.shape[-1])
    outputs = {name: (array, x.shape[:-1]) for name, array in statistics.items()}
    check_outputs(dtype, {"y": (y, x.shape), **outputs}, {"x": x, **params})
    _normalize(loop, y, statistics.values(), x, params.values())


def backward(
    loop: Loop, dx: Array, grads: dict[str, Array], dy: Array, x: Array, statistics: dict[str, Array], gamma: Array
) -> None:
    """Check and run a backward pass: dx, dy, x (..., F), grads and gamma (F,), statistics as forward wrote them.

    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("x", x)
    check_rows("x", x, dtype)
    width = x.shape[-1]
    check_input("dy", dy, dtype, *x.shape)
    for name, array in statistics.items():
        check_input(name, array, dtype, *x.shape[:-1])
    check_input("gamma", gamma, dtype, width)
    outputs = {name: (array, (width,)) for name, array in grads.items()}
    inputs = {"dy": dy, "x": x, **statistics, "gamma": gamma}
    check_outputs(dtype, {"dx": (dx, x.shape), **outputs}, inputs)
    sums = sum_buffers(len(grads), width, dtype)
    _gradients(loop, dx, grads.values(), dy, x, statistics.values(), gamma, sums)


def layer(
    name: str, forward_loop: Loop, backward_loop: Loop, statistics: Sequence[str], starts: dict[str, float]
) -> Layer:
    """The layer over x (..., F), F >= 1. params from their starts, gamma first; saved y, dx and the statistics."""

    def init(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> State:
        check_rows("x", empty(shape, dtype), dtype)
        width = shape[-1]
        state = trainable(**{param: np.full(width, start, dtype) for param, start in starts.items()})
        state.saved |= {array: empty(shape, dtype) for array in ("y", "dx")}
        state.saved |= {array: empty(shape[:-1], dtype) for array in statistics}
        state.saved["dsums"] = sum_buffers(len(starts), width, dtype)
        return state

    def forward(state: State, x: Array) -> Array:
        saved = state.saved
        accept(state, "x", x, saved["dx"])
        _normalize(forward_loop, saved["y"], [saved[key] for key in statistics], x, state.params.values())
        return saved["y"]

    def backward(state: State, dy: Array) -> Array:
        saved, known = state.saved, [state.saved[key] for key in statistics]
        accept(state, "dy", dy, saved["y"])
        outputs, gamma = (saved["dx"], state.grads.values()), state.params["gamma"]
        _gradients(backward_loop, *outputs, dy, saved["x"], known, gamma, saved["dsums"])
        return saved["dx"]

    return Layer(init, forward, backward, name)


def _normalize(loop: Loop, y: Array, statistics: Any, x: Array, params: Any) -> None:
    outputs, inputs = (matrix(y), *map(vector, statistics)), (matrix(x), *params)
    passes.shared(loop, (), outputs, inputs, threads=threads_for(x))


def _gradients(
    loop: Loop, dx: Array, grads: Any, dy: Array, x: Array, statistics: Any, gamma: Array, buffers: Array
) -> None:
    threads = threads_for(x)
    sums = [total[None] for total in grads] if threads == 1 else list(buffers[:, :threads])
    inputs = matrix(dy), matrix(x), *map(vector, statistics), gamma
    passes.shared(loop, (), (matrix(dx), *sums), inputs, threads=threads)
    if threads > 1:
        for total, parts in zip(grads, sums, strict=True):
            add_parts(total, parts)
