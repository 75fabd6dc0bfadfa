"""Activations by name: rows of ACTIVATIONS, and one's own as FILE.py:NAME."""

import importlib.util
import math
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from kernels.activations import ACTIVATIONS
from kernels.elementwise import Activation, Array
from kernels.jit import scalar
from suites.errors import UserError, known


def lookup_activation(name: str) -> Activation:
    """The row of ACTIVATIONS called name, or the activation that name, FILE.py:NAME, is in a file.

    Raises:
        UserError: the table has no such row, or the file no such activation.
    """
    (row,) = lookup_activations([name])
    return row


def lookup_activations(names: Iterable[str]) -> list[Activation]:
    """lookup_activation(name) of each, each once, in the order given; UserError where none is given."""
    names = list(names)
    return known(ACTIVATIONS | {name: _own(name) for name in names if is_own(name)}, "activation", names)


def is_own(name: str) -> bool:
    """Whether name is FILE.py:NAME."""
    return ":" in name


@cache
def _own(name: str) -> Activation:
    """The activation of a file: NAME(x, a) and NAME_derivative(x, y, a); it is called name."""
    file, _, function = name.rpartition(":")
    module = _loaded(Path(file))
    f, df = (getattr(module, part, None) for part in (function, f"{function}_derivative"))
    if f is None or df is None:
        raise UserError(f"{file} has no {function}(x, a) with its {function}_derivative(x, y, a)")

    def derivative(x: Array, a: Any) -> Array:
        return np.vectorize(df, otypes=[float])(x, reference(x, a), a)

    reference = np.vectorize(f, otypes=[float])
    return Activation(
        name=name, f=scalar(f), df=scalar(df), reference=reference, reference_derivative=derivative,
        paper=file, ulp=math.inf, ulp_derivative=math.inf,
    )  # fmt: skip


def _loaded(file: Path) -> ModuleType:
    """The module that file is."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise UserError(f"{file}: no such Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
