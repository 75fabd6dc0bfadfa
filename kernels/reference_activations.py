"""The activations again: naive, float64, in forms that are stable in the tails. The oracle of tests and gates.

Every function takes (x, a), x a float64 array, a its parameter (ignored where there is none), and
returns float64 of x's shape. Nothing here is shared with the kernels; the formulas' sources are named
in the rows of kernels/activations.py.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def _special() -> Any:
    """scipy.special, imported where it is used: that takes longer than importing all of kernels."""
    from scipy import special

    return special


def _times(x: Array, factor: Array) -> Array:
    """x * factor, and 0 where factor has vanished."""
    return np.where(factor == 0, 0.0, x) * factor


def identity(x: Array, a: Any = None) -> Array:
    return np.array(x)


def identity_derivative(x: Array, a: Any = None) -> Array:
    return np.where(np.isnan(x), x, 1.0)


def sigmoid(x: Array, a: Any = None) -> Array:
    e = np.exp(-np.abs(x))  # scipy's expit is 0 below -709, where this still has subnormal numbers
    return np.where(x < 0, e, 1.0) / (1 + e)


def sigmoid_derivative(x: Array, a: Any = None) -> Array:
    return sigmoid(x) * sigmoid(-x)


def tanh(x: Array, a: Any = None) -> Array:
    return np.tanh(x)


def tanh_derivative(x: Array, a: Any = None) -> Array:
    return sigmoid(2 * x) * (4 * sigmoid(-2 * x))


def relu(x: Array, a: Any = None) -> Array:
    return np.maximum(x, 0.0)


def relu_derivative(x: Array, a: Any = None) -> Array:
    return np.where(np.isnan(x), x, x > 0)


def leaky_relu(x: Array, a: Any) -> Array:
    return np.where(x > 0, x, a * x)


def leaky_relu_derivative(x: Array, a: Any) -> Array:
    return np.where(np.isnan(x), x, np.where(x > 0, 1.0, a))


def leaky_relu_df_da(x: Array, a: Any) -> Array:
    return np.where(x > 0, 0.0, x)


def elu(x: Array, a: Any) -> Array:
    return np.where(x > 0, x, a * np.expm1(np.minimum(x, 0.0)))


def elu_derivative(x: Array, a: Any) -> Array:
    return np.where(x > 0, 1.0, a * np.exp(np.minimum(x, 0.0)))


def selu(x: Array, a: Any = None) -> Array:
    return SELU_SCALE * elu(x, SELU_ALPHA)


def selu_derivative(x: Array, a: Any = None) -> Array:
    return SELU_SCALE * elu_derivative(x, SELU_ALPHA)


def celu(x: Array, a: Any) -> Array:
    return np.where(x > 0, x, a * np.expm1(np.minimum(x, 0.0) / a))


def celu_derivative(x: Array, a: Any) -> Array:
    return np.where(x > 0, 1.0, np.exp(np.minimum(x, 0.0) / a))


def gelu(x: Array, a: Any = None) -> Array:
    return _times(x, 0.5 * _special().erfc(-x / np.sqrt(2.0)))


def gelu_derivative(x: Array, a: Any = None) -> Array:
    density = np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)
    return 0.5 * _special().erfc(-x / np.sqrt(2.0)) + _times(x, density)


def _gelu_tanh_slope(x: Array) -> tuple[Array, Array]:
    """2 u and its derivative, u = sqrt(2 / pi) (x + 0.044715 x^3); beyond 40 the sigmoid is 0 or 1."""
    z = np.clip(x, -40.0, 40.0)
    scale = 2 * np.sqrt(2 / np.pi)
    return scale * (z + 0.044715 * z * z * z), scale * (1 + 3 * 0.044715 * z * z)


def gelu_tanh(x: Array, a: Any = None) -> Array:
    return _times(x, sigmoid(_gelu_tanh_slope(x)[0]))


def gelu_tanh_derivative(x: Array, a: Any = None) -> Array:
    u, du = _gelu_tanh_slope(x)
    return sigmoid(u) + _times(x * du, sigmoid_derivative(u))


def _slope_times(a: Any, x: Array) -> Array:
    """a * x, and 0 for a slope of 0 also where x is infinite."""
    return a * np.where(np.isinf(x) & (a == 0), 0.0, x)


def swish(x: Array, a: Any) -> Array:
    return _times(x, sigmoid(_slope_times(a, x)))


def swish_derivative(x: Array, a: Any) -> Array:
    z = _slope_times(a, x)
    return sigmoid(z) + _times(z, sigmoid_derivative(z))


def swish_df_da(x: Array, a: Any) -> Array:
    return _times(x, _times(x, sigmoid_derivative(_slope_times(a, x))))


def mish(x: Array, a: Any = None) -> Array:
    return _times(x, np.tanh(softplus(x)))


def mish_derivative(x: Array, a: Any = None) -> Array:
    return np.tanh(softplus(x)) + _times(x, tanh_derivative(softplus(x)) * sigmoid(x))


def softplus(x: Array, a: Any = None) -> Array:
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def softplus_derivative(x: Array, a: Any = None) -> Array:
    return sigmoid(x)


def softsign(x: Array, a: Any = None) -> Array:
    return np.where(np.isinf(x), np.sign(x), np.where(np.isinf(x), 0.0, x) / (1 + np.abs(x)))


def softsign_derivative(x: Array, a: Any = None) -> Array:
    return (1 / (1 + np.abs(x))) ** 2


def hardtanh(x: Array, a: Any = None) -> Array:
    return np.clip(x, -1.0, 1.0)


def hardtanh_derivative(x: Array, a: Any = None) -> Array:
    return np.where(np.isnan(x), x, np.abs(x) < 1)


def hardsigmoid(x: Array, a: Any = None) -> Array:
    return np.clip((x + 3) / 6, 0.0, 1.0)


def hardsigmoid_derivative(x: Array, a: Any = None) -> Array:
    return np.where(np.isnan(x), x, (np.abs(x) < 3) / 6)


def hardswish(x: Array, a: Any = None) -> Array:
    return _times(x, hardsigmoid(x))


def hardswish_derivative(x: Array, a: Any = None) -> Array:
    return np.where(x <= -3, 0.0, np.where(x >= 3, 1.0, x / 3 + 0.5))


def relu6(x: Array, a: Any = None) -> Array:
    return np.clip(x, 0.0, 6.0)


def relu6_derivative(x: Array, a: Any = None) -> Array:
    return np.where(np.isnan(x), x, (x > 0) & (x < 6))


def erf(x: Array, a: Any = None) -> Array:
    return _special().erf(x)


def erf_derivative(x: Array, a: Any = None) -> Array:
    return 2 / np.sqrt(np.pi) * np.exp(-x * x)
