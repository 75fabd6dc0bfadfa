"""Optimisers: one pass over each parameter, its gradient and its moments; all parameters in one compiled call."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from kernels import jit
from kernels.checks import check_dtype, check_input, check_output
from kernels.intrinsics import load, store
from kernels.jit import kernel, scalar
from kernels.loops import SMALL, blocks
from kernels.passes import shared
from kernels.streams import LINE_BYTES
from kernels.tables import array_at, check_all_apart, table

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """One optimiser: update(p, g, m, v, numbers), a loop over arrays of one size, in place.

    moments is how many of m and v, zero at first, it keeps from step to step; coefficients(learning_rate, step) are
    the numbers of that step (float64), the first being 1. Its constants are those of PyTorch's defaults.
    """

    name: str
    update: Callable[..., None]
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
        alike: dict[np.dtype[Any], list[tuple[Array, Array]]] = {}
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            dtype = check_dtype(f"params[{i}]", p)
            check_output(f"params[{i}]", p, dtype, *p.shape)
            check_input(f"grads[{i}]", g, dtype, *p.shape)
            alike.setdefault(dtype, []).append((p, g))
        check_all_apart([*params, *grads], lambda i: f"params[{i}]" if i < len(params) else f"grads[{i - len(params)}]")
        groups = [_Group(dtype, pairs) for dtype, pairs in alike.items()]
        numbers = np.array(self.coefficients(learning_rate, 1))
        steps = 0

        def step() -> None:
            nonlocal steps
            steps += 1
            numbers[:] = self.coefficients(learning_rate, steps)
            for group in groups:
                threads = 1 if group.size <= SMALL else jit.num_threads()
                shared(_over_all, (self.update,), (group.like,), (group.table, numbers), threads=threads)

        return step


class _Group:
    """The arrays of all parameters of one dtype: kept here, since the table holds their addresses alone.

    The moments of all parameters lie in one piece of memory, whose pages can be large ones; those that are not used
    are never touched, and so take none.
    """

    def __init__(self, dtype: np.dtype[Any], pairs: Sequence[tuple[Array, Array]]) -> None:
        line = LINE_BYTES // dtype.itemsize
        starts = np.cumsum([0, *(-(-p.size // line) * line for p, _ in pairs)])
        self.pairs, self.size, self.like = pairs, int(starts[-1]), np.empty(0, dtype)
        self.moments = np.zeros((2, self.size), dtype)
        places = [slice(start, start + p.size) for start, (p, _) in zip(starts[:-1], pairs, strict=True)]
        m, v = ([block[place] for place in places] for block in self.moments)
        self.table = table(*zip(*pairs, strict=True), m, v)


@cache
def _over_all(update: Callable[..., None]) -> Any:
    @kernel(name=f"{update.__name__}_over_all", sealed=True)
    def loop(like, table, numbers, a, part, parts):
        sizes, ps, gs, ms, vs = table[0], table[1], table[2], table[3], table[4]
        for k in range(sizes.size):
            p, g = array_at(like, ps[k], sizes[k]), array_at(like, gs[k], sizes[k])
            m, v = array_at(like, ms[k], sizes[k]), array_at(like, vs[k], sizes[k])
            start, stop, _, _ = blocks(p, part, parts, False)
            update(p[start:stop], g[start:stop], m[start:stop], v[start:stop], numbers)
        return True

    return loop


@scalar
def _sgd(p, g, m, v, numbers):
    rate = p.dtype.type(numbers[0])
    for i in range(p.size):
        store(p, i, load(p, i) - rate * load(g, i))


MOMENTUM = 0.9


@scalar
def _momentum(p, g, m, v, numbers):
    rate, keep = p.dtype.type(numbers[0]), p.dtype.type(numbers[1])
    for i in range(p.size):
        velocity = keep * load(m, i) + load(g, i)
        store(m, i, velocity)
        store(p, i, load(p, i) - rate * velocity)


ALPHA, EPSILON = 0.99, 1e-8


@scalar
def _rmsprop(p, g, m, v, numbers):
    rate, keep = p.dtype.type(numbers[0]), p.dtype.type(numbers[1])
    take, epsilon = p.dtype.type(numbers[2]), p.dtype.type(numbers[3])
    for i in range(p.size):
        gradient = load(g, i)
        square = keep * load(m, i) + take * (gradient * gradient)
        store(m, i, square)
        store(p, i, load(p, i) - rate * gradient / (np.sqrt(square) + epsilon))


BETA1, BETA2, WEIGHT_DECAY = 0.9, 0.999, 0.01


def _adam_coefficients(learning_rate: float, step: int, decay: float = 0.0) -> tuple[float, ...]:
    """Learning rate and square with their bias corrections, what is kept of a weight, the decays and epsilon."""
    rate, correction = learning_rate / (1.0 - BETA1**step), 1.0 / (1.0 - BETA2**step)
    return rate, correction, 1.0 - learning_rate * decay, 1.0 - BETA1, BETA2, 1.0 - BETA2, EPSILON


@scalar
def _adam(p, g, m, v, numbers):
    T = p.dtype.type
    rate, correction, weight = T(numbers[0]), T(numbers[1]), T(numbers[2])
    toward, keep, take, epsilon = T(numbers[3]), T(numbers[4]), T(numbers[5]), T(numbers[6])
    for i in range(p.size):
        gradient = load(g, i)
        mean = load(m, i) + toward * (gradient - load(m, i))
        square = keep * load(v, i) + take * (gradient * gradient)
        store(m, i, mean)
        store(v, i, square)
        store(p, i, weight * load(p, i) - rate * mean / (np.sqrt(square * correction) + epsilon))


_ROWS = (
    Optimizer(
        name="sgd",
        update=_sgd,
        moments=0,
        coefficients=lambda rate, step: (rate,),
        paper="Robbins & Monro 1951, A stochastic approximation method",
    ),
    Optimizer(
        name="momentum",
        update=_momentum,
        moments=1,
        coefficients=lambda rate, step: (rate, MOMENTUM),
        paper="Polyak 1964, Some methods of speeding up the convergence of iteration methods; the rate outside as in "
        "torch.optim.SGD",
    ),
    Optimizer(
        name="rmsprop",
        update=_rmsprop,
        moments=1,
        coefficients=lambda rate, step: (rate, ALPHA, 1.0 - ALPHA, EPSILON),
        paper="Tieleman & Hinton 2012, Neural networks for machine learning, lecture 6.5",
    ),
    Optimizer(
        name="adam",
        update=_adam,
        moments=2,
        coefficients=_adam_coefficients,
        paper="Kingma & Ba 2015, Adam: a method for stochastic optimization, algorithm 1",
    ),
    Optimizer(
        name="adamw",
        update=_adam,
        moments=2,
        coefficients=lambda rate, step: _adam_coefficients(rate, step, WEIGHT_DECAY),
        paper="Loshchilov & Hutter 2019, Decoupled weight decay regularization, algorithm 2",
    ),
)

OPTIMIZERS = {row.name: row for row in _ROWS}
