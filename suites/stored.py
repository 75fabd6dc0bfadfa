"""What a dtype keeps of a gradient that nothing rescales, and what of it the derivative from the output loses."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from kernels.checks import DTYPES
from kernels.layer import Layer
from suites.attenuation import LOG10_2, Array, log10_norm


class Stored:
    """The gradient as a backward pass of layer's leaves it, at positions 0 to the last.

    norms: log10 of its norm, -inf where it is 0. largest: its largest magnitude, inf where that is surely a normal
    number. gradient: that at hand. beyond: log10 of the largest magnitude of the gradient itself, which no dtype cuts
    off, inf where float64 surely has it as a normal number.
    """

    def __init__(self, layer: Layer, last: int) -> None:
        self.layer, self.last = layer, last
        self.norms, self.largest = np.full(last + 1, -math.inf), np.zeros(last + 1)
        self.beyond = np.full(last + 1, math.inf)
        self.gradient: dict[str, Array] = {}

    def note(self, here: slice, gradients: Array, norms: Any = None) -> None:
        """Keep gradients (positions, ...) of the positions here; norms, if log10 of them is known."""
        self.norms[here] = [log10_norm(g) for g in gradients] if norms is None else norms
        if np.min(self.norms[here]) > _surely_normal(gradients[0].size, gradients.dtype):
            self.largest[here] = math.inf
        else:
            self.largest[here] = _largest(gradients)

    def reach(self, here: slice, gradients: Array, norms: Any, powers: Any) -> None:
        """Keep what is beyond, of gradients (positions, ...) that were multiplied by two to powers; norms: of neither.

        powers: one, or one of each position.
        """
        if np.min(norms) <= _surely_normal(gradients[0].size, DTYPES["float64"]):
            with np.errstate(divide="ignore"):
                self.beyond[here] = np.log10(_largest(gradients), dtype=np.float64) - np.asarray(powers) * LOG10_2


def _largest(gradients: Array) -> Array:
    """The largest magnitude at each position."""
    return np.asarray(np.abs(gradients).max(axis=tuple(range(1, gradients.ndim))))


@cache
def _surely_normal(size: int, dtype: np.dtype[Any]) -> float:
    """log10 of the norm from which on one of so many elements is a normal number."""
    return math.log10(float(np.finfo(dtype).smallest_normal) * math.sqrt(size))


def stored_rows(seed: int, dtype: str, stored: Sequence[Stored], variances: Any = ()) -> list[dict[str, Any]]:
    """Rows of where the gradient is lost first, on its way back from the last position, and of the other derivative.

    first_subnormal_position: from there on no element is a normal number of dtype; first_zero_position: from there on
    all are 0; float64_first_..., where dtype is another: from where on float64 would have it so. NaN where that is
    nowhere, and of float64 where the forward pass, of these mean squares by position, leaves what dtype has and takes
    the gradient with it: what float64's would leave of that is not known. from_output_gradient: log10 of the norm, over
    that at the last position, with the derivative from the output, where there is such a pass after the first.
    """
    tiny, largest = np.finfo(DTYPES[dtype]).smallest_normal, stored[0].largest
    firsts = {"first_subnormal_position": largest < tiny, "first_zero_position": largest == 0}
    if dtype != "float64":
        limits = np.finfo(np.float64)
        ends = {"subnormal": limits.smallest_normal, "zero": limits.smallest_subnormal}
        beyond = np.full_like(stored[0].beyond, math.inf) if _blind(stored[0], variances, tiny) else stored[0].beyond
        firsts |= {f"float64_first_{what}_position": beyond < np.log10(end) for what, end in ends.items()}
    with np.errstate(invalid="ignore"):
        curves = [other.norms - other.norms[-1] for other in stored[1:]]
    return [
        *({"seed": seed, "metric": metric, "value": _last(lost), "unit": "1"} for metric, lost in firsts.items()),
        *(
            {
                "seed": seed,
                "position": range(len(curve)),
                "metric": "from_output_gradient",
                "value": curve,
                "unit": "log10",
            }
            for curve in curves
        ),
    ]


def _blind(stored: Stored, variances: Any, tiny: Any) -> bool:
    """Whether a forward pass that dies out or overflows left nothing of the gradient, or no number, somewhere."""
    squares = np.asarray(variances)
    left = ~np.isfinite(squares) | ((squares > 0) & (squares < float(tiny) ** 2))
    return bool(left.any() and not (stored.beyond > -math.inf).all())


def _last(true: Array) -> float:
    """The last position where it is true, NaN where it is nowhere."""
    return float(max(np.flatnonzero(true), default=math.nan))
