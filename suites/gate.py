"""No time without a green gate: results are compared with the float64 reference before they are timed."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

SAMPLE = 65_536
TAIL = 64

# A float64 reference is itself a chain of rounded float64 operations.
REFERENCE_ULP = 8


class GateError(AssertionError):
    """A kernel's result differs from its reference; the message names the worst element."""


def poison(*outputs: Array) -> None:
    """Fill outputs with NaN, so that an element the kernel forgets is seen."""
    for output in outputs:
        output.fill(np.nan)


def check_written(name: str, *outputs: Array) -> None:
    """Raise GateError if a NaN is left of what poison filled: outputs is whole, of which only a sample is compared."""
    for output in outputs:
        if np.isnan(output.min(initial=0)):  # NaN passes through min, which needs no second array
            raise GateError(f"{name}: {np.isnan(output).sum()} of {output.size} elements are NaN")


def sample(n: int) -> Array:
    """Indices to compare of a flat array: all of a small one, else an odd stride and the end of the loop."""
    if n <= SAMPLE:
        return np.arange(n)
    return np.append(np.arange(0, n - TAIL, n // SAMPLE | 1), np.arange(n - TAIL, n))


def check(name: str, got: Array, reference: Array, allowed: Array | float) -> None:
    """Raise GateError unless |got - reference| <= allowed everywhere; NaN must meet NaN.

    got is of any dtype, reference float64 of the same shape, allowed an absolute error that broadcasts to it.
    """
    if got.shape != reference.shape:
        raise GateError(f"{name}: shape {got.shape}, reference {reference.shape}")
    with np.errstate(invalid="ignore"):
        error = np.abs(got.astype(np.float64) - reference)
    same = (got == reference) | (np.isnan(got) & np.isnan(reference))
    red = ~(same | (error <= allowed))
    if red.any():
        excess = np.where(red, np.nan_to_num(error - allowed, nan=np.inf), -np.inf)
        worst = np.unravel_index(np.argmax(excess), got.shape)
        raise GateError(
            f"{name}: {red.sum()} of {red.size} elements are wrong; worst at {tuple(map(int, worst))}: "
            f"{got[worst]!r}, reference {reference[worst]!r}, allowed error "
            f"{np.broadcast_to(allowed, got.shape)[worst]:.3g}"
        )


def check_sums(name: str, got: Array, reference: Array, magnitude: Array, terms: int) -> None:
    """check for sums of that many rounded products, each of them: the bound is terms * eps * magnitude.

    magnitude is the same sum over absolute values (Higham 2002, Accuracy and Stability, section 3.5); products that
    underflow add a subnormal number each.
    """
    limits = np.finfo(got.dtype)
    check(name, got, reference, (terms + 1) * (float(limits.eps) * magnitude + float(limits.smallest_subnormal)))


def ulp(reference: Array, dtype: Any) -> Array:
    """One unit in the last place of dtype at each reference value, in float64."""
    return np.spacing(np.abs(reference).astype(dtype)).astype(np.float64)


def promised_forward(activation: Any, reference: Array, dtype: Any) -> Array:
    """Absolute error that an activation's row allows its forward result of dtype."""
    return _promise(activation.ulp, dtype) * ulp(reference, dtype)


def promised_backward(activation: Any, dy: Array, x: Array, a: Any, derivative: Array, dtype: Any) -> Array:
    """Absolute error that an activation's row allows dx = dy * f'(x, a): the derivative's, and one rounding.

    Around a zero that f' crosses (a * x closer than 1 to it), where |f'| < 2^-5, the promise is an absolute one, of
    2^-23 in float32. In the tails, where |f'| is as small, it is relative as everywhere.
    """
    error = _promise(activation.ulp_derivative, dtype) * ulp(derivative, dtype)
    if activation.derivative_zero is not None:
        scaled = x if activation.a is None else a * x
        near = (np.abs(derivative) < 2.0**-5) & (np.abs(scaled - activation.derivative_zero) < 1)
        error = np.where(near, np.maximum(error, np.finfo(dtype).eps), error)
    return np.abs(dy) * error + ulp(dy * derivative, dtype)


def _promise(ulps: float, dtype: Any) -> float:
    return ulps if np.dtype(dtype) == np.float32 else ulps + REFERENCE_ULP
