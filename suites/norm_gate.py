"""The gates of normalisation and softmax: results, statistics and gradients from x and dy, naively in float64."""

import numpy as np

from kernels.layer import State
from suites.gate import Array, close, rows

EPSILON = 1e-5
MOMENTUM = 0.1
# What a training batch moves, from there on that poison sets it to.
START = {"running_mean": 0.0, "running_var": 1.0}


def layer_norm(name: str, state: State) -> None:
    """Check y = (x - mean) / sqrt(variance + eps) gamma + beta over the last axis, its statistics and gradients."""
    x = rows(state.saved["x"]).astype(np.float64)
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    _statistics(name, state, x, mean, variance, axis=-1)
    _standardised(name, state, mean, variance, axis=-1)


def batch_norm(name: str, state: State) -> None:
    """Check the same over the rows: of a batch in training, by the running statistics in evaluation.

    In training these are held against those of one batch, which moves them from START.
    """
    x, running = state.saved["x"].astype(np.float64), state.buffers
    if not state.training:
        mean, variance = (running[key].astype(np.float64) for key in START)
        _standardised(name, state, mean, variance, axis=None)
        return
    mean, variance = x.mean(axis=0), x.var(axis=0)
    _statistics(name, state, x, mean, variance, axis=0)
    sizes = np.abs(x).mean(axis=0), variance + mean * mean + START["running_var"]
    moved = {"running_mean": mean, "running_var": variance * len(x) / (len(x) - 1)}
    for (key, value), size in zip(moved.items(), sizes, strict=True):
        close(f"{name}: {key}", running[key], (1 - MOMENTUM) * START[key] + MOMENTUM * value, size)
    _standardised(name, state, mean, variance, axis=0)


def rms_norm(name: str, state: State) -> None:
    """Check y = x / sqrt(mean of squares + eps) gamma over the last axis, what it keeps, and its gradients."""
    x, dy, gamma = _given(state)
    rstd = 1 / np.sqrt((x * x).mean(axis=-1, keepdims=True) + EPSILON)
    hat, dhat = x * rstd, dy * gamma
    size, dsize = np.abs(hat), np.abs(dhat)
    dx = rstd * (dhat - hat * (dhat * hat).mean(axis=-1, keepdims=True))
    of_dx = rstd * (dsize + size * (dsize * size).mean(axis=-1, keepdims=True))
    close(f"{name}: rstd", state.saved["rstd"].reshape(rstd.shape), rstd, rstd)
    close(f"{name}: y", rows(state.saved["y"]), hat * gamma, np.abs(hat * gamma))
    close(f"{name}: dx", rows(state.saved["dx"]), dx, of_dx)
    _sums(name, state, gamma=(dy * hat, np.abs(dy) * size))


def softmax(name: str, y: Array, dx: Array, x: Array, dy: Array) -> None:
    """Check y = e^x / sum(e^x) over the last axis and dx = y (dy - sum(dy y))."""
    x, dy = (array.astype(np.float64) for array in (x, dy))
    share, size = shares(x, np.abs(x))
    close(f"{name}: y", y, share, size)
    dx_size = size * (np.abs(dy) + (np.abs(dy) * share).sum(axis=-1, keepdims=True))
    close(f"{name}: dx", dx, share * (dy - (dy * share).sum(axis=-1, keepdims=True)), dx_size)


def shares(scores: Array, sizes: Array) -> tuple[Array, Array]:
    """Softmax of the last axis, and how large its terms are, scores being sums of terms of these sizes.

    A score's error is one relative to its share, and that of all scores together one of every share.
    """
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    share = powers / powers.sum(axis=-1, keepdims=True)
    return share, share * (1 + sizes + (share * sizes).sum(axis=-1, keepdims=True))


def _statistics(name: str, state: State, x: Array, mean: Array, variance: Array, axis: int) -> None:
    """Check those that forward keeps for backward."""
    saved, rstd = state.saved, 1 / np.sqrt(variance + EPSILON)
    close(f"{name}: mean", saved["mean"].reshape(mean.shape), mean, np.abs(x).mean(axis=axis).reshape(mean.shape))
    close(f"{name}: rstd", saved["rstd"].reshape(rstd.shape), rstd, rstd)


def _standardised(name: str, state: State, mean: Array, variance: Array, axis: int | None) -> None:
    """Check the results; axis is that of the statistics, None where they are given and no gradient flows by them."""
    x, dy, gamma = _given(state)
    beta, rstd = state.params["beta"].astype(np.float64), 1 / np.sqrt(variance + EPSILON)
    of_mean = np.abs(mean) if axis is None else np.abs(x).mean(axis=axis, keepdims=True)
    hat, size = (x - mean) * rstd, (np.abs(x) + of_mean) * rstd
    dhat, dsize = dy * gamma, np.abs(dy * gamma)
    dx, of_dx = dhat, dsize
    if axis is not None:
        dx = dhat - dhat.mean(axis=axis, keepdims=True) - hat * (dhat * hat).mean(axis=axis, keepdims=True)
        of_dx = dsize + dsize.mean(axis=axis, keepdims=True) + size * (dsize * size).mean(axis=axis, keepdims=True)
    close(f"{name}: y", rows(state.saved["y"]), hat * gamma + beta, size * np.abs(gamma) + np.abs(beta))
    close(f"{name}: dx", rows(state.saved["dx"]), rstd * dx, rstd * of_dx)
    _sums(name, state, gamma=(dy * hat, np.abs(dy) * size), beta=(dy, np.abs(dy)))


def _given(state: State) -> tuple[Array, Array, Array]:
    """x and dy as (N, F), gamma."""
    x, dy = (rows(state.saved[name]).astype(np.float64) for name in ("x", "dy"))
    return x, dy, state.params["gamma"].astype(np.float64)


def _sums(name: str, state: State, **terms: tuple[Array, Array]) -> None:
    """Check the gradients of parameters, which are sums over the rows of terms (N, F) of these sizes."""
    for key, (summands, sizes) in terms.items():
        close(f"{name}: d{key}", state.grads[key], summands.sum(axis=0), sizes.sum(axis=0))
