"""A step of every optimiser, and clipping: sets of parameters from a small network's to sixteen million.

Parameters and gradients are standard normal. A step is held against the bandwidth of the cache that
holds its arrays, half of them at least, each of which is read or written once.
"""

import numpy as np

from kernels import OPTIMIZERS, reference
from kernels.checks import DTYPES
from kernels.clipping import clip_by_global_norm, clip_by_value
from kernels.layer import empty
from suites import gate
from suites.grids import grid
from suites.layers import against_bandwidth
from suites.measure import Work
from suites.problems import LEARNING_RATE
from suites.sizes import PARAMETERS, first

CLIPPING = {"by_global_norm": clip_by_global_norm, "by_value": clip_by_value}
# name -> the limit, of standard-normal gradients, that cuts many
LIMITS = {"by_global_norm": 1.0, "by_value": 0.5}
ROUNDS = 30
GATED = 2  # steps


def quick(size, dtype, **_):
    """The network's parameters."""
    return (size, dtype) == (first(PARAMETERS), "float32")


@grid(quick=quick, optimizer=OPTIMIZERS, size=PARAMETERS, dtype=DTYPES)
def test_optimizer(timed, seed, optimizer, size, dtype):
    row = OPTIMIZERS[optimizer]
    params, grads = normal(size, dtype, seed)
    step = row.make(params, grads, LEARNING_RATE)

    def check():
        before = [value.astype(np.float64) for value in params]
        for _ in range(GATED):
            step()
        naive = getattr(reference, optimizer)
        for old, new, grad in zip(before, params, grads, strict=True):
            expected = naive(old, [grad.astype(np.float64)] * GATED, LEARNING_RATE)
            moved = np.abs(expected - old) + LEARNING_RATE
            eps = float(np.finfo(new.dtype).eps)
            gate.check(f"{optimizer} {size} {dtype}: p", new, expected, GATED * eps * (np.abs(old) + 16 * moved))

    # p and the moments are read and written, g is read
    streams, arrays = 2 * (1 + row.moments) + 1, 2 + row.moments
    timed(work(optimizer, size, dtype, streams, arrays), step, check)


@grid(quick=quick, clipping=CLIPPING, size=PARAMETERS, dtype=DTYPES)
def test_clipping(timed, seed, clipping, size, dtype):
    start, grads = normal(size, dtype, seed)
    limit = LIMITS[clipping]

    def restore():
        for grad, array in zip(grads, start, strict=True):
            grad[...] = array

    def call():
        return CLIPPING[clipping](grads, limit)

    def check():
        restore()
        norm = call()
        wide = [array.astype(np.float64) for array in start]
        expected, clipped = getattr(reference, f"clip_{clipping}")(wide, limit)
        name = f"clip {clipping} {size} {dtype}"
        gate.check(f"{name}: norm", np.array([norm]), np.array([expected]), 1e-6 * expected)
        for grad, right in zip(grads, clipped, strict=True):
            gate.check(f"{name}: gradient", grad, right, 4 * float(np.finfo(grad.dtype).eps) * np.abs(right))

    def how(benchmark, call):
        return benchmark.pedantic(call, setup=restore, rounds=ROUNDS)

    # once for the norm, then read and written
    timed(work(f"clip_{clipping}", size, dtype, 3, 1), call, check, how)


def normal(size, dtype, seed):
    """Two lists of standard-normal arrays of the set's shapes: the first to start from, the second not the same."""
    rng = np.random.default_rng(seed)
    made = [[empty(shape, DTYPES[dtype]) for shape in PARAMETERS[size]] for _ in range(2)]
    for array in [array for arrays in made for array in arrays]:
        rng.standard_normal(dtype=array.dtype, out=array)
    return made


def work(op, size, dtype, streams, arrays):
    """What one call does: of so many arrays of all parameters it reads or writes streams."""
    count, itemsize = sum(int(np.prod(shape)) for shape in PARAMETERS[size]), DTYPES[dtype].itemsize
    return Work(
        op=op,
        activation="",
        direction="step",
        shape=(count,),
        dtype=dtype,
        size=size,
        **against_bandwidth(streams, itemsize, arrays * count * itemsize),
    )
