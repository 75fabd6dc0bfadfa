"""gradfade and its peers besides PyTorch, each called as its users call it, on one thread."""

import ctypes
import math
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from kernels import ACTIVATIONS, blas
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
    gemm = ctypes.CDLL(str(blas.blas_info()["library"]))[f"scipy_cblas_{kind}gemm"]
    row_major, plain = 101, 111
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (a, b, out)]
    given = (row_major, plain, plain, m, n, k, number(1), pointers[0], k, pointers[1], n, number(0), pointers[2], n)

    def call() -> tuple[Array, ...]:
        gemm(*given)
        return (out,)

    return call


def one_thread() -> AbstractContextManager[Any]:
    """Matrix products of every library that is loaded on one thread."""
    return threadpool_limits(1, "blas")


def jax(activation: str, direction: str, into: bool, arrays: Arrays) -> Call:
    """jax.jit of the function in jax.nn, and of its vector-Jacobian product."""
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    functions: dict[str, Callable[..., Any]] = {
        "tanh": jnp.tanh,
        "prelu": lambda x, a: jnp.where(x >= 0, x, a * x),
        "gelu": lambda x: jax.nn.gelu(x, approximate=False),
        "gelu_tanh": lambda x: jax.nn.gelu(x, approximate=True),
        "softsign": jax.nn.soft_sign,
        "hardtanh": jax.nn.hard_tanh,
        "hardsigmoid": jax.nn.hard_sigmoid,
        "hardswish": jax.nn.hard_swish,
        "erf": jax.lax.erf,
    }
    f = functions.get(activation) or getattr(jax.nn, activation)
    row = ACTIVATIONS[activation]
    slope = [jnp.asarray(arrays.x.dtype.type(row.a))] if row.learns else []

    def both(x: Any, dy: Any, *slope: Any) -> tuple[Any, ...]:
        y, pullback = jax.vjp(f, x, *slope)
        return (y, *pullback(dy))

    compiled = {
        "forward": jax.jit(lambda x, dy, *slope: (f(x, *slope),)),
        "backward": jax.jit(lambda *given: both(*given)[1:]),
        "forward_backward": jax.jit(both),
    }[direction]
    given = (jnp.asarray(arrays.x), jnp.asarray(arrays.dy), *slope)
    return lambda: jax.block_until_ready(compiled(*given))


# f(x) and dy * f'(x) as users of numexpr would write them; it has no erf. c are the constants of a row, in order.
_FORMULAS: dict[str, tuple[str, str, tuple[float, ...]]] = {
    "sigmoid": ("1 / (1 + exp(-x))", "dy * y * (1 - y)", ()),
    "tanh": ("tanh(x)", "dy * (1 - y * y)", ()),
    "relu": ("where(x > 0, x, 0)", "where(x > 0, dy, 0)", ()),
    "leaky_relu": ("where(x > 0, x, c0 * x)", "where(x > 0, dy, c0 * dy)", (0.01,)),
    "elu": ("where(x > 0, x, expm1(x))", "where(x > 0, dy, dy * exp(x))", ()),
    "selu": (
        "c0 * where(x > 0, x, c1 * expm1(x))",
        "c0 * dy * where(x > 0, 1, c1 * exp(x))",
        (1.0507009873554805, 1.6732632423543772),
    ),
    "celu": ("where(x > 0, x, expm1(x))", "where(x > 0, dy, dy * exp(x))", ()),
    "gelu_tanh": (
        "x / (1 + exp(-(c0 * x + c1 * x ** 3)))",
        "dy * (1 + x * (c0 + 3 * c1 * x * x) * (1 - 1 / (1 + exp(-(c0 * x + c1 * x ** 3)))))"
        " / (1 + exp(-(c0 * x + c1 * x ** 3)))",
        (2 * math.sqrt(2 / math.pi), 2 * math.sqrt(2 / math.pi) * 0.044715),
    ),
    "swish": ("x / (1 + exp(-x))", "dy * (1 + x * (1 - 1 / (1 + exp(-x)))) / (1 + exp(-x))", ()),
    "mish": (
        "x * tanh(log1p(exp(x)))",
        "dy * (tanh(log1p(exp(x))) + x * (1 - tanh(log1p(exp(x))) ** 2) / (1 + exp(-x)))",
        (),
    ),
    "softplus": ("where(x > 0, x, 0) + log1p(exp(-abs(x)))", "dy / (1 + exp(-x))", ()),
    "softsign": ("x / (1 + abs(x))", "dy / (1 + abs(x)) ** 2", ()),
    "hardtanh": ("where(x > 1, 1, where(x < -1, -1, x))", "where(abs(x) < 1, dy, 0)", ()),
    "hardsigmoid": ("where(x > 3, 1, where(x < -3, 0, (x + 3) / 6))", "where(abs(x) < 3, dy / 6, 0)", ()),
    "hardswish": (
        "x * where(x > 3, 1, where(x < -3, 0, (x + 3) / 6))",
        "dy * where(x > 3, 1, where(x < -3, 0, (2 * x + 3) / 6))",
        (),
    ),
    "relu6": ("where(x > 6, 6, where(x > 0, x, 0))", "where(abs(x - 3) < 3, dy, 0)", ()),
}


