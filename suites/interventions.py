"""Changing one thing of a configuration, which is a cell of the experiments depth or time."""

from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from kernels.architectures import ARCHITECTURES
from kernels.initializers import INITIALIZERS
from kernels.layer import Layer
from suites import depth, sequence
from suites.depth import DepthCell
from suites.errors import UserError, known
from suites.own_activations import lookup_activation
from suites.sequence import SequenceCell

Cell = DepthCell | SequenceCell
# What cells() takes several of, in the plural.
LISTED = ("architecture", "activation", "initializer", "depth", "length", "width", "dtype")


def subject(kind: str, factors: int, **names: Any) -> Cell:
    """The one configuration of so many layers or blocks (kind depth) or steps (time); UserError where it is wrong.

    names: architecture, activation, initializer and what cells() of the experiment takes besides.
    """
    names |= {"depth" if kind == "depth" else "length": factors}
    grid = {noun: value for noun, value in names.items() if noun not in LISTED}
    grid |= {f"{noun}s": [value] for noun, value in names.items() if noun in LISTED}
    return depth.cells(**grid)[0] if kind == "depth" else sequence.cells(**grid)[0]


def configured(*, architecture: str, depth: int | None, length: int | None, inputs: int, **names: Any) -> Cell:
    """subject() across time where a length is given, or there is nothing else; 50 layers or 100 steps by default.

    depth: in a Transformer whose length is given, its blocks. UserError also for a depth or length that is not there.
    """
    (row,) = known(ARCHITECTURES, "architecture", [architecture])
    if length is None and "depth" in row.kinds:
        return subject("depth", 50 if depth is None else depth, architecture=architecture, **names)
    if length is not None and "time" not in row.kinds:
        raise UserError(f"a length is of sequences, and {row.name} has no time steps: give a depth")
    if depth is not None and "depth" not in row.kinds:
        raise UserError(f"a depth is of layers one after another, and {row.name} is a cell: give a length")
    names |= {"inputs": inputs} if depth is None else {"inputs": inputs, "depth": depth}
    return subject("time", 100 if length is None else length, architecture=architecture, **names)


def kind(cell: Cell) -> str:
    """The experiment that the cell is one of."""
    return "depth" if isinstance(cell, DepthCell) else "time"


def factors(cell: Cell) -> int:
    """Layers, blocks or steps between the first and the last position."""
    return cell.depth if isinstance(cell, DepthCell) else cell.length


def changed(cell: Cell, **fields: Any) -> Cell | None:
    """The cell with other fields; None where that is the same one, or makes no sense."""
    other = replace(cell, **fields)
    row = ARCHITECTURES[other.architecture]
    if other == cell or kind(cell) not in row.kinds or other.batch < row.least_batch:
        return None
    try:
        built(other)
    except ValueError:
        return None
    return other


def built(cell: Cell, most: int | None = None) -> tuple[Layer, tuple[int, ...]]:
    """The network that measure(cell) measures, and the shape of its input.

    most: layers or blocks of it, or steps of a cell, at most. The steps of what attends are never fewer: a token costs
    more the more of them there are.
    """

    def few(count: int) -> int:
        return count if most is None else min(count, most)

    build = partial(
        ARCHITECTURES[cell.architecture].build,
        lookup_activation(cell.activation),
        INITIALIZERS[cell.initializer],
        cell.width,
    )
    if isinstance(cell, DepthCell):
        leading = () if cell.tokens is None else (cell.tokens,)
        return build(few(cell.depth)), (*leading, cell.batch, cell.width)
    if cell.depth is None:
        return build(), (few(cell.length), cell.batch, cell.inputs or cell.width)
    # As many factors lie between the first and the last token as in a cell of that length.
    return build(few(cell.depth), causal=True), (cell.length + 1, cell.batch, cell.width)


def measure(cell: Cell) -> pd.DataFrame:
    """Rows of the cell, as its experiment measures them."""
    return depth.measure(cell) if isinstance(cell, DepthCell) else sequence.measure(cell)
