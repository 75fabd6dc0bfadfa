"""Weights that cells share: what a seed drew once is not drawn again for the next cell (common random numbers).

A draw is known by its function, its shape and the generator's state before: with the state after, all that follows is
as if it had been drawn, so that no bit of a row tells whether a cell shared its draws. Cells that differ in activation,
or in initialisers that scale the same draws, are compared on the same ones.
"""

import pickle
from collections import OrderedDict
from dataclasses import replace
from functools import cache
from typing import Any

from kernels.initializers import Array, Generator, Initializer

# Bytes of draws that a process keeps, those used last: as many as eight orthogonal networks of 50 layers of 256 take.
LIMIT = 2**28


class Memo:
    """The draws used last, up to limit bytes of them."""

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 0
        self.draws: OrderedDict[Any, tuple[Array, Any]] = OrderedDict()

    def draw(self, unit: Any, rng: Generator, fan_in: int, fan_out: int) -> Array:
        """unit(rng, fan_in, fan_out), read-only, and rng as that leaves it."""
        key = unit, fan_in, fan_out, pickle.dumps(rng.bit_generator.state)
        if key in self.draws:
            self.draws.move_to_end(key)
            drawn, rng.bit_generator.state = self.draws[key]
            return drawn
        drawn = unit(rng, fan_in, fan_out)
        drawn.flags.writeable = False
        self.draws[key] = drawn, rng.bit_generator.state
        self.size += drawn.nbytes
        while self.size > self.limit:
            _, (oldest, _) = self.draws.popitem(last=False)
            self.size -= oldest.nbytes
        return drawn

    def forget(self) -> None:
        """Keep nothing of what was drawn so far."""
        self.draws.clear()
        self.size = 0


_memo = Memo(LIMIT)
forget = _memo.forget


@cache
def remembered(rule: Initializer) -> Initializer:
    """The rule with draws that are shared within this process: the same bits, sooner."""
    unit = rule.unit
    return replace(rule, unit=lambda rng, fan_in, fan_out: _memo.draw(unit, rng, fan_in, fan_out))
