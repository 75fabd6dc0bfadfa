"""Arrays that the benchmarks of a session share: allocated and touched once, so that no page fault is timed."""

from functools import cache
from typing import Any

import numpy as np

from kernels.layer import empty
from suites.gate import poison

Array = np.ndarray[Any, Any]


@cache
def inputs(n: int, dtype: str, seed: int) -> tuple[Array, Array]:
    """x and dy, each (n,): pre-activations and upstream gradients, drawn from N(0, 1); not to be written."""
    rng = np.random.default_rng([seed, n])
    drawn = _pair(n, dtype)
    for array in drawn:
        rng.standard_normal(dtype=array.dtype, out=array)
    return drawn


def _pair(n: int, dtype: str) -> tuple[Array, Array]:
    return empty((n,), np.dtype(dtype)), empty((n,), np.dtype(dtype))


_outputs = cache(_pair)


def outputs(n: int, dtype: str) -> tuple[Array, Array]:
    """y and dx, each (n,), filled with NaN; the next call of the same size gives the same two again."""
    arrays = _outputs(n, dtype)
    poison(*arrays)
    return arrays
