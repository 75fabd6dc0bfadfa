"""Dense layers: x (N, F) to y (N, M) with W (F, M), b (M,); forward, backward, and fused with an activation.

A layer takes x of any leading shape (..., F): its rows are independent of each other.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from kernels.blas import gemm
from kernels.channels import parameter_gradient
from kernels.checks import check_apart, check_dtype, check_input, check_output, check_row, check_size
from kernels.elementwise import Activation
from kernels.initializers import Initializer
from kernels.intrinsics import load, store
from kernels.jit import kernel
from kernels.layer import Array, DType, Layer, State, accept, empty, trainable
from kernels.subnormal import gradient_of_inputs

Scalar = Callable[..., Any]


@kernel()
def _forward(y, x, W, b):
    gemm(y, x, W, False, False, False)
    for n in range(y.shape[0]):
        ys = y[n]
        for m in range(b.size):
            store(ys, m, load(ys, m) + load(b, m))


@kernel()
def _backward(dx, dW, db, dy, x, W):
    gemm(dW, x, dy, True, False, False)
    gemm(dx, dy, W, False, True, False)
    db[:] = 0
    for n in range(dy.shape[0]):
        dys = dy[n]
        for m in range(db.size):
            db[m] += dys[m]


@cache
def _activated(f: Scalar) -> Any:
    """z = x W + b, y = f(z, a); a (M,)."""

    @kernel(name=f"{f.__name__}_dense")
    def loop(z, y, x, W, b, a):
        gemm(z, x, W, False, False, False)
        for n in range(z.shape[0]):
            zs, ys = z[n], y[n]
            for m in range(b.size):
                point = load(zs, m) + load(b, m)
                store(zs, m, point)
                store(ys, m, f(point, load(a, m)))

    return loop


@cache
def _activated_backward(df: Scalar) -> Any:
    """dz = dy f'(z) and db in one pass, while dz is in cache dW = x' dz, dx = dz W'."""

    @kernel(name=f"{df.__name__}_dense_backward")
    def loop(dx, dW, db, dz, dy, x, W, z, y, a):
        db[:] = 0
        for n in range(z.shape[0]):
            dzs, dys, zs, ys = dz[n], dy[n], z[n], y[n]
            for m in range(db.size):
                slope = load(dys, m) * df(load(zs, m), load(ys, m), load(a, m))
                store(dzs, m, slope)
                db[m] += slope
        gemm(dW, x, dz, True, False, False)
        gemm(dx, dz, W, False, True, False)

    return loop


def dense_forward(y: Array, x: Array, W: Array, b: Array) -> None:
    """y = x W + b: y (N, M), x (N, F), W (F, M), b (M,); float32 or float64, C-contiguous.

    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("y", y)
    check_output("y", y, dtype, None, None)
    rows, fan_out = y.shape
    check_input("x", x, dtype, rows, None)
    check_input("W", W, dtype, x.shape[1], fan_out)
    check_input("b", b, dtype, fan_out)
    check_apart("y", y, x=x, W=W, b=b)
    _forward(y, x, W, b)


def dense_backward(dx: Array, dW: Array, db: Array, dy: Array, x: Array, W: Array) -> None:
    """The gradients of dense_forward's x, W and b, overwritten, given dy (N, M).

    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("dy", dy)
    check_input("dy", dy, dtype, None, None)
    rows, fan_out = dy.shape
    check_input("x", x, dtype, rows, None)
    fan_in = x.shape[1]
    check_input("W", W, dtype, fan_in, fan_out)
    check_output("dx", dx, dtype, rows, fan_in)
    check_output("dW", dW, dtype, fan_in, fan_out)
    check_output("db", db, dtype, fan_out)
    check_apart("dx", dx, dW=dW, db=db, dy=dy, x=x, W=W)
    check_apart("dW", dW, db=db, dy=dy, x=x, W=W)
    check_apart("db", db, dy=dy, x=x, W=W)
    _backward(dx, dW, db, dy, x, W)


def rows(array: Array) -> Array:
    """A view of a C-contiguous (..., F) as (N, F)."""
    return array if array.ndim == 2 else array.reshape(-1, array.shape[-1])


def dense_activation(activation: Activation, initializer: Initializer, fan_out: int) -> Layer:
    """The layer y = f(x W + b) over x (..., F), fused; leading axes are kept. PReLU learns one slope a per channel.

    params W (F, fan_out), b, and a where it is learned; saved y, z, dx, dz, and da, the float64 sums of a's gradient.
    Where the gradient of W has been given no room, backward leaves out those of all parameters.
    """
    check_row("activation", activation, Activation)
    check_row("initializer", initializer, Initializer)
    check_size("fan_out", fan_out)

    def init(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> State:
        if len(shape) < 2:
            raise ValueError(f"shape must be (..., rows, features), got {shape}")
        *leading, fan_in = shape
        a = np.full(fan_out, activation.a or 0.0, dtype)
        state = trainable(
            W=initializer.draw(rng, fan_in, fan_out, dtype),
            b=initializer.bias(rng, fan_in, fan_out, dtype),
            **({"a": a} if activation.learns else {}),
        )
        state.saved |= {name: empty((*leading, fan_out), dtype) for name in ("y", "z", "dz")}
        state.saved |= {"dx": empty(shape, dtype), "a": state.params.get("a", a), "da": np.empty(fan_out)}
        return state

    def forward(state: State, x: Array) -> Array:
        params, saved = state.params, state.saved
        accept(state, "x", x, saved["dx"])
        loop = _activated(activation.f)
        loop(rows(saved["z"]), rows(saved["y"]), rows(x), params["W"], params["b"], saved["a"])
        return saved["y"]

    def backward(state: State, dy: Array) -> Array:
        grads, saved = state.grads, state.saved
        accept(state, "dy", dy, saved["y"])
        dx, dz, dy, x, z, y = (rows(saved[name]) for name in ("dx", "dz", "dy", "x", "z", "y"))
        a = saved["a"]
        if not grads["W"].size:
            activation.backward(dz, dy, z, y, a if activation.learns else None)
            gradient_of_inputs(dx, dz, state.params["W"])
            return saved["dx"]
        if activation.learns:
            parameter_gradient(activation.df_da)(grads["a"], saved["da"], dy, z, y, a)
        loop = _activated_backward(activation.df)
        loop(dx, grads["W"], grads["b"], dz, dy, x, state.params["W"], z, y, a)
        return saved["dx"]

    return Layer(init, forward, backward, f"dense {fan_out} {activation.name}", activation=activation)
