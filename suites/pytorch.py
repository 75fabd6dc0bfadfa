"""PyTorch as its users call it, eager and compiled: one row of operators per activation that it has."""

import math
import os
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from kernels import ACTIVATIONS
from kernels.layer import Array, Layer, State
from kernels.reference_activations import SELU_ALPHA, SELU_SCALE
from suites.gradfade_calls import Arrays, Call


@dataclass(frozen=True)
class Operators:
    """forward(x, out=) and aten's backward, whose arguments are made of (dy, x, y).

    into names the argument that takes the gradient's array; FRESH lists where there is none.
    """

    forward: Callable[..., Any]
    backward: Any
    arguments: Callable[..., tuple[Any, ...]] = lambda dy, x, y: (dy, x)
    into: str = "grad_input"


def _elu(torch: Any, scale: float, alpha: float, input_scale: float) -> Operators:
    nn, backward = torch._C._nn, torch.ops.aten.elu_backward
    constants = (alpha, scale, input_scale)
    return Operators(
        lambda x, **out: nn.elu(x, *constants, **out), backward, lambda dy, x, y: (dy, *constants, False, x)
    )


def _hardtanh(torch: Any, low: float, high: float) -> Operators:
    nn, backward = torch._C._nn, torch.ops.aten.hardtanh_backward
    return Operators(lambda x, **out: nn.hardtanh(x, low, high, **out), backward, lambda dy, x, y: (dy, x, low, high))


def _leaky_relu(torch: Any, slope: float) -> Operators:
    nn, backward = torch._C._nn, torch.ops.aten.leaky_relu_backward
    return Operators(lambda x, **out: nn.leaky_relu(x, slope, **out), backward, lambda dy, x, y: (dy, x, slope, False))


def _prelu(torch: Any, initial: float) -> Operators:
    """Its backward gives the gradient of the slope too, element by element, which autograd then sums."""

    def forward(x: Any, slope: Any = None) -> Any:
        return torch.prelu(x, x.new_full((1,), initial) if slope is None else slope)

    def backward(dy: Any, x: Any) -> tuple[Any, Any]:
        dx, slopes = torch.ops.aten._prelu_kernel_backward(dy, x, x.new_full((1,), initial))
        return dx, slopes.sum()

    return Operators(forward, SimpleNamespace(default=backward))


def _softsign(torch: Any) -> Operators:
    """No operator of its own: in as few passes as out= allows."""

    def forward(x: Any, out: Any = None) -> Any:
        if out is None:
            return torch.nn.functional.softsign(x)
        return torch.div(x, torch.abs(x, out=out).add_(1), out=out)

    def backward(dy: Any, x: Any, grad_input: Any = None) -> Any:
        squared = torch.abs(x, out=grad_input).add_(1).square_()
        return torch.div(dy, squared, out=squared)

    return Operators(forward, SimpleNamespace(default=backward, grad_input=backward))


def _erf(torch: Any) -> Operators:
    """As autograd composes its derivative."""
    factor = 2 / math.sqrt(math.pi)

    def backward(dy: Any, x: Any, grad_input: Any = None) -> Any:
        return torch.mul(x, x, out=grad_input).neg_().exp_().mul_(factor).mul_(dy)

    return Operators(torch.erf, SimpleNamespace(default=backward, grad_input=backward))


def _gelu(torch: Any, **kind: str) -> Operators:
    nn, aten = torch._C._nn, torch.ops.aten.gelu_backward
    backward = SimpleNamespace(
        default=lambda dy, x: aten.default(dy, x, **kind),
        grad_input=lambda dy, x, grad_input: aten.grad_input(dy, x, **kind, grad_input=grad_input),
    )
    return Operators(lambda x, **out: nn.gelu(x, **kind, **out), backward)


def _named(name: str, **options: Any) -> Callable[[Any], Operators]:
    """Where forward and backward take nothing but arrays."""

    def row(torch: Any) -> Operators:
        forward = getattr(torch._C._nn, name, None) or getattr(torch, name)
        return Operators(forward, getattr(torch.ops.aten, f"{name}_backward"), **options)

    return row


def _relu(torch: Any) -> Operators:
    forward = lambda x, **out: torch.clamp_min(x, 0, **out)  # noqa: E731
    return Operators(forward, torch.ops.aten.threshold_backward, lambda dy, x, y: (dy, y, 0))


def _softplus(torch: Any) -> Operators:
    return Operators(torch._C._nn.softplus, torch.ops.aten.softplus_backward, lambda dy, x, y: (dy, x, 1, 20))


