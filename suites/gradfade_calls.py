"""What is compared with peers, and gradfade itself, NumPy and OpenBLAS called as their users call them."""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels import ACTIVATIONS, blas, openblas
from kernels.layer import Array, Layer, State

Call = Callable[[], tuple[Any, ...]]


@dataclass(frozen=True)
class Arrays:
    """x and dy to read, y and dx to write, all (n,) of one dtype; y is f(x) when backward is asked for."""

    x: Array
    dy: Array
    y: Array
    dx: Array


def gradfade(activation: str, direction: str, into: bool, arrays: Arrays) -> Call:
    """The row's checked methods; a learned parameter's gradient is of one slope for all elements."""
    row, x, dy, y = ACTIVATIONS[activation], arrays.x, arrays.dy, arrays.y
    slope = {"da": np.empty(1, x.dtype)} if row.learns else {}

    def forward() -> tuple[Array, ...]:
        value = y if into else np.empty_like(x)
        row.forward(value, x)
        return (value,)

    def backward() -> tuple[Array, ...]:
        gradient = arrays.dx if into else np.empty_like(x)
        row.backward(gradient, dy, x, y, **slope)
        return (gradient, *slope.values())

    def both() -> tuple[Array, ...]:
        value, gradient = (y, arrays.dx) if into else (np.empty_like(x), np.empty_like(x))
        if not slope:
            row.forward_backward(value, gradient, dy, x)
            return value, gradient
        row.forward(value, x)
        row.backward(gradient, dy, x, value, **slope)
        return (value, gradient, *slope.values())

    return {"forward": forward, "backward": backward, "forward_backward": both}[direction]


def gradfade_network(activation: str, network: Layer, state: State, x: Array, dy: Array) -> Call:
    """The layers of kernels, fused."""
    return lambda: (network.forward(state, x), network.backward(state, dy))


def gradfade_product(out: Array, a: Array, b: Array) -> Call:
    """kernels.blas."""

    def call() -> tuple[Array, ...]:
        blas.matmul(out, a, b)
        return (out,)

    return call


def numpy_product(out: Array, a: Array, b: Array) -> Call:
    """NumPy through the library of its wheel, with the core type that it chose for itself."""
    return lambda: (np.matmul(a, b, out=out),)


def openblas_product(out: Array, a: Array, b: Array) -> Call:
    """The library that kernels.blas loads, called by itself: no packing is left out, no argument checked."""
    (m, k), n = a.shape, b.shape[1]
    kind, number = {"float32": ("s", ctypes.c_float), "float64": ("d", ctypes.c_double)}[str(a.dtype)]
    gemm = ctypes.CDLL(str(openblas.blas_info()["library"]))[f"scipy_cblas_{kind}gemm"]
    row_major, plain = 101, 111
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (a, b, out)]
    given = (row_major, plain, plain, m, n, k, number(1), pointers[0], k, pointers[1], n, number(0), pointers[2], n)

    def call() -> tuple[Array, ...]:
        gemm(*given)
        return (out,)

    return call


@contextmanager
def in_threads(n: int) -> Iterator[None]:
    """Kernels and matrix products in n threads, and in one again afterwards."""
    blas.set_threads(n)
    try:
        yield
    finally:
        blas.set_threads(1)
