"""The gates of losses: the value and its gradient, naively in float64."""

from typing import Any

import numpy as np
from scipy.special import log_softmax

from suites.gate import Array, close


def cross_entropy(name: str, loss: float, dlogits: Array, logits: Array, labels: Array) -> None:
    """Check the mean cross-entropy of logits (N, C) and its gradient."""
    wide, at = logits.astype(np.float64), (np.arange(len(labels)), labels)
    logarithms = log_softmax(wide, axis=1)
    size = np.abs(wide).max(axis=1, keepdims=True) + np.abs(logarithms)
    share, hit = np.exp(logarithms), np.zeros_like(wide)
    hit[at] = 1.0
    _check(name, loss, -logarithms[at].mean(), size[at].mean(), dlogits.dtype)
    close(f"{name}: gradient", dlogits, (share - hit) / len(wide), (share * (1 + size) + hit) / len(wide))


def mse(name: str, loss: float, dy: Array, y: Array, target: Array) -> None:
    """Check the mean of squared differences and its gradient."""
    wide, wanted = y.astype(np.float64), target.astype(np.float64)
    gap, size = wide - wanted, np.abs(wide) + np.abs(wanted)
    _check(name, loss, np.square(gap).mean(), np.square(size).mean(), dy.dtype)
    close(f"{name}: gradient", dy, 2 * gap / gap.size, 2 * size / gap.size)


def _check(name: str, loss: float, expected: float, size: float, dtype: "np.dtype[Any]") -> None:
    close(f"{name}: loss", np.array([loss], dtype), np.array([expected]), np.array([size]))
