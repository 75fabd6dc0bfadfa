"""Grids of benchmarks: every combination of names, those of the quick profile unmarked, the rest marked full."""

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import pytest


def always(**combination: Any) -> bool:
    """Every combination."""
    return True


def grid(quick: Callable[..., bool], exists: Callable[..., bool] = always, **axes: Iterable[Any]) -> Any:
    """A parametrize decorator over the product of the axes, of the combinations that exist; no test where none does.

    quick(**combination) says what the quick profile times.
    """
    combinations = [dict(zip(axes, cell, strict=True)) for cell in product(*axes.values())]
    cells = [
        pytest.param(*combination.values(), marks=() if quick(**combination) else pytest.mark.full)
        for combination in combinations
        if exists(**combination)
    ]
    return pytest.mark.parametrize(",".join(axes), cells) if cells else lambda test: None
