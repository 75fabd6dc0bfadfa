"""Weights that cells share: what a seed drew once is not drawn again for the next cell (common random numbers).

A draw is known by its function, its shape and the generator's state before: with the state after, all that follows is
as if it had been drawn, so that no bit of a row tells whether a cell shared its draws. Cells that differ in activation,
or in initialisers that scale the same draws, are compared on the same ones.
"""

import pickle
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from kernels.initializers import Array, Generator, Initializer

# Bytes of draws that a process keeps, those used last: eight networks of 50 layers of 256 take 105 MB as they are
# drawn, and as much scaled for each initialiser.
LIMIT = 3 * 2**27


class Memo:
    """What was drawn last, up to limit bytes of it."""

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 0
        self.draws: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def recall(self, key: Hashable, make: Callable[[], tuple[Any, int]]) -> Any:
        """What key stands for: made, with its bytes, where it is not kept."""
        if key in self.draws:
            self.draws.move_to_end(key)
            return self.draws[key][0]
        self.draws[key] = made, size = make()
        self.size += size
        while self.size > self.limit:
            _, (_, oldest) = self.draws.popitem(last=False)
            self.size -= oldest
        return made

    def draw(self, unit: Any, rng: Generator, fan_in: int, fan_out: int) -> Array:
        """unit(rng, fan_in, fan_out), read-only, and rng as that leaves it."""

        def make() -> tuple[tuple[Array, Any], int]:
            drawn = unit(rng, fan_in, fan_out)
            drawn.flags.writeable = False
            return (drawn, rng.bit_generator.state), drawn.nbytes

        key = unit, fan_in, fan_out, pickle.dumps(rng.bit_generator.state)
        drawn, rng.bit_generator.state = self.recall(key, make)
        return drawn

    def forget(self) -> None:
        """Keep nothing of what was drawn so far."""
        self.draws.clear()
        self.size = 0


_memo = Memo(LIMIT)


def forget() -> None:
    """Have everything drawn anew from here on."""
    _memo.forget()


def shared(key: Hashable, make: Callable[[], tuple[Any, int]]) -> Any:
    """What cells of the same key share: made, with its bytes, by the first of them."""
    return _memo.recall(key, make)


@cache
def remembered(rule: Initializer) -> Initializer:
    """The rule with draws that are shared within this process: the same bits, sooner."""
    unit = rule.unit
    return replace(rule, unit=lambda rng, fan_in, fan_out: _memo.draw(unit, rng, fan_in, fan_out))


@cache
def undrawn(rule: Initializer) -> Initializer:
    """The rule with zeros for weights: for memory that weights are put into later."""
    return replace(
        rule, unit=lambda rng, fan_in, fan_out: np.zeros((fan_in, fan_out), np.float32), form=lambda draws: draws
    )
