"""How alike samples, and units, are at a network's output: a gradient may be kept by a network that tells nothing."""

import math
from dataclasses import dataclass

import numpy as np

from kernels.checks import DTYPES
from suites.attenuation import Array, streams
from suites.interventions import Cell, built

# A head that is to tell samples apart that differ by less than a hundredth of their size needs weights a hundred times
# as large as one that sees them as different as they are large.
ALIKE = 0.01


@dataclass(frozen=True)
class Spread:
    """How far outputs differ, over their root mean square; NaN where there is one alone, or where they are not finite.

    samples: one from another; directions: the same, each scaled to one size; units: one unit from another.
    """

    samples: float
    directions: float
    units: float

    @property
    def known(self) -> bool:
        """Whether anything can be told."""
        return not math.isnan(self.samples) or not math.isnan(self.units)

    @property
    def collapse(self) -> str:
        """What is alike, in words; "" where samples and units differ."""
        if self.units < ALIKE:
            return "all units of the last layer are the same"
        if self.samples < ALIKE:
            return "all samples have the same output"
        if self.directions < ALIKE:
            return "the outputs of all samples are multiples of one"
        return ""


def spread(cell: Cell) -> Spread:
    """Of the first seed's network: its output for a batch of N(0, 1) inputs, at the last step of a sequence."""
    network, shape = built(cell)
    weights, inputs, _ = streams(cell.seed)
    state = network.init(weights, shape, DTYPES[cell.dtype])
    with np.errstate(invalid="ignore", over="ignore"):
        y = network.forward(state, inputs.standard_normal(shape).astype(DTYPES[cell.dtype]))
        return spread_of(np.asarray(y if y.ndim == 2 else y[-1], np.float64))


def spread_of(y: Array) -> Spread:
    """Of y (samples, units), float64; samples that are all 0 are the same."""
    samples, units = y.shape
    with np.errstate(invalid="ignore", divide="ignore"):
        largest = np.abs(y).max(axis=1, keepdims=True)
        if not largest.any():
            return Spread(0.0 if samples > 1 else math.nan, math.nan, math.nan)
        y, scaled = y / largest.max(), y / largest
        directions = scaled / np.sqrt(np.mean(scaled**2, axis=1, keepdims=True))
        return Spread(
            samples=_relative(y, 0) if samples > 1 else math.nan,
            directions=_relative(directions, 0) if min(samples, units) > 1 else math.nan,
            units=_relative(y, 1) if units > 1 else math.nan,
        )


def _relative(y: Array, axis: int) -> float:
    return float(np.sqrt(np.mean(np.var(y, axis=axis)) / np.mean(y**2)))
