"""No time without a green gate: results are compared with the float64 reference before they are timed."""

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels import loops, passes
from kernels.elementwise import Activation, Scalar
from kernels.layer import State

Array = np.ndarray[Any, Any]

SAMPLE = 65_536
TAIL = 64

# A float64 reference is itself a chain of rounded float64 operations; SciPy's erfc is up to 17 ULP off.
REFERENCE_ULP = 32

# Roundings of a product besides those of its sums: of what was added, and of factors that are results themselves.
CHAIN = 16
# Roundings of float32, of 1 and of themselves, that results without a promise may be off: one's own activations.
UNPROMISED = 2**7
# Roundings of results that are no sums of products alone, of their terms' size: sums of thousands of terms in vectors,
# and exponentials, each of a few roundings.
CLOSE = 2**7


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


def product(name: str, got: Array, factors: tuple[Array, Array], plus: Array | float = 0.0) -> None:
    """check got = left @ right + plus, matrices; factors may be of float64, rounded a few times less than got's."""
    left, right = (factor.astype(np.float64) for factor in factors)
    added = np.asarray(plus, dtype=np.float64)
    magnitude = np.abs(left) @ np.abs(right) + np.abs(added)
    check_sums(name, got, left @ right + added, magnitude, terms=len(right) + CHAIN)


def close(name: str, got: Array, reference: Array, size: Array) -> None:
    """check to CLOSE roundings of numbers of that size: for results of many operations.

    size, of reference's shape, is what the terms of each element come to in absolute value, whatever cancels.
    """
    limits = np.finfo(got.dtype)
    check(name, got, reference, CLOSE * (float(limits.eps) * size + float(limits.smallest_subnormal)))


def rows(array: Array) -> Array:
    """(..., F) as (N, F)."""
    return array.reshape(-1, array.shape[-1])


def ulp(reference: Array, dtype: Any) -> Array:
    """One unit in the last place of dtype at each reference value, in float64."""
    return np.spacing(np.abs(reference).astype(dtype)).astype(np.float64)


def promised_forward(activation: Any, reference: Array, dtype: Any) -> Array:
    """Absolute error that an activation's row allows its forward result of dtype."""
    return _allowed(activation.ulp, reference, dtype)


def promised_backward(activation: Any, dy: Array, x: Array, a: Any, derivative: Array, dtype: Any) -> Array:
    """Absolute error that an activation's row allows dx = dy * f'(x, a): the derivative's, and one rounding.

    Around a zero that f' crosses (a * x closer than 1 to it), where |f'| < 2^-5, the promise is an absolute one, of
    2^-23 in float32. In the tails, where |f'| is as small, it is relative as everywhere.
    """
    error = _allowed(activation.ulp_derivative, derivative, dtype)
    if activation.derivative_zero is not None:
        scaled = x if activation.a is None else a * x
        near = (np.abs(derivative) < 2.0**-5) & (np.abs(scaled - activation.derivative_zero) < 1)
        error = np.where(near, np.maximum(error, np.finfo(dtype).eps), error)
    return np.abs(dy) * error + ulp(dy * derivative, dtype)


def _allowed(ulps: float, value: Array, dtype: Any) -> Array:
    """Absolute error of results of dtype that a promise of so many ULP allows; infinitely many are none."""
    if np.isinf(ulps):
        return unpromised(value)
    return (ulps if np.dtype(dtype) == np.float32 else ulps + REFERENCE_ULP) * ulp(value, dtype)


def unpromised(value: Array) -> Array:
    """Absolute error allowed of results near value that nothing is promised of, in float64 too."""
    return UNPROMISED * float(np.finfo(np.float32).eps) * np.maximum(1, np.abs(value))


Form = Callable[[Array, Any], Array]


def in_float64(f: Scalar, df: Scalar, parameter: float) -> tuple[Form, Form]:
    """What stands for float64 forms of f and f' that are not given: the compiled functions themselves, in float64.

    Both take (x, a) as such forms do; a is the parameter given here.
    """

    def value(x: Array, a: Any = None) -> Array:
        x = np.array(x, np.float64, order="C")
        y = np.empty_like(x)
        passes.run(loops.forward, (f,), (y,), (x,), parameter)
        return y

    def slope(x: Array, a: Any = None) -> Array:
        x = np.array(x, np.float64, order="C")
        dx = np.empty_like(x)
        passes.run(loops.backward, (df,), (dx,), (np.ones_like(x), x, value(x)), parameter)
        return dx

    return value, slope


def pointwise(name: str, state: State, activation: Activation, z: Array, y: Array, dy: Array, dz: Array) -> None:
    """Check y = f(z, a) and dz = dy f'(z, a) as the row promises, a the state's or the row's, and the gradient of a."""
    slopes = state.params.get("a", np.array(activation.a or 0.0, z.dtype))
    wide_z, wide_dy, a = (array.astype(np.float64) for array in (z, dy, slopes))
    value, slope = activation.reference(wide_z, a), activation.reference_derivative(wide_z, a)
    check(f"{name}: y", y, value, promised_forward(activation, value, y.dtype))
    check(f"{name}: dz", dz, wide_dy * slope, promised_backward(activation, wide_dy, wide_z, a, slope, y.dtype))
    if activation.learns and activation.reference_df_da is not None:
        terms = rows(wide_dy * activation.reference_df_da(wide_z, a))
        check_sums(f"{name}: da", state.grads["a"], terms.sum(axis=0), np.abs(terms).sum(axis=0), len(terms))
