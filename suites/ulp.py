"""How far the results of a dtype are from a more exact reference, in units in the last place, and what ULP do not tell.

A unit is the spacing of the dtype at the reference: 2^(e - 23) in float32 where 2^e <= |reference| < 2^(e + 1), and
2^-149 among subnormal numbers. An infinite result counts as 2^128 (2^1024 in float64), the number after the largest,
and so does a reference beyond it; a result that is infinite or NaN where the reference is not, or finite
where it is infinite, is a mismatch unless the error counted so is within the promise.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

EXPONENT = np.int64(0x7FF0_0000_0000_0000)
# A float64 reference is right to some hundred of its own units; a step below this share of it may be its rounding.
NOISE = 2.0**-43
NOWHERE = (0.0, np.nan)


@dataclass(frozen=True)
class Reference:
    """What results should be: value is float64, rest what float64 lacks of it, in units of the dtype judged.

    slope is the derivative where it is known, by whose sign results are to step; near, where the promise is an
    absolute one. All are arrays (n,).
    """

    value: Array
    rest: Array | None = None
    slope: Array | None = None
    near: Array | None = None

    def after_first(self) -> "Reference":
        """Of all points but the first."""
        given = {name: array[1:] for name, array in vars(self).items() if array is not None}
        return replace(self, **given)


# The numbers of a judgement -> whether several pieces come to the largest of theirs, or to the sum.
MEASURES = {
    "points": False,  # inputs tested
    "correctly_rounded": False,  # results that are the nearest number to the exact value
    "largest_ulp": True,  # largest error in units in the last place
    "subnormal_ulp": True,  # largest error where the input or the exact result is subnormal
    "largest_absolute": True,  # largest error around the zero of the derivative, where |f'| < 2^-5
    "non_finite_mismatches": False,  # NaN or infinity where the exact value is none, or the reverse
    "sign_of_zero_mismatches": False,  # zeros of the wrong sign
    "flushed_subnormals": False,  # zeros where the exact result is a subnormal number
    "monotonicity_breaks": False,  # neighbouring inputs between which the result steps the wrong way
}

# Measure -> its value and the input where it was met: the first one, or that of the largest.
Judgement = dict[str, tuple[float, float]]


def combine(a: Judgement, b: Judgement) -> Judgement:
    """The judgement of the points of both, those of a first."""
    return {name: _combined(largest, a[name], b[name]) for name, largest in MEASURES.items()}


def _combined(largest: bool, a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    if largest:
        return max(a, b, key=lambda finding: finding[0])
    return a[0] + b[0], a[1] if a[0] else b[1]


def unit(reference: Array, dtype: Any) -> Array:
    """The spacing of dtype at each float64 reference; infinite where that is not finite."""
    limits = np.finfo(dtype)
    binade = (reference.view(np.int64) & EXPONENT).view(np.float64)
    return np.maximum(binade * float(limits.eps), float(limits.smallest_subnormal))


def judge(x: Array, got: Array, reference: Reference, promise: float) -> Judgement:
    """Compare got, the results at x (n,), ascending, of the same dtype, with the reference.

    The first point is only the neighbour of the second: the last one of the piece before. promise is in ULP.
    """
    with np.errstate(all="ignore"):
        breaks = _first(_breaks(x, got, reference), x)
        x, got, reference = x[1:], got[1:], reference.after_first()
        dtype, value = got.dtype, reference.value
        rounded, tiny = value.astype(dtype, copy=False), float(np.finfo(dtype).smallest_normal)
        units = unit(value, dtype)
        error = (got.astype(np.float64) - value) / units
        error = np.abs(error if reference.rest is None else error - reference.rest)
        mismatch = _settle_non_finite(error, got, value, promise)
        inexact = np.flatnonzero(got != rounded)
        wrong = np.count_nonzero(~(np.isnan(got[inexact]) & np.isnan(rounded[inexact])))
        exists = value != 0
        zero = np.flatnonzero((got == 0) & (exists | (x == 0)))
        flushed = zero[(np.abs(value[zero]) < tiny) & (error[zero] > max(promise, 0.5))]
        absolute = NOWHERE
        if reference.near is not None and (near := np.flatnonzero(reference.near)).size:
            absolute = _largest(np.abs(got[near].astype(np.float64) - value[near]), x[near])
            error[near] = 0
        subnormal = (units == float(np.finfo(dtype).smallest_subnormal)) | (np.abs(x) < tiny)
        small = np.flatnonzero(subnormal & exists)
    return {
        "points": (float(x.size), np.nan),
        "correctly_rounded": (float(x.size - wrong), np.nan),
        "largest_ulp": _largest(error, x),
        "subnormal_ulp": _largest(error[small], x[small]),
        "largest_absolute": absolute,
        "non_finite_mismatches": _first(mismatch, x),
        "sign_of_zero_mismatches": _first(zero[_wrong_sign(x, got, reference, zero)], x),
        "flushed_subnormals": _first(flushed, x),
        "monotonicity_breaks": breaks,
    }


def _largest(errors: Array, x: Array) -> tuple[float, float]:
    if not errors.size:
        return NOWHERE
    at = int(errors.argmax())
    return float(errors[at]), float(x[at])


def _first(indices: Array, x: Array) -> tuple[float, float]:
    return (float(indices.size), float(x[indices[0]])) if indices.size else NOWHERE


def _settle_non_finite(error: Array, got: Array, value: Array, promise: float) -> Array:
    """Where got or the value is not finite: write the error by the rule above, 0 at a mismatch; those of mismatches."""
    at = np.flatnonzero(~np.isfinite(error))
    if not at.size:
        return at
    got, value = got[at], value[at]
    limits = np.finfo(got.dtype)
    spacing = float(limits.eps) * 2.0 ** (limits.maxexp - 1)
    beyond = float(limits.max) / spacing + 1
    counted = [np.clip(number / spacing, -beyond, beyond) for number in (got, value)]
    error[at] = np.where(np.isnan(got) & np.isnan(value), 0.0, np.abs(counted[0] - counted[1]))
    mismatch = at[~(error[at] <= promise)]  # NaN is no promise kept
    error[mismatch] = 0
    return mismatch


def _wrong_sign(x: Array, got: Array, reference: Reference, zero: Array) -> Array:
    """Which of the results that are 0, of a value too small or of x = 0, lack its sign or that of slope times x.

    Only of functions whose slope is known: zeros of derivatives are slopes of 0 from either side.
    """
    if reference.slope is None:
        return np.zeros(zero.size, bool)
    value, slope, x, got = reference.value[zero], reference.slope[zero], x[zero], got[zero]
    expected = np.where(value != 0, value < 0, np.signbit(x) != (slope < 0))
    return np.signbit(got) != expected


def _breaks(x: Array, got: Array, reference: Reference) -> Array:
    """Indices of points to whose neighbour the result steps the other way than the reference."""
    left, right, value = got[:-1], got[1:], reference.value
    if reference.slope is None:
        step = value[1:] - value[:-1]
        rises, falls = step > 0, step < 0
    else:
        above, below = reference.slope > 0, reference.slope < 0
        rises, falls = above[1:] & above[:-1], below[1:] & below[:-1]
    wrong = np.flatnonzero(((right < left) & rises) | ((right > left) & falls))
    bits = x.view(f"i{x.itemsize}")
    wrong = wrong[np.abs(bits[wrong + 1] - bits[wrong]) == 1]
    if reference.slope is None:
        wrong = wrong[np.abs(step[wrong]) > NOISE * np.abs(value[wrong])]
    return wrong
