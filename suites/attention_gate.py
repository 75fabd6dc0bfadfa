"""The gate of multi-head self-attention: each array from those that it is made of, naively in float64."""

import math

import numpy as np

from kernels.layer import State
from suites.gate import Array, close, product, rows
from suites.norm_gate import shares


def attention(name: str, state: State, causal: bool = False) -> None:
    """Check a layer over x (T, N, F) after forward and backward; saved p (N, heads, T, T) tells how many heads."""
    saved, params, grads, heads = state.saved, state.params, state.grads, state.saved["p"].shape[1]
    x, dy, y, dx = (rows(saved[key].swapaxes(0, 1)) for key in ("x", "dy", "y", "dx"))  # (N T, F)
    for key in "qkv":
        product(f"{name}: {key}", rows(saved[key]), (x, params[f"W{key}"]), plus=params[f"b{key}"])
    q, k, v = (_split(saved[key].astype(np.float64), heads) for key in "qkv")  # (N, heads, T, d)
    root = math.sqrt(q.shape[-1])
    scores, sizes = q @ _turned(k) / root, np.abs(q) @ np.abs(_turned(k)) / root
    if causal:
        seen = np.tri(q.shape[2], dtype=bool)
        scores, sizes = np.where(seen, scores, -np.inf), np.where(seen, sizes, 0.0)
    close(f"{name}: p", saved["p"], *shares(scores, sizes))
    p = saved["p"].astype(np.float64)
    close(f"{name}: h", saved["h"], _join(p @ v), _join(p @ np.abs(v)))
    product(f"{name}: y", y, (rows(saved["h"]), params["Wo"]), plus=params["bo"])

    dv, dq, dk = _gradients(_split(_unrow(dy, saved) @ params["Wo"].astype(np.float64).T, heads), p, q, k, v, root)
    upstream = _split(np.abs(_unrow(dy, saved)) @ np.abs(params["Wo"]).astype(np.float64).T, heads)
    sizes_of = _gradients(upstream, p, np.abs(q), np.abs(k), np.abs(v), root, sign=1)
    flowing = {"v": (dv, sizes_of[0]), "q": (dq, sizes_of[1]), "k": (dk, sizes_of[2])}
    wide = {key: params[f"W{key}"].astype(np.float64).T for key in "qkv"}
    of_dx = [sum(rows(pair[i]) @ (wide[key], np.abs(wide[key]))[i] for key, pair in flowing.items()) for i in (0, 1)]
    close(f"{name}: dx", dx, *map(np.asarray, of_dx))
    given = x.astype(np.float64).T
    for key, (gradient, size) in flowing.items():
        close(f"{name}: dW{key}", grads[f"W{key}"], given @ rows(gradient), np.abs(given) @ rows(size))
        close(f"{name}: db{key}", grads[f"b{key}"], rows(gradient).sum(axis=0), rows(size).sum(axis=0))
    product(f"{name}: dWo", grads["Wo"], (rows(saved["h"]).T, dy))
    product(f"{name}: dbo", grads["bo"], (np.ones(len(dy)), dy))


def _gradients(
    dh: Array, p: Array, q: Array, k: Array, v: Array, root: float, sign: int = -1
) -> tuple[Array, Array, Array]:
    """Those of v, q and k (N, T, F), given dh (N, heads, T, d); with sign 1 and sizes, how large their terms are."""
    dp = dh @ _turned(v)
    ds = p * (dp + sign * (dp * p).sum(axis=-1, keepdims=True)) / root
    return _join(_turned(p) @ dh), _join(ds @ k), _join(_turned(ds) @ q)


def _unrow(array: Array, saved: dict[str, Array]) -> Array:
    """(N T, F) as (N, T, F), in float64."""
    return array.astype(np.float64).reshape(saved["q"].shape)


def _turned(array: Array) -> Array:
    return array.swapaxes(-1, -2)


def _split(array: Array, heads: int) -> Array:
    """(N, T, F) as (N, heads, T, d)."""
    return array.reshape(*array.shape[:2], heads, -1).swapaxes(1, 2)


def _join(array: Array) -> Array:
    """(N, heads, T, d) as (N, T, F)."""
    return array.swapaxes(1, 2).reshape(array.shape[0], array.shape[2], -1)
