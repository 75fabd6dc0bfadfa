"""Intervals of means over seeds."""

import math
from typing import Any

import numpy as np

CONFIDENCE = 0.95


def half_width(error: Any, seeds: Any) -> Any:
    """Half of the 95 % t-interval of a mean over so many seeds, whose standard error is error; NaN where that is.

    Numbers, arrays or series of them. One seed has no standard error, and so no interval.
    """
    from scipy.special import stdtrit  # takes as long to import as Numba does

    return stdtrit(np.maximum(seeds - 1, 1), 0.5 + CONFIDENCE / 2) * error


def standard_error(values: Any) -> float:
    """That of the mean of an array or series; NaN of one value, or where one is not finite."""
    if len(values) < 2 or not np.isfinite(values).all():
        return math.nan
    return float(np.std(values, ddof=1)) / math.sqrt(len(values))
