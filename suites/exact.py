"""The activations once more, in mpmath's numbers: what float64 results are judged by.

FORMS has f and its derivatives in closed form, each so that it is exact to mpmath's precision but for cancellation;
PRECISION leaves more than enough of that. Nothing here is shared with the kernels or with their float64 references.
"""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
from mpmath import exp, expm1, log1p, mpf

from suites.ulp import Reference, unit

Array = np.ndarray[Any, Any]

# Bits. Where a formula cancels, as gelu' does beside its zero, a float64 input leaves 53 fewer; 1 + x of the smallest
# inputs needs no digit of x.
PRECISION = 240

ALPHA, SCALE = "1.6732632423543772848170429916717", "1.0507009873554804934193349852946"


def _sigmoid(x: Any) -> Any:
    e = exp(-abs(x))
    return (e if x < 0 else 1) / (1 + e)


def _softplus(x: Any) -> Any:
    return max(x, mpf(0)) + log1p(exp(-abs(x)))


def _density(x: Any) -> Any:
    return exp(-x * x / 2) / mpmath.sqrt(2 * mpmath.pi)


def _normal(x: Any) -> Any:
    """The normal distribution; beyond 100 it is 0 or 1 whatever x is, and mpmath's erfc gives up."""
    return mpmath.erfc(-max(min(x, mpf(100)), mpf(-100)) / mpmath.sqrt(2)) / 2


def _tanh_argument(x: Any) -> tuple[Any, Any]:
    """2 u and its derivative, u = sqrt(2 / pi) (x + 0.044715 x^3)."""
    scale, cubic = 2 * mpmath.sqrt(2 / mpmath.pi), mpf("0.044715")
    return scale * (x + cubic * x**3), scale * (1 + 3 * cubic * x * x)


def _gelu_tanh_derivative(x: Any, a: Any) -> Any:
    u, du = _tanh_argument(x)
    return _sigmoid(u) * (1 + x * du * _sigmoid(-u))


def _mish_derivative(x: Any, a: Any) -> Any:
    s = _softplus(x)
    return mpmath.tanh(s) + x * 4 * _sigmoid(2 * s) * _sigmoid(-2 * s) * _sigmoid(x)


def _clip(x: Any, low: int, high: int) -> Any:
    return min(max(x, mpf(low)), mpf(high))


Form = Callable[[Any, Any], Any]

# (f, f', derivative by a) of (x, a); slopes at kinks as PyTorch has them.
FORMS: dict[str, tuple[Form, ...]] = {
    "sigmoid": (lambda x, a: _sigmoid(x), lambda x, a: _sigmoid(x) * _sigmoid(-x)),
    "tanh": (lambda x, a: mpmath.tanh(x), lambda x, a: 4 * _sigmoid(2 * x) * _sigmoid(-2 * x)),
    "relu": (lambda x, a: max(x, mpf(0)), lambda x, a: mpf(x > 0)),
    "leaky_relu": (lambda x, a: x if x > 0 else a * x, lambda x, a: mpf(1) if x > 0 else a),
    "prelu": (
        lambda x, a: x if x > 0 else a * x,
        lambda x, a: mpf(1) if x > 0 else a,
        lambda x, a: mpf(0) if x > 0 else x,
    ),
    "elu": (lambda x, a: x if x > 0 else a * expm1(x), lambda x, a: mpf(1) if x > 0 else a * exp(x)),
    "selu": (
        lambda x, a: mpf(SCALE) * (x if x > 0 else mpf(ALPHA) * expm1(x)),
        lambda x, a: mpf(SCALE) * (mpf(1) if x > 0 else mpf(ALPHA) * exp(x)),
    ),
    "celu": (lambda x, a: x if x > 0 else a * expm1(x / a), lambda x, a: mpf(1) if x > 0 else exp(x / a)),
    "gelu": (lambda x, a: x * _normal(x), lambda x, a: _normal(x) + x * _density(x)),
    "gelu_tanh": (lambda x, a: x * _sigmoid(_tanh_argument(x)[0]), _gelu_tanh_derivative),
    "swish": (
        lambda x, a: x * _sigmoid(a * x),
        lambda x, a: _sigmoid(a * x) * (1 + a * x * _sigmoid(-a * x)),
        lambda x, a: x * x * _sigmoid(a * x) * _sigmoid(-a * x),
    ),
    "mish": (lambda x, a: x * mpmath.tanh(_softplus(x)), _mish_derivative),
    "softplus": (lambda x, a: _softplus(x), lambda x, a: _sigmoid(x)),
    "softsign": (lambda x, a: x / (1 + abs(x)), lambda x, a: 1 / (1 + abs(x)) ** 2),
    "hardtanh": (lambda x, a: _clip(x, -1, 1), lambda x, a: mpf(abs(x) < 1)),
    "hardsigmoid": (lambda x, a: _clip(x + 3, 0, 6) / 6, lambda x, a: mpf(abs(x) < 3) / 6),
    "hardswish": (
        lambda x, a: x * _clip(x + 3, 0, 6) / 6,
        lambda x, a: mpf(0) if x <= -3 else mpf(1) if x >= 3 else x / 3 + mpf(1) / 2,
    ),
    "relu6": (lambda x, a: _clip(x, 0, 6), lambda x, a: mpf(0 < x < 6)),
    "erf": (lambda x, a: mpmath.erf(x), lambda x, a: 2 / mpmath.sqrt(mpmath.pi) * exp(-x * x)),
    "identity": (lambda x, a: x, lambda x, a: mpf(1)),
}


def evaluate(form: Form, x: Array, a: float | None, limits: Array) -> Reference:
    """form at each float64 of x (n,), with what float64 lacks of it; at x that are not finite, what limits has."""
    value, rest, finite = limits.copy(), np.zeros_like(x), np.flatnonzero(np.isfinite(x))
    with mpmath.workprec(PRECISION):
        parameter = None if a is None else mpf(a)
        exact = [form(mpf(point), parameter) for point in x[finite].tolist()]
        value[finite] = [float(number) for number in exact]
        units = unit(value, np.float64)
        for i, number in zip(finite, exact, strict=True):
            rest[i] = (number - value[i]) / units[i] if np.isfinite(value[i]) else 0.0
    return Reference(value, rest)
