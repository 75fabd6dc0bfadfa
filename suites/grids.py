"""Grids of benchmarks: every combination of names, those of the quick profile unmarked, the rest marked full."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from kernels import ACTIVATIONS


def always(**combination: Any) -> bool:
    """Every combination."""
    return True


@dataclass(frozen=True)
class Grid:
    """The product of the axes, of the combinations that exist; quick(**combination): the quick profile times it."""

    axes: Mapping[str, Collection[Any]]
    quick: Callable[..., bool]
    exists: Callable[..., bool]

    def cells(self, own: Sequence[str] = ()) -> list[Any]:
        """The parameter sets of pytest; own are activations that stand beside the known ones on their axis."""
        axes = [[*axis, *own] if axis is ACTIVATIONS else axis for axis in self.axes.values()]
        combinations = [dict(zip(self.axes, cell, strict=True)) for cell in product(*axes)]
        return [
            pytest.param(*combination.values(), marks=() if self.quick(**combination) else pytest.mark.full)
            for combination in combinations
            if self.exists(**combination)
        ]


def grid(quick: Callable[..., bool], exists: Callable[..., bool] = always, **axes: Collection[Any]) -> Any:
    """A decorator that gives a test its Grid, for pytest_generate_tests; where the grid is empty there is no test."""
    return pytest.mark.grid(Grid(axes, quick, exists)) if all(axes.values()) else lambda test: None


def of(test: Any) -> Grid | None:
    """The grid of a test function; None of one without."""
    marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "grid"]
    return marks[0].args[0] if marks else None
