"""The gate of multi-head self-attention: outputs and all gradients from x and dy, naively in float64."""

import math

import numpy as np

from kernels.layer import State
from suites.gate import Array, close


def attention(name: str, state: State, causal: bool = False) -> None:
    """Check a layer over x (T, N, F) after forward and backward; saved p (N, heads, T, T) tells how many heads."""
    saved, heads = state.saved, state.saved["p"].shape[1]
    params = {key: value.astype(np.float64) for key, value in state.params.items()}
    x, dy = (saved[key].astype(np.float64).swapaxes(0, 1) for key in ("x", "dy"))  # (N, T, F)
    steps, root = x.shape[1], math.sqrt(x.shape[2] // heads)
    q, k, v = (_split(x @ params[f"W{key}"] + params[f"b{key}"], heads) for key in "qkv")  # (N, heads, T, d)
    scores = q @ k.swapaxes(2, 3) / root
    if causal:
        scores = np.where(np.tri(steps, dtype=bool), scores, -np.inf)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    p = powers / powers.sum(axis=-1, keepdims=True)
    h = _join(p @ v)
    dh = _split(dy @ params["Wo"].T, heads)
    dp, dv = dh @ v.swapaxes(2, 3), p.swapaxes(2, 3) @ dh
    ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True)) / root
    upstream = {"q": _join(ds @ k), "k": _join(ds.swapaxes(2, 3) @ q), "v": _join(dv), "o": dy}
    dx = sum(upstream[key] @ params[f"W{key}"].T for key in "qkv")
    close(f"{name}: p", saved["p"], p)
    close(f"{name}: y", saved["y"], (h @ params["Wo"] + params["bo"]).swapaxes(0, 1))
    close(f"{name}: dx", saved["dx"], np.asarray(dx).swapaxes(0, 1))
    for key, gradient in upstream.items():
        inputs = h if key == "o" else x
        close(f"{name}: dW{key}", state.grads[f"W{key}"], np.tensordot(inputs, gradient, ([0, 1], [0, 1])))
        if key != "k":  # the same number added to a row of scores changes nothing: its gradient is rounding
            close(f"{name}: db{key}", state.grads[f"b{key}"], gradient.sum(axis=(0, 1)))


def _split(array: Array, heads: int) -> Array:
    """(N, T, F) as (N, heads, T, d)."""
    return array.reshape(*array.shape[:2], heads, -1).swapaxes(1, 2)


def _join(array: Array) -> Array:
    """(N, heads, T, d) as (N, T, F)."""
    return array.swapaxes(1, 2).reshape(array.shape[0], array.shape[2], -1)
