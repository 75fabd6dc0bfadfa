"""How a pass over arrays of any size is run: in one thread or more, with ordinary stores or past the caches."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from kernels import jit
from kernels.intrinsics import address
from kernels.jit import kernel, prange, types
from kernels.loops import SMALL
from kernels.streams import call

Array = np.ndarray[Any, Any]
Factory = Callable[..., Any]
Scalars = tuple[Callable[..., Any], ...]
Kinds = tuple[tuple[Any, int], ...]

# Bytes of an array that is streamed. It wins sooner, but what follows would not find smaller results in the caches.
STREAMED_BYTES = 2**26


@kernel(name="in_parts", parallel=True)
def in_parts(arrays, loop, a, parts):
    """Call a compiled loop for each of the parts, one per thread; whether all were done."""
    done = 0
    for part in prange(parts):
        done += call(loop, arrays, a, part, parts)
    return done == parts


@cache
def compiled(factory: Factory, arguments: tuple[Any, ...], kinds: Kinds, outputs: int) -> tuple[Any, int]:
    """factory(*arguments), a loop compiled for arrays of these dtypes and dimensions, and where its machine code is."""
    loop = factory(*arguments)
    return loop, jit.declare(loop, kinds, outputs, types.float64, types.intp, types.intp)


def shared(
    factory: Factory,
    arguments: tuple[Any, ...],
    outputs: tuple[Array, ...],
    inputs: tuple[Array, ...],
    a: float = 0.0,
    threads: int = 1,
) -> bool:
    """Run loop(*outputs, *inputs, a, part, parts) of a factory over checked arrays, one part per thread.

    Arrays may have any dtypes and dimensions. The loop returns whether it did its part; shared, whether all were done.
    """
    arrays = (*outputs, *inputs)
    if threads == 1:
        try:
            return bool(factory(*arguments)(*arrays, a, 0, 1))
        except TypeError:  # sealed: it is not compiled for these types
            pass
    kinds = tuple((array.dtype, array.ndim) for array in arrays)
    loop, pointer = compiled(factory, arguments, kinds, len(outputs))
    if threads == 1:
        return bool(loop(*arrays, a, 0, 1))
    return bool(in_parts(arrays, pointer, a, threads))


def flat(array: Array) -> Array:
    """A view as (elements,)."""
    return array if array.ndim == 1 else array.ravel()


def run(factory: Factory, scalars: Scalars, outputs: tuple[Array, ...], inputs: tuple[Array, ...], a: float) -> bool:
    """Run a factory's loop over checked arrays; False where they overlap and nothing was written.

    Arrays that are changed in place are not streamed: their lines are in the caches already.
    """
    streams = outputs[0].nbytes >= STREAMED_BYTES and not set(map(address, outputs)) & set(map(address, inputs))
    threads = 1 if outputs[0].size <= SMALL else jit.num_threads()
    return shared(factory, (*scalars, streams), tuple(map(flat, outputs)), tuple(map(flat, inputs)), a, threads)
