"""The layer that is an activation alone, where what comes before it is not a dense layer: after a normalisation."""

from typing import Any

import numpy as np

from kernels.checks import check_row
from kernels.elementwise import Activation
from kernels.layer import Array, DType, Layer, State, accept, empty, trainable


def activate(activation: Activation) -> Layer:
    """y = f(x) over x (..., F), every element by itself. PReLU learns its slope, one a per feature.

    params a, where it is learned; saved x, z (both the input itself), y and dx. init raises ValueError for a shape ().
    """
    check_row("activation", activation, Activation)

    def init(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> State:
        if not shape:
            raise ValueError("shape must be (..., features), got ()")
        state = trainable(**({"a": np.full(shape[-1], activation.a, dtype)} if activation.learns else {}))
        state.saved |= {name: empty(shape, dtype) for name in ("y", "dx")}
        return state

    def forward(state: State, x: Array) -> Array:
        saved = state.saved
        accept(state, "x", x, saved["y"])
        saved["z"] = x
        activation.forward(saved["y"], x, state.params.get("a"))
        return saved["y"]

    def backward(state: State, dy: Array) -> Array:
        saved: dict[str, Any] = state.saved
        accept(state, "dy", dy, saved["y"])
        activation.backward(saved["dx"], dy, saved["z"], saved["y"], state.params.get("a"), state.grads.get("a"))
        return saved["dx"]

    return Layer(init, forward, backward, activation.name, activation=activation)
