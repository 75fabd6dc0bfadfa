"""CONTENDERS: what else computes these activations on a CPU, called as its users call it, on one thread.

A contender's element(activation, direction, into, arrays) gives the call to time; into: whether results go into
arrays.y and arrays.dx, given beforehand, or into fresh memory. The call returns what it computed: (y,), (dx,) or
(y, dx). Of network, the call gives (y, dx) of dense layers in a row.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from kernels import ACTIVATIONS
from kernels.layer import Array, Layer, State
from kernels.names import lookup

NAMES = ("sigmoid", "tanh", "relu", "elu", "gelu", "silu", "softplus", "mish")

Call = Callable[[], tuple[Any, ...]]


@dataclass(frozen=True)
class Arrays:
    """x and dy to read, y and dx to write, all (n,) float32; y is f(x) when backward is asked for."""

    x: Array
    dy: Array
    y: Array
    dx: Array


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One contender: the packages it needs, how it is called, and which (activation, direction, into) it has."""

    name: str
    needs: tuple[str, ...]
    element: Callable[[str, str, bool, Arrays], Call]
    offers: Callable[[str, str, bool], bool] = lambda activation, direction, into: True
    network: Callable[[str, Layer, State, Array, Array], Call] | None = None

    @property
    def installed(self) -> bool:
        """Whether all the packages it needs are there."""
        return all(find_spec(package) for package in self.needs)


def _gradfade(activation: str, direction: str, into: bool, arrays: Arrays) -> Call:
    row, x, dy = lookup(ACTIVATIONS, "activation", activation), arrays.x, arrays.dy

    def call() -> tuple[Array, ...]:
        y, dx = (arrays.y, arrays.dx) if into else (np.empty_like(x), np.empty_like(x))
        if direction == "forward":
            row.forward(y, x)
            return (y,)
        if direction == "backward":
            row.backward(dx, dy, x, arrays.y)
            return (dx,)
        row.forward_backward(y, dx, dy, x)
        return y, dx

    return call


def _gradfade_network(activation: str, network: Layer, state: State, x: Array, dy: Array) -> Call:
    return lambda: (network.forward(state, x), network.backward(state, dy))


def _torch_operations(activation: str) -> tuple[Callable[..., Any], Any, Callable[..., tuple[Any, ...]]]:
    """Forward (takes out=), aten's backward, and the backward's arguments from (dy, x, y)."""
    import torch

    torch.set_num_threads(1)
    nn, aten = torch._C._nn, torch.ops.aten
    return {
        "sigmoid": (torch.sigmoid, aten.sigmoid_backward, lambda dy, x, y: (dy, y)),
        "tanh": (torch.tanh, aten.tanh_backward, lambda dy, x, y: (dy, y)),
        "relu": (lambda x, **out: torch.clamp_min(x, 0, **out), aten.threshold_backward, lambda dy, x, y: (dy, y, 0)),
        "elu": (nn.elu, aten.elu_backward, lambda dy, x, y: (dy, 1, 1, 1, False, x)),
        "gelu": (nn.gelu, aten.gelu_backward, lambda dy, x, y: (dy, x)),
        "silu": (nn.silu, aten.silu_backward, lambda dy, x, y: (dy, x)),
        "softplus": (nn.softplus, aten.softplus_backward, lambda dy, x, y: (dy, x, 1, 20)),
        "mish": (nn.mish, aten.mish_backward, lambda dy, x, y: (dy, x)),
    }[activation]


def _torch(activation: str, direction: str, into: bool, arrays: Arrays) -> Call:
    import torch

    forward, operator, arguments = _torch_operations(activation)
    x, dy, y, dx = (torch.from_numpy(array) for array in (arrays.x, arrays.dy, arrays.y, arrays.dx))
    if not into:
        backward = operator.default
        return {
            "forward": lambda: (forward(x),),
            "backward": lambda: (backward(*arguments(dy, x, y)),),
            "forward_backward": lambda: (value := forward(x), backward(*arguments(dy, x, value))),
        }[direction]
    if direction == "forward":
        return lambda: (forward(x, out=y),)
    given, backward = arguments(dy, x, y), operator.grad_input
    if direction == "backward":
        return lambda: (backward(*given, grad_input=dx),)
    return lambda: (forward(x, out=y), backward(*given, grad_input=dx))


