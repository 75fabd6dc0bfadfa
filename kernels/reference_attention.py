"""The oracle of attention: naive, float64, one sequence and one head at a time. Shares no code with the kernels."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def softmax(x: Array) -> Array:
    """Over the last axis; -inf gives 0."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def head_forward(q: Array, k: Array, v: Array, causal: bool) -> tuple[Array, Array]:
    """y (T, d) and the probabilities p (T, T) of one head of one sequence: q, k, v (T, d)."""
    logits = q @ k.T / np.sqrt(q.shape[1])
    if causal:
        logits[np.triu_indices(len(q), 1)] = -np.inf
    p = softmax(logits)
    return p @ v, p


def head_backward(dy: Array, q: Array, k: Array, v: Array, causal: bool) -> tuple[Array, Array, Array]:
    """dq, dk, dv; the Jacobian of each row's softmax is written out."""
    _, p = head_forward(q, k, v, causal)
    dp = dy @ v.T
    dlogits = np.array([(np.diag(row) - np.outer(row, row)) @ drow for row, drow in zip(p, dp, strict=True)])
    scale = 1.0 / np.sqrt(q.shape[1])
    return scale * dlogits @ k, scale * dlogits.T @ q, p.T @ dy


def attention_forward(q: Array, k: Array, v: Array, heads: int, causal: bool) -> tuple[Array, Array]:
    """y (N, T, F) and p (N, heads, T, T): q, k, v (N, T, F)."""
    N, T, _ = q.shape
    y, p = np.zeros_like(q), np.zeros((N, heads, T, T))
    for n in range(N):
        for h, columns in enumerate(np.split(np.arange(q.shape[2]), heads)):
            y[n][:, columns], p[n, h] = head_forward(q[n][:, columns], k[n][:, columns], v[n][:, columns], causal)
    return y, p


def attention_backward(dy: Array, q: Array, k: Array, v: Array, heads: int, causal: bool) -> tuple[Array, Array, Array]:
    """dq, dk, dv (N, T, F)."""
    gradients = np.zeros_like(q), np.zeros_like(q), np.zeros_like(q)
    for n in range(len(q)):
        for columns in np.split(np.arange(q.shape[2]), heads):
            one, others = dy[n][:, columns], (q[n][:, columns], k[n][:, columns], v[n][:, columns])
            results = head_backward(one, *others, causal)
            for gradient, result in zip(gradients, results, strict=True):
                gradient[n][:, columns] = result
    return gradients


def layer_forward(x: Array, params: dict[str, Array], heads: int, causal: bool) -> Array:
    """y (T, N, F) of the layer with its projections."""
    q, k, v = _projected(x, params)
    h, _ = attention_forward(q, k, v, heads, causal)
    return h.swapaxes(0, 1) @ params["Wo"] + params["bo"]


def layer_backward(
    dy: Array, x: Array, params: dict[str, Array], heads: int, causal: bool
) -> tuple[Array, dict[str, Array]]:
    """dx (T, N, F) and the gradient of every parameter."""
    q, k, v = _projected(x, params)
    h, _ = attention_forward(q, k, v, heads, causal)
    gradients = {"Wo": np.einsum("ntf,tng->fg", h, dy), "bo": dy.sum(axis=(0, 1))}
    dx = np.zeros_like(x)
    dh = (dy @ params["Wo"].T).swapaxes(0, 1)
    for name, dz in zip("qkv", attention_backward(dh, q, k, v, heads, causal), strict=True):
        gradients["W" + name] = np.einsum("tnf,ntg->fg", x, dz)
        gradients["b" + name] = dz.sum(axis=(0, 1))
        dx += (dz @ params["W" + name].T).swapaxes(0, 1)
    return dx, gradients


def _projected(x: Array, params: dict[str, Array]) -> list[Array]:
    """q, k, v (N, T, F)."""
    return [x.swapaxes(0, 1) @ params["W" + name] + params["b" + name] for name in "qkv"]
