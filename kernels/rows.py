"""What kernels over rows (..., F) share: blocks of rows, threads, sums over all rows, checks."""

from math import prod

from kernels import jit
from kernels.checks import check_input, check_output
from kernels.intrinsics import load, store
from kernels.jit import kernel, scalar
from kernels.layer import Array, DType, empty
from kernels.loops import SMALL
from kernels.streams import BLOCK_BYTES

# Numbers of an array that are taken through one pass after another, which are in L1 then, and the most rows of them:
# a number for each fits in what streams.stage gives, in any dtype.
BLOCK, BLOCK_ROWS = 4096, BLOCK_BYTES // 8


@scalar
def block_rows(width):
    """How many rows of width numbers make a block."""
    return min(BLOCK_ROWS, max(1, BLOCK // max(1, width)))


@kernel()
def add_parts(total, parts):
    """total (F,) = the sum over parts (P, F)."""
    total[:] = 0
    for part in parts:
        for i in range(total.size):
            store(total, i, load(total, i) + load(part, i))


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


def check_outputs(dtype: DType, outputs: dict[str, tuple[Array, tuple[int, ...]]], inputs: dict[str, Array]) -> None:
    """Raise unless the outputs have these shapes and are apart from the inputs, which are checked, and each other."""
    for name, (output, shape) in outputs.items():
        check_output(name, output, dtype, *shape)
    arrays = {name: output for name, (output, _) in outputs.items()} | inputs
    places = {name: array.__array_interface__["data"][0] for name, array in arrays.items()}
    for name in outputs:
        start, stop = places[name], places[name] + arrays[name].nbytes
        for other, place in places.items():
            if other != name and start < place + arrays[other].nbytes and place < stop:
                raise ValueError(f"{name} must not share memory with {other}")
