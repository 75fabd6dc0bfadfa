"""numexpr as its users call it: one formula per activation, on one thread."""

import math
from typing import Any

import numpy as np

from kernels.reference_activations import SELU_ALPHA, SELU_SCALE
from suites.gradfade_calls import Arrays, Call

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
        (SELU_SCALE, SELU_ALPHA),
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
