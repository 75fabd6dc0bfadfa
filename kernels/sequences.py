"""Layers between batches of examples (N, F) and sequences (T, N, F)."""

import numpy as np

from kernels.checks import check_sequence_shape, check_size
from kernels.layer import Array, DType, Layer, State, accept, empty


def as_sequence(steps: int) -> Layer:
    """y (steps, N, F / steps) of x (N, F): the features of an example in pieces, one after the other.

    TypeError unless steps is a whole number, ValueError unless it is at least 1 and divides the features.
    """
    check_size("steps", steps)

    def init(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> State:
        if len(shape) != 2 or shape[1] % steps:
            raise ValueError(f"shape must be (rows, features), the features a multiple of {steps}, got {shape}")
        rows, features = shape
        return State(saved={"y": empty((steps, rows, features // steps), dtype), "dx": empty(shape, dtype)})

    def forward(state: State, x: Array) -> Array:
        y = state.saved["y"]
        accept(state, "x", x, state.saved["dx"])
        y[...] = _pieces(x, steps)
        return y

    def backward(state: State, dy: Array) -> Array:
        accept(state, "dy", dy, state.saved["y"])
        _pieces(state.saved["dx"], steps)[...] = dy
        return state.saved["dx"]

    return Layer(init, forward, backward, f"{steps} steps")


def _pieces(x: Array, steps: int) -> Array:
    """A view of (N, F) as (steps, N, F / steps)."""
    return x.reshape(len(x), steps, x.shape[1] // steps).swapaxes(0, 1)


def last_step() -> Layer:
    """y (N, F) of x (T, N, F), the last step; ValueError where T is 0."""

    def init(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> State:
        check_sequence_shape(shape)
        dx = empty(shape, dtype)
        dx.fill(0)
        return State(saved={"y": empty(shape[1:], dtype), "dx": dx})

    def forward(state: State, x: Array) -> Array:
        accept(state, "x", x, state.saved["dx"])
        state.saved["y"][...] = x[-1]
        return state.saved["y"]

    def backward(state: State, dy: Array) -> Array:
        accept(state, "dy", dy, state.saved["y"])
        state.saved["dx"][-1] = dy
        return state.saved["dx"]

    return Layer(init, forward, backward, "last step")