def _torch_network(activation: str, network: Layer, state: State, x: Array, dy: Array) -> Call:
    import torch

    forward = _torch_operations(activation)[0]
    # nn.Linear keeps W as (fan_out, fan_in)
    weights = [torch.from_numpy(child.params["W"].T.copy()).requires_grad_() for child in state.children]
    biases = [torch.from_numpy(child.params["b"].copy()).requires_grad_() for child in state.children]
    inputs, upstream = torch.from_numpy(x).requires_grad_(), torch.from_numpy(dy)

    def call() -> tuple[Any, ...]:
        h = inputs
        for W, b in zip(weights, biases, strict=True):
            h = forward(torch.nn.functional.linear(h, W, b))
        dx, *_ = torch.autograd.grad(h, [inputs, *weights, *biases], upstream)
        return h.detach(), dx

    return call


def _jax(activation: str, direction: str, into: bool, arrays: Arrays) -> Call:
    flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ.setdefault("XLA_FLAGS", flags)
    import jax

    functions = {"tanh": jax.numpy.tanh, "gelu": lambda x: jax.nn.gelu(x, approximate=False)}
    f = functions.get(activation) or getattr(jax.nn, activation)

    def both(x: Any, dy: Any) -> tuple[Any, ...]:
        y, pullback = jax.vjp(f, x)
        return y, pullback(dy)[0]

    compiled = {
        "forward": jax.jit(lambda x, dy: (f(x),)),
        "backward": jax.jit(lambda x, dy: both(x, dy)[1:]),
        "forward_backward": jax.jit(both),
    }[direction]
    x, dy = jax.numpy.asarray(arrays.x), jax.numpy.asarray(arrays.dy)
    return lambda: jax.block_until_ready(compiled(x, dy))


# f(x) and dy * f'(x) as users of numexpr would write them; it has no erf
_FORMULAS = {
    "sigmoid": ("1 / (1 + exp(-x))", "dy * y * (1 - y)"),
    "tanh": ("tanh(x)", "dy * (1 - y * y)"),
    "relu": ("where(x > 0, x, 0)", "where(x > 0, dy, 0)"),
    "elu": ("where(x > 0, x, expm1(x))", "where(x > 0, dy, dy * exp(x))"),
    "silu": ("x / (1 + exp(-x))", "dy * (1 + x * (1 - 1 / (1 + exp(-x)))) / (1 + exp(-x))"),
    "softplus": ("where(x > 0, x, 0) + log1p(exp(-abs(x)))", "dy / (1 + exp(-x))"),
    "mish": (
        "x * tanh(log1p(exp(x)))",
        "dy * (tanh(log1p(exp(x))) + x * (1 - tanh(log1p(exp(x))) ** 2) / (1 + exp(-x)))",
    ),
}


def _numexpr(activation: str, direction: str, into: bool, arrays: Arrays) -> Call:
    import numexpr

    numexpr.set_num_threads(1)
    f, df = _FORMULAS[activation]
    given = {"x": arrays.x, "dy": arrays.dy}

    def forward() -> Any:
        return numexpr.evaluate(f, given, {}, out=arrays.y if into else None)

    def backward(y: Any) -> Any:
        return numexpr.evaluate(df, {**given, "y": y}, {}, out=arrays.dx if into else None)

    return {
        "forward": lambda: (forward(),),
        "backward": lambda: (backward(arrays.y),),
        "forward_backward": lambda: (y := forward(), backward(y)),
    }[direction]


def _onnxruntime(activation: str, direction: str, into: bool, arrays: Arrays) -> Call:
    import onnxruntime
    from onnx import TensorProto, helper

    operator = {"silu": "Swish"}.get(activation, activation.capitalize())
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
    graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"])], activation, ends[:1], ends[1:])
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


_ROWS = (
    Contender(name="gradfade", needs=(), element=_gradfade, network=_gradfade_network),
    Contender(
        name="torch",
        needs=("torch",),
        element=_torch,
        network=_torch_network,
        # aten::mish_backward alone has no variant that writes into a given tensor
        offers=lambda activation, direction, into: not (into and activation == "mish" and direction != "forward"),
    ),
    Contender(name="jax", needs=("jax",), element=_jax, offers=lambda activation, direction, into: not into),
    Contender(
        name="onnxruntime",
        needs=("onnxruntime", "onnx"),
        element=_onnxruntime,
        offers=lambda activation, direction, into: direction == "forward",
    ),
    Contender(
        name="numexpr",
        needs=("numexpr",),
        element=_numexpr,
        offers=lambda activation, direction, into: activation in _FORMULAS,
    ),
)

CONTENDERS = {row.name: row for row in _ROWS}
