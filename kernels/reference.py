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


def rnn_forward(activation: Any, x: Array, Wx: Array, Wh: Array, b: Array, h0: Array, a: Any) -> tuple[Array, Array]:
    """z (T, N, H) and h (T + 1, N, H), step by step."""
    h, z = [h0], []
    for t in range(len(x)):
        z.append(x[t] @ Wx + h[t] @ Wh + b)
        h.append(activation.reference(z[t], a))
    return np.array(z), np.array(h)


def rnn_backward(
    activation: Any, dy: Array, x: Array, Wx: Array, Wh: Array, b: Array, h0: Array, a: Any
) -> tuple[Array, Array, Array, Array, Array]:
    """dx, dWx, dWh, db and dh (T + 1, N, H), step by step."""
    z, h = rnn_forward(activation, x, Wx, Wh, b, h0, a)
    dx, dh = np.zeros_like(x), np.zeros_like(h)
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    for t in reversed(range(len(x))):
        dh[t + 1] += dy[t]
        dz = dh[t + 1] * activation.reference_derivative(z[t], a)
        dx[t], dh[t] = dz @ Wx.T, dz @ Wh.T
        dWx += x[t].T @ dz
        dWh += h[t].T @ dz
        db += dz.sum(axis=0)
    return dx, dWx, dWh, db, dh


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


def adam(p: Array, gradients: list[Array], rate: float) -> Array:
    """The parameter after a step per gradient: Kingma & Ba 2015, algorithm 1, line by line."""
    m = v = np.zeros_like(p)
    for t, g in enumerate(gradients, start=1):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        p = p - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return p
