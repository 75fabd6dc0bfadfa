"""What kernels over rows (..., F) share: blocks of rows, threads, sums over all rows, checks."""

from math import prod

from kernels import jit
from kernels.checks import check_input
from kernels.intrinsics import load
from kernels.jit import kernel, scalar
from kernels.layer import Array, DType, empty
from kernels.loops import SMALL
from kernels.streams import BLOCK_BYTES

# Numbers of an array that are taken through one pass after another, with those of two more arrays in L1 meanwhile, and
# the most rows of them: a number for each fits in what streams.stage gives, in any dtype.
BLOCK, BLOCK_ROWS = 2048, BLOCK_BYTES // 8


@scalar
def block_rows(width):
    """How many rows of width numbers make a block."""
    return min(BLOCK_ROWS, max(1, BLOCK // max(1, width)))


@scalar
def share(n, unit, part, parts):
    """First and last of n that are this part's, in whole units."""
    units = -(-n // unit)
    return min(n, units * part // parts * unit), min(n, units * (part + 1) // parts * unit)


@kernel()
def add_parts(total, parts):
    """total (F,) = the sum over parts (P, F)."""
    total[:] = 0
    for part in parts:
        for i in range(total.size):
            total[i] += load(part, i)


def matrix(array: Array) -> Array:
    """(..., F) as (rows, F)."""
    return array if array.ndim == 2 else array.reshape(prod(array.shape[:-1]), array.shape[-1])


def vector(array: Array) -> Array:
    """(...) as (numbers,)."""
    return array if array.ndim == 1 else array.reshape(-1)


def threads_for(x: Array) -> int:
    """How many threads share the rows of x."""
    threads = jit.num_threads()
    return 1 if threads == 1 or x.size <= SMALL else min(threads, prod(x.shape[:-1]))


def sum_buffers(arrays: int, width: int, dtype: DType) -> Array:
    """(arrays, threads, width), for the sums of each thread's rows."""
    return empty((arrays, jit.max_threads(), width), dtype)


def check_rows(name: str, x: Array, dtype: DType) -> None:
    """Raise unless x is (..., F) with F >= 1."""
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"{name} must have features along its last axis, got shape {x.shape}")
    check_input(name, x, dtype, *x.shape)
