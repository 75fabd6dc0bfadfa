"""How long a training step takes, of two networks in turn, in one thread of this process."""

import timeit
from collections.abc import Callable
from statistics import median

import numpy as np

from kernels.checks import DTYPES
from kernels.clipping import Clipper
from kernels.layer import parameters
from kernels.optimizers import OPTIMIZERS
from suites.interventions import Cell, built
from suites.threads import one_thread

# A layer, or a step of a cell, takes as long in a network of 10 of them as in one of 1000: no more are timed. A token
# that attends takes longer the more there are: all are timed.
MOST_FACTORS = 10
BLOCKS = 7  # A B B A, each


def stepper(cell: Cell, optimizer: str = "sgd", clip: float | None = None) -> tuple[Callable[[], None], int]:
    """step(): forward, backward and update of the configuration's first layers, or steps of a cell; and its elements.

    Elements are activations, unit by unit and sample by sample, of all its layers or steps. The learning rate is 0, so
    every step does the same work.
    """
    network, shape = built(cell, MOST_FACTORS)
    rng, dtype = np.random.default_rng(cell.seed), DTYPES[cell.dtype]
    state = network.init(rng, shape, dtype)
    x = rng.standard_normal(shape).astype(dtype)
    dy = np.asarray(rng.standard_normal(state.saved["y"].shape), dtype)
    _, values, grads = zip(*parameters(state), strict=True)
    update, clipper = OPTIMIZERS[optimizer].make(values, grads, 0.0), Clipper(grads)

    def step() -> None:
        network.forward(state, x)
        network.backward(state, dy)
        if clip is not None:
            clipper.by_global_norm(clip)
        update()

    return step, dy.size * (len(network.layers) or 1)


def in_turn(a: Callable[[], None], b: Callable[[], None]) -> tuple[float, float]:
    """Median seconds of each, timed in the order A B B A, so that what drifts strikes both alike."""
    times: dict[Callable[[], None], list[float]] = {a: [], b: []}
    with one_thread():
        for call in (a, b):
            call()
        for _ in range(BLOCKS):
            for call in (a, b, b, a):
                times[call].append(timeit.timeit(call, number=1))
    return median(times[a]), median(times[b])


def nanoseconds(before: Cell, after: Cell, optimizer: str = "sgd", clip: float | None = None) -> tuple[float, float]:
    """Nanoseconds of a training step per element (unit, sample and layer or step) before and after a change.

    Before it is SGD without clipping.
    """
    (first, few), (second, many) = stepper(before), stepper(after, optimizer, clip)
    a, b = in_turn(first, second)
    return a / few * 1e9, b / many * 1e9
