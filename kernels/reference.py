"""The oracle: the same layers, losses and optimisers, naive, in float64 NumPy. Shares no code with the kernels.

activation is a row of ACTIVATIONS, of which only the float64 references are used.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def dense_forward(x: Array, W: Array, b: Array) -> Array:
    """x W + b."""
    return x @ W + b


def dense_backward(dy: Array, x: Array, W: Array) -> tuple[Array, Array, Array]:
    """dx, dW, db."""
    return dy @ W.T, x.T @ dy, dy.sum(axis=0)


def dense_activation_forward(activation: Any, x: Array, W: Array, b: Array, a: Any) -> tuple[Array, Array]:
    """z = x W + b and y = f(z, a)."""
    z = dense_forward(x, W, b)
    return z, activation.reference(z, a)


def dense_activation_backward(
    activation: Any, dy: Array, x: Array, W: Array, b: Array, a: Any
) -> tuple[Array, Array, Array]:
    """dx, dW, db."""
    z = dense_forward(x, W, b)
    return dense_backward(dy * activation.reference_derivative(z, a), x, W)


def softmax_cross_entropy(logits: Array, labels: Array) -> tuple[float, Array]:
    """Mean loss and dlogits."""
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    target = np.zeros_like(logits)
    target[rows, labels] = 1.0
    return -float(log_p[rows, labels].mean()), (np.exp(log_p) - target) / len(labels)


def mse(y: Array, target: Array) -> tuple[float, Array]:
    """Mean loss and dy."""
    return float(np.mean((y - target) ** 2)), 2.0 * (y - target) / y.size


def sgd(p: Array, gradients: list[Array], rate: float) -> Array:
    """The parameter after a step per gradient."""
    for g in gradients:
        p = p - rate * g
    return p


def momentum(p: Array, gradients: list[Array], rate: float) -> Array:
    """The parameter after a step per gradient: the velocity is the sum of gradients, each step 0.9 of what it was."""
    velocity = np.zeros_like(p)
    for g in gradients:
        velocity = 0.9 * velocity + g
        p = p - rate * velocity
    return p


def rmsprop(p: Array, gradients: list[Array], rate: float) -> Array:
    """The parameter after a step per gradient: each over the root of the running mean of its square."""
    square = np.zeros_like(p)
    for g in gradients:
        square = 0.99 * square + 0.01 * g**2
        p = p - rate * g / (np.sqrt(square) + 1e-8)
    return p


def adam(p: Array, gradients: list[Array], rate: float, decay: float = 0.0) -> Array:
    """The parameter after a step per gradient: Kingma & Ba 2015, algorithm 1, line by line."""
    m = v = np.zeros_like(p)
    for t, g in enumerate(gradients, start=1):
        p = p - rate * decay * p
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        p = p - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return p


def adamw(p: Array, gradients: list[Array], rate: float) -> Array:
    """Adam with a weight decay of 0.01 outside of the moments: Loshchilov & Hutter 2019, algorithm 2."""
    return adam(p, gradients, rate, decay=0.01)


def global_norm(gradients: list[Array]) -> float:
    """That of all elements together; scaled by the largest, whose square may be beyond float64."""
    flat = np.concatenate([g.ravel() for g in gradients])
    largest = np.abs(flat).max()
    return float(largest * np.sqrt(np.sum((flat / largest) ** 2)))


def clip_by_global_norm(gradients: list[Array], limit: float) -> tuple[float, list[Array]]:
    """The norm before and the gradients after."""
    norm = global_norm(gradients)
    return norm, [g * min(1.0, limit / norm) for g in gradients]


def clip_by_value(gradients: list[Array], limit: float) -> tuple[float, list[Array]]:
    """The norm before and the gradients after."""
    return global_norm(gradients), [np.clip(g, -limit, limit) for g in gradients]
