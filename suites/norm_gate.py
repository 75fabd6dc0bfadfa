"""The gates of normalisation and softmax: results and gradients from x and dy, naively in float64."""

import numpy as np

from kernels.layer import State
from suites.gate import Array, close, rows

EPSILON = 1e-5


def layer_norm(name: str, state: State) -> None:
    """Check y = (x - mean) / sqrt(variance + eps) gamma + beta over the last axis, and its gradients."""
    _standardised(name, state, axis=-1)


def batch_norm(name: str, state: State) -> None:
    """Check the same over the rows, after a pass in training; the running statistics are not looked at."""
    _standardised(name, state, axis=0)


def rms_norm(name: str, state: State) -> None:
    """Check y = x / sqrt(mean of squares + eps) gamma over the last axis, and its gradients."""
    x, dy, gamma = _given(state)
    rstd = 1 / np.sqrt((x * x).mean(axis=-1, keepdims=True) + EPSILON)
    hat, dhat = x * rstd, dy * gamma
    dx = rstd * (dhat - hat * (dhat * hat).mean(axis=-1, keepdims=True))
    _check(name, state, {"y": hat * gamma, "dx": dx}, {"gamma": dy * hat})


def softmax(name: str, y: Array, dx: Array, x: Array, dy: Array) -> None:
    """Check y = e^x / sum(e^x) over the last axis and dx = y (dy - sum(dy y))."""
    x, dy = (array.astype(np.float64) for array in (x, dy))
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    share = powers / powers.sum(axis=-1, keepdims=True)
    close(f"{name}: y", y, share)
    close(f"{name}: dx", dx, share * (dy - (dy * share).sum(axis=-1, keepdims=True)))


def _standardised(name: str, state: State, axis: int) -> None:
    x, dy, gamma = _given(state)
    gap = x - x.mean(axis=axis, keepdims=True)
    rstd = 1 / np.sqrt((gap * gap).mean(axis=axis, keepdims=True) + EPSILON)
    hat, dhat = gap * rstd, dy * gamma
    centred = dhat - dhat.mean(axis=axis, keepdims=True)
    dx = rstd * (centred - hat * (dhat * hat).mean(axis=axis, keepdims=True))
    _check(name, state, {"y": hat * gamma + state.params["beta"], "dx": dx}, {"gamma": dy * hat, "beta": dy})


def _given(state: State) -> tuple[Array, Array, Array]:
    """x and dy as (N, F), gamma."""
    x, dy = (rows(state.saved[name]).astype(np.float64) for name in ("x", "dy"))
    return x, dy, state.params["gamma"].astype(np.float64)


def _check(name: str, state: State, results: dict[str, Array], terms: dict[str, Array]) -> None:
    """results by their names in saved; terms (N, F), which add up to the parameters' gradients."""
    for key, reference in results.items():
        close(f"{name}: {key}", rows(state.saved[key]), reference)
    for key, summands in terms.items():
        close(f"{name}: d{key}", state.grads[key], summands.sum(axis=0))
