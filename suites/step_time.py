"""How long a training step takes, of two networks in turn, in one thread of this process."""

import math
import timeit
from collections.abc import Callable
from dataclasses import dataclass, replace
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
# A B B A, each. Of 15 independent ratios the fourth smallest and the fourth largest hold their median between them with
# probability 1 - 2 (1 + 15 + 105 + 455) / 2^15 = 0.965, whatever their distribution.
ROUNDS, OUTER = 15, 3
LEAST = 5e-4  # seconds of a call: shorter ones are repeated


@dataclass(frozen=True)
class StepTime:
    """ratio: a step's time over the baseline's, median of the rounds, low and high its 95 % interval.

    baseline: nanoseconds of the baseline's step per element, in these rounds; NaN where none was timed.
    """

    ratio: float
    low: float
    high: float
    baseline: float


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


def in_turn(a: Callable[[], None], b: Callable[[], None]) -> list[tuple[float, float]]:
    """Seconds of a and of b, of each round, timed in the order A B B A, so that what drifts strikes both alike."""
    with one_thread():
        a()
        b()
        number = max(1, round(LEAST / max(timeit.timeit(a, number=1), 1e-9)))
        rounds = []
        for _ in range(ROUNDS):
            times = {a: 0.0, b: 0.0}
            for call in (a, b, b, a):
                times[call] += timeit.timeit(call, number=number) / number / 2
            rounds.append((times[a], times[b]))
    return rounds


def step_time(before: Cell, after: Cell, optimizer: str = "sgd", clip: float | None = None) -> StepTime:
    """A training step of after, with that optimiser and clipping, beside one of before, which has SGD and none.

    Both have as many elements (units times samples times layers or steps). What another initialiser draws is worked on
    by the same step: its ratio is 1, and is not timed, so that no load of the machine is in it.
    """
    if replace(after, initializer=before.initializer) == before != after and optimizer == "sgd" and clip is None:
        return StepTime(1.0, 1.0, 1.0, math.nan)
    (first, elements), (second, _) = stepper(before), stepper(after, optimizer, clip)
    rounds = in_turn(first, second)
    ratios = sorted(b / a for a, b in rounds)
    return StepTime(median(ratios), ratios[OUTER], ratios[-1 - OUTER], median(a for a, _ in rounds) / elements * 1e9)