def numexpr_has(activation: str, direction: str, into: bool) -> bool:
    """Whether there is a formula."""
    return activation in _FORMULAS


def numexpr(activation: str, direction: str, into: bool, arrays: Arrays) -> Call:
    """The formulas through numexpr.evaluate; constants are of the arrays' dtype, or it computes in float64."""
    import numexpr

    numexpr.set_num_threads(1)
    f, df, constants = _FORMULAS[activation]
    given = {"x": arrays.x, "dy": arrays.dy}
    given |= {f"c{i}": np.asarray(c, arrays.x.dtype) for i, c in enumerate(constants)}

    def forward() -> Any:
        return numexpr.evaluate(f, given, {}, out=arrays.y if into else None)

    def backward(y: Any) -> Any:
        return numexpr.evaluate(df, {**given, "y": y}, {}, out=arrays.dx if into else None)

    return {
        "forward": lambda: (forward(),),
        "backward": lambda: (backward(arrays.y),),
        "forward_backward": lambda: (y := forward(), backward(y)),
    }[direction]


# Operator, attributes and further inputs, in ONNX's operator set 24.
_ONNX: dict[str, tuple[str, dict[str, Any], tuple[float, ...]]] = {
    "sigmoid": ("Sigmoid", {}, ()),
    "tanh": ("Tanh", {}, ()),
    "relu": ("Relu", {}, ()),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.01}, ()),
    "prelu": ("PRelu", {}, (0.25,)),
    "elu": ("Elu", {}, ()),
    "selu": ("Selu", {}, ()),
    "celu": ("Celu", {}, ()),
    "gelu": ("Gelu", {}, ()),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}, ()),
    "swish": ("Swish", {}, ()),
    "mish": ("Mish", {}, ()),
    "softplus": ("Softplus", {}, ()),
    "softsign": ("Softsign", {}, ()),
    "hardtanh": ("Clip", {}, (-1.0, 1.0)),
    "hardsigmoid": ("HardSigmoid", {"alpha": 1 / 6}, ()),
    "hardswish": ("HardSwish", {}, ()),
    "relu6": ("Clip", {}, (0.0, 6.0)),
    "erf": ("Erf", {}, ()),
}


def onnxruntime_has(activation: str, direction: str, into: bool) -> bool:
    """Whether there is an operator; ONNX Runtime is for inference."""
    return direction == "forward" and activation in _ONNX


def onnxruntime(activation: str, direction: str, into: bool, arrays: Arrays) -> Call:
    """A graph of the one operator, float32."""
    import onnxruntime
    from onnx import TensorProto, helper

    operator, attributes, constants = _ONNX[activation]
    names = [f"c{i}" for i in range(len(constants))]
    node = helper.make_node(operator, ["x", *names], ["y"], **attributes)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
    tensors = [helper.make_tensor(name, TensorProto.FLOAT, (), [c]) for name, c in zip(names, constants, strict=True)]
    graph = helper.make_graph([node], activation, ends[:1], ends[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    if not into:
        return lambda: tuple(session.run(None, {"x": arrays.x}))
    binding = session.io_binding()
    binding.bind_cpu_input("x", arrays.x)
    binding.bind_ortvalue_output("y", onnxruntime.OrtValue.ortvalue_from_numpy(arrays.y))

    def call() -> tuple[Any, ...]:
        session.run_with_iobinding(binding)
        return (arrays.y,)

    return call
