"""Optimisers: one pass over each parameter, its gradient and its moments."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.checks import check_apart, check_dtype, check_input, check_output
from kernels.intrinsics import load, store
from kernels.jit import kernel

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """One optimiser: update(p, g, *moments, *coefficients), a kernel over flat arrays.

    moments is how many arrays of the parameter's shape, zero at first, it keeps from step to step;
    coefficients(learning_rate, step) are the numbers of that step, the first being 1.
    """

    name: str
    update: Any
    moments: int
    coefficients: Callable[[float, int], tuple[float, ...]]
    paper: str

    def make(self, params: Sequence[Array], grads: Sequence[Array], learning_rate: float) -> Callable[[], None]:
        """step(): updates params in place from grads. The arrays are kept; a step allocates none.

        Raises TypeError or ValueError where params and grads do not match, or the rate is not a number >= 0.
        """
        if not (math.isfinite(learning_rate) and learning_rate >= 0):
            raise ValueError(f"learning_rate must be finite and not negative, got {learning_rate}")
        if len(params) != len(grads):
            raise ValueError(f"grads must be as many as params, got {len(grads)} for {len(params)}")
        slots = []
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            dtype = check_dtype(f"params[{i}]", p)
            check_output(f"params[{i}]", p, dtype, *p.shape)
            check_input(f"grads[{i}]", g, dtype, *p.shape)
            check_apart(f"params[{i}]", p, **{f"grads[{i}]": g})
            moments = (np.zeros(p.size, dtype) for _ in range(self.moments))
            slots.append((dtype.type, (p.reshape(-1), g.reshape(-1), *moments)))
        steps = 0

        def step() -> None:
            nonlocal steps
            steps += 1
            numbers = self.coefficients(learning_rate, steps)
            for T, arrays in slots:
                self.update(*arrays, *map(T, numbers))

        return step


@kernel()
def _sgd(p, g, rate):
    for i in range(p.size):
        store(p, i, load(p, i) - rate * load(g, i))


BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def _adam_coefficients(learning_rate: float, step: int) -> tuple[float, ...]:
    """Learning rate with the first moment's bias correction, the second moment's, the decays and epsilon."""
    rate = learning_rate / (1.0 - BETA1**step)
    return rate, 1.0 / (1.0 - BETA2**step), 1.0 - BETA1, BETA2, 1.0 - BETA2, EPSILON


@kernel()
def _adam(p, g, m, v, rate, correction, toward, keep, take, epsilon):
    for i in range(p.size):
        gradient = load(g, i)
        mean = load(m, i) + toward * (gradient - load(m, i))
        square = keep * load(v, i) + take * (gradient * gradient)
        store(m, i, mean)
        store(v, i, square)
        store(p, i, load(p, i) - rate * mean / (np.sqrt(square * correction) + epsilon))


_ROWS = (
    Optimizer(
        name="sgd",
        update=_sgd,
        moments=0,
        coefficients=lambda rate, step: (rate,),
        paper="Robbins & Monro 1951, A stochastic approximation method",
    ),
    Optimizer(
        name="adam",
        update=_adam,
        moments=2,
        coefficients=_adam_coefficients,
        paper="Kingma & Ba 2015, Adam: a method for stochastic optimization, algorithm 1",
    ),
)

OPTIMIZERS = {row.name: row for row in _ROWS}
