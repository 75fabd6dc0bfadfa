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
def compiled(
    factory: Factory, scalars: Scalars, dtype: Any, outputs: int, inputs: int, streams: bool
) -> tuple[Any, int]:
    """A factory's loop, compiled for arrays of dtype, and where its machine code is."""
    loop = factory(*scalars, streams)
    jit.declare(loop, dtype, outputs, inputs, types.float64, types.intp, types.intp)
    return loop, jit.pointer(loop, dtype)


def flat(array: Array) -> Array:
    """A view as (elements,)."""
    return array if array.ndim == 1 else array.ravel()


def run(factory: Factory, scalars: Scalars, outputs: tuple[Array, ...], inputs: tuple[Array, ...], a: float) -> bool:
    """Run a factory's loop over checked arrays; False where they overlap and nothing was written.

    Arrays that are changed in place are not streamed: their lines are in the caches already.
    """
    arrays = [flat(array) for array in (*outputs, *inputs)]
    first = arrays[0]
    streams = first.nbytes >= STREAMED_BYTES and not set(map(address, outputs)) & set(map(address, inputs))
    loop, pointer = compiled(factory, scalars, first.dtype, len(outputs), len(inputs), streams)
    threads = jit.num_threads()
    if threads == 1 or first.size <= SMALL:
        return bool(loop(*arrays, a, 0, 1))
    return bool(in_parts(tuple(arrays), pointer, a, threads))