OPERATORS: dict[str, Callable[[Any], Operators]] = {
    "sigmoid": _named("sigmoid", arguments=lambda dy, x, y: (dy, y)),
    "tanh": _named("tanh", arguments=lambda dy, x, y: (dy, y)),
    "relu": _relu,
    "leaky_relu": lambda torch: _leaky_relu(torch, ACTIVATIONS["leaky_relu"].a or 0.0),
    "prelu": lambda torch: _prelu(torch, ACTIVATIONS["prelu"].a or 0.0),
    "elu": lambda torch: _elu(torch, 1, 1, 1),
    "selu": lambda torch: _elu(torch, SELU_SCALE, SELU_ALPHA, 1),
    "celu": lambda torch: _elu(torch, 1, 1, 1),
    "gelu": _gelu,
    "gelu_tanh": lambda torch: _gelu(torch, approximate="tanh"),
    "swish": _named("silu"),
    "mish": _named("mish"),
    "softplus": _softplus,
    "softsign": _softsign,
    "hardtanh": lambda torch: _hardtanh(torch, -1, 1),
    "hardsigmoid": _named("hardsigmoid"),
    "hardswish": _named("hardswish", into="out"),
    "relu6": lambda torch: _hardtanh(torch, 0, 6),
    "erf": _erf,
}
# Those that cannot write into given memory: no forward, or no backward.
FRESH = {"prelu": ("forward", "backward"), "mish": ("backward",)}


def _operators(activation: str) -> tuple[Any, Operators]:
    """The package, on one thread, and a row for it."""
    import torch

    torch.set_num_threads(1)
    return torch, OPERATORS[activation](torch)


def offers(activation: str, direction: str, into: bool) -> bool:
    """Whether PyTorch has this, into given memory where asked."""
    fresh = FRESH.get(activation, ())
    return activation in OPERATORS and not (into and any(part in fresh for part in direction.split("_")))


def eager(activation: str, direction: str, into: bool, arrays: Arrays) -> Call:
    """The operators by themselves."""
    torch, row = _operators(activation)
    x, dy, y, dx = _tensors(torch, arrays)
    forward, gradient, arguments = row.forward, row.backward.default, row.arguments
    if not into:
        return {
            "forward": lambda: (forward(x),),
            "backward": lambda: _flat(gradient(*arguments(dy, x, y))),
            "forward_backward": lambda: (value := forward(x), *_flat(gradient(*arguments(dy, x, value)))),
        }[direction]
    if direction == "forward":
        return lambda: (forward(x, out=y),)
    given, write, target = arguments(dy, x, y), getattr(row.backward, row.into), {row.into: dx}
    if direction == "backward":
        return lambda: (write(*given, **target),)
    return lambda: (forward(x, out=y), write(*given, **target))


def compiled(activation: str, direction: str, into: bool, arrays: Arrays) -> Call:
    """The same operators through torch.compile, which writes C++ and has the machine's compiler make code of it."""
    torch, row = _operators(activation)
    torch.compiler.reset()  # it keeps a few versions of one line of Python and then falls back to eager
    forward, gradient, arguments = row.forward, row.backward.default, row.arguments

    def both(x: Any, dy: Any) -> tuple[Any, ...]:
        y = forward(x)
        return (y, *_flat(gradient(*arguments(dy, x, y))))

    x, dy, y, _ = _tensors(torch, arrays)
    function, given = {
        "forward": (lambda x: (forward(x),), (x,)),
        "backward": (lambda dy, x, y: _flat(gradient(*arguments(dy, x, y))), (dy, x, y)),
        "forward_backward": (both, (x, dy)),
    }[direction]
    fast = torch.compile(function, fullgraph=True, dynamic=False, options={"compile_threads": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its own modules' calls to each other
        fast(*given)
    return lambda: fast(*given)


def no_compiler() -> str:
    """Why torch.compile cannot work here; empty where it can."""
    wanted = [os.environ.get("CXX", ""), "g++", "clang++"]
    return "" if any(map(shutil.which, wanted)) else "there is no C++ compiler"


def network(activation: str, network: Layer, state: State, x: Array, dy: Array) -> Call:
    """A dense layer per child of state, with its parameters, and autograd's gradients of all of them."""
    torch, row = _operators(activation)
    # nn.Linear keeps W as (fan_out, fan_in)
    layers = [
        [torch.from_numpy((p.T if name == "W" else p).copy()).requires_grad_() for name, p in child.params.items()]
        for child in state.children
    ]
    inputs, upstream = torch.from_numpy(x).requires_grad_(), torch.from_numpy(dy)
    leaves = [inputs, *(parameter for layer in layers for parameter in layer)]

    def call() -> tuple[Any, ...]:
        h = inputs
        for W, b, *slope in layers:
            h = row.forward(torch.nn.functional.linear(h, W, b), *slope)
        return h.detach(), torch.autograd.grad(h, leaves, upstream)[0]

    return call


def product(out: Array, a: Array, b: Array) -> Call:
    """torch.mm."""
    import torch

    torch.set_num_threads(1)
    given, result = [torch.from_numpy(array) for array in (a, b)], torch.from_numpy(out)
    return lambda: (torch.mm(*given, out=result),)


def _tensors(torch: Any, arrays: Arrays) -> tuple[Any, ...]:
    return tuple(torch.from_numpy(array) for array in (arrays.x, arrays.dy, arrays.y, arrays.dx))


def _flat(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)
