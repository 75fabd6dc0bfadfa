"""ARCHITECTURES: what can be put into a suite by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from kernels.dense import dense_activation
from kernels.elementwise import Activation
from kernels.initializers import Initializer
from kernels.layer import Layer, repeat
from kernels.recurrent import rnn


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One architecture. Its gradient is followed across depth or across time, and build says how it is made.

    depth: build(activation, initializer, width, depth), over x (N, width); children are the positions.
    time: build(activation, initializer, hidden), over x (T, N, F); saved["dh"] has the positions.
    """

    name: str
    kind: Literal["depth", "time"]
    build: Callable[..., Layer]


def plain(activation: Activation, initializer: Initializer, width: int, depth: int) -> Layer:
    """depth dense layers of one width."""
    return repeat(dense_activation(activation, initializer, width), depth)


_ROWS = (
    Architecture(name="plain", kind="depth", build=plain),
    Architecture(name="rnn", kind="time", build=rnn),
)

ARCHITECTURES = {row.name: row for row in _ROWS}
