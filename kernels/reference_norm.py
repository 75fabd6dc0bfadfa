"""The oracle of norms and softmax: naive, in float64 NumPy, gradients by whole Jacobians.

Shares no code with the kernels.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def standardized(v: Array) -> Array:
    """(v - mean) / sqrt(variance + 1e-5) of a vector."""
    return (v - np.mean(v)) / np.sqrt(np.var(v) + 1e-5)


def standardized_jacobian(v: Array) -> Array:
    """d standardized(v)[i] / d v[j]."""
    normal = standardized(v)
    return (np.eye(v.size) - 1.0 / v.size - np.outer(normal, normal) / v.size) / np.sqrt(np.var(v) + 1e-5)


def rooted(v: Array) -> Array:
    """v / sqrt(mean square + 1e-5) of a vector."""
    return v / np.sqrt(np.mean(v**2) + 1e-5)


def rooted_jacobian(v: Array) -> Array:
    """d rooted(v)[i] / d v[j]."""
    return (np.eye(v.size) - np.outer(rooted(v), rooted(v)) / v.size) / np.sqrt(np.mean(v**2) + 1e-5)


def softmax(v: Array) -> Array:
    """e^v / sum(e^v) of a vector."""
    powers = np.exp(v - np.max(v))
    return powers / np.sum(powers)


def softmax_jacobian(v: Array) -> Array:
    """d softmax(v)[i] / d v[j]."""
    return np.diag(softmax(v)) - np.outer(softmax(v), softmax(v))


def along_rows(function: Callable[[Array], Array], x: Array) -> Array:
    """function of each vector along the last axis."""
    return np.array([function(v) for v in x.reshape(-1, x.shape[-1])]).reshape(x.shape)


def along_rows_backward(jacobian: Callable[[Array], Array], dy: Array, x: Array) -> Array:
    """dx of along_rows."""
    rows = (-1, x.shape[-1])
    return np.array([u @ jacobian(v) for u, v in zip(dy.reshape(rows), x.reshape(rows), strict=True)]).reshape(x.shape)


def layer_norm_forward(x: Array, gamma: Array, beta: Array) -> Array:
    """Rows standardized, then scaled and moved."""
    return along_rows(standardized, x) * gamma + beta


def layer_norm_backward(dy: Array, x: Array, gamma: Array) -> tuple[Array, Array, Array]:
    """dx, dgamma, dbeta."""
    axes = tuple(range(x.ndim - 1))
    dgamma = (dy * along_rows(standardized, x)).sum(axis=axes)
    return along_rows_backward(standardized_jacobian, dy * gamma, x), dgamma, dy.sum(axis=axes)


def rms_norm_forward(x: Array, gamma: Array) -> Array:
    """Rows over their root mean square, then scaled."""
    return along_rows(rooted, x) * gamma


def rms_norm_backward(dy: Array, x: Array, gamma: Array) -> tuple[Array, Array]:
    """dx, dgamma."""
    dgamma = (dy * along_rows(rooted, x)).sum(axis=tuple(range(x.ndim - 1)))
    return along_rows_backward(rooted_jacobian, dy * gamma, x), dgamma


def batch_norm_forward(x: Array, gamma: Array, beta: Array) -> Array:
    """Columns standardized, then scaled and moved."""
    return along_rows(standardized, x.T).T * gamma + beta


def batch_norm_backward(dy: Array, x: Array, gamma: Array) -> tuple[Array, Array, Array]:
    """dx, dgamma, dbeta."""
    dgamma = (dy * along_rows(standardized, x.T).T).sum(axis=0)
    return along_rows_backward(standardized_jacobian, (dy * gamma).T, x.T).T, dgamma, dy.sum(axis=0)


def running_statistics(mean: Array, var: Array, x: Array) -> tuple[Array, Array]:
    """The running mean and variance after a batch x (N, F)."""
    return 0.9 * mean + 0.1 * x.mean(axis=0), 0.9 * var + 0.1 * x.var(axis=0, ddof=1)


def batch_norm_evaluate(x: Array, gamma: Array, beta: Array, mean: Array, var: Array) -> Array:
    """Standardized by running statistics."""
    return (x - mean) / np.sqrt(var + 1e-5) * gamma + beta
