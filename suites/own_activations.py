"""Activations by name: rows of ACTIVATIONS, and one's own as FILE.py:NAME.

FILE.py is Python that Numba compiles, and has

    def NAME(x, a): ...                # or NAME(x)
    def NAME_derivative(x, y, a): ...  # y = NAME(x, a); or NAME_derivative(x), or (x, y)

and, where they apply,

    NAME_a = 0.5           # the parameter's value
    NAME_kinks = (0.0,)    # where the derivative jumps
    def NAME_reference(x, a): ...             # float64 NumPy forms of both, in which the accuracy is measured;
    def NAME_reference_derivative(x, a): ...  # or (x)

They return the type of their argument: a constant is T(0.5), T = type(x), because a bare 0.5 makes float32 work in
float64. The math module's functions run one number at a time, those of kernels.vecmath in vectors. Functions of the
file may call each other.
"""

import dis
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from kernels.activations import ACTIVATIONS
from kernels.elementwise import Activation, Array, Scalar
from kernels.jit import scalar
from suites import own_checks
from suites.errors import UserError, known
from suites.gate import in_float64
from suites.own_code import mistake
from suites.own_files import OwnFile, read

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Own:
    """An activation of a file: its row, the digest of the file, whether the file has float64 forms of it."""

    row: Activation
    digest: str
    has_reference: bool


def lookup_activation(name: str) -> Activation:
    """The row of ACTIVATIONS called name, or the activation that name, FILE.py:NAME, is in a file.

    Raises:
        UserError: the table has no such row, the file no such activation, or its functions are wrong.
    """
    (row,) = lookup_activations([name])
    return row


def lookup_activations(names: Iterable[str]) -> list[Activation]:
    """lookup_activation(name) of each, each once, in the order given; UserError where none is given."""
    names = list(names)
    return known(ACTIVATIONS | {name: own(name).row for name in names if is_own(name)}, "activation", names)


def is_own(name: str) -> bool:
    """Whether name is FILE.py:NAME."""
    return ":" in name or name.endswith(".py")


def digests(names: Iterable[str]) -> dict[str, str]:
    """The digest of the file of each of one's own activations among names: what is measured of it depends on that."""
    return {name: own(name).digest for name in names if is_own(name)}


def check_unchanged(name: str, expected: Mapping[str, str]) -> None:
    """UserError where name is one's own and its file, as this process read it, has another digest than expected."""
    for own_name, digest in digests([name]).items():
        if digest != expected[own_name]:
            raise UserError(f"{own_name}: the file changed after the run had begun")


def beside_known(names: Iterable[str]) -> list[str]:
    """The names of one's own activations, each once, to be judged beside those of ACTIVATIONS.

    Raises:
        UserError: one of them is wrong, or is one of those.
    """
    names = list(dict.fromkeys(names))
    for row in lookup_activations(names) if names else ():
        if not is_own(row.name):
            raise UserError(f"{row.name} is measured anyway; give an activation of your own, FILE.py:NAME")
    return names


@cache
def own(name: str) -> Own:
    """The activation FILE.py:NAME, read and checked once per process; it is called name.

    Raises:
        UserError: as lookup_activation.
    """
    path, _, function = name.rpartition(":") if ":" in name else (name, "", "")
    if not path:
        raise UserError(f"{name}: say which file, as in FILE.py{name}")
    if not function.isidentifier():
        raise UserError(f"{name}: say which function, as in {path}:NAME")
    file = _read(Path(path).expanduser())
    try:
        return _own(name, file, function)
    except own_checks.WrongError as mistake:
        raise UserError(f"{name}: {mistake}") from None


# Two activations of one file are of one state of it.
_read = cache(read)


def _own(name: str, file: OwnFile, function: str) -> Own:
    value, slope = file.function(function, "xa"), file.function(f"{function}_derivative", "xya")
    for part, called in ((value, function), (slope, f"{function}_derivative")):
        if told := mistake(part, called):
            raise own_checks.WrongError(told)
    a, kinks = _parameter(file, f"{function}_a"), _kinks(file, f"{function}_kinks")
    f, df = _completed(value, function, "xa"), _completed(slope, f"{function}_derivative", "xya")
    forms = [f"{function}_reference", f"{function}_reference_derivative"]
    has_reference = any(form in file.names for form in forms)
    given = tuple(_reference(file.function(form, "xa")) for form in forms if has_reference)
    reference, reference_derivative = given or in_float64(f, df, a or 0.0)
    row = Activation(
        name=name,
        f=f,
        df=df,
        reference=reference,
        reference_derivative=reference_derivative,
        a=a,
        kinks=kinks,
        saves="xy" if _reads(slope, "y", "xya") else "x",
        paper=str(file.path),
        ulp=math.inf,
        ulp_derivative=math.inf,
    )
    lacks_a = a is None and (_reads(value, "a", "xa") or _reads(slope, "a", "xya"))
    own_checks.check(row, function, lacks_a, has_reference)
    return Own(row, file.digest, has_reference)


def _arguments(function: FunctionType, full: str) -> str:
    """Which of the arguments x, y and a, a letter each, a function takes of which full takes all."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return "xa" if len(names) == 2 and names[1] == "a" else full[: len(names)]


def _completed(function: FunctionType, name: str, full: str) -> Scalar:
    """The function with all the arguments that kernels give it."""
    inner = scalar(function)
    adapters: dict[tuple[str, str], Scalar] = {
        ("x", "xa"): lambda x, a: inner(x),
        ("x", "xya"): lambda x, y, a: inner(x),
        ("xy", "xya"): lambda x, y, a: inner(x, y),
        ("xa", "xya"): lambda x, y, a: inner(x, a),
    }
    adapter = adapters.get((_arguments(function, full), full), function)
    adapter.__name__ = adapter.__qualname__ = name
    return scalar(adapter)


def _reads(function: FunctionType, argument: str, full: str) -> bool:
    """Whether the code of a function reads that argument."""
    at = _arguments(function, full).find(argument)
    steps = (step for step in dis.get_instructions(function) if step.opname.startswith("LOAD_FAST"))
    read = {name for step in steps for name in (step.argval if isinstance(step.argval, tuple) else [step.argval])}
    return at >= 0 and function.__code__.co_varnames[at] in read


def _parameter(file: OwnFile, name: str) -> float | None:
    value = file.names.get(name)
    if value is not None and not _is_number(value):
        raise UserError(f"{file.path}: {name} must be a number, got {value!r}")
    return None if value is None else float(value)


def _kinks(file: OwnFile, name: str) -> tuple[float, ...]:
    value = file.names.get(name, ())
    if not isinstance(value, tuple | list) or not all(map(_is_number, value)):
        raise UserError(f"{file.path}: {name} must be a tuple of numbers, got {value!r}")
    return tuple(sorted(float(kink) for kink in value))


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) and math.isfinite(value)


def _reference(function: FunctionType) -> Callable[[Array, Any], Array]:
    """A float64 form as (x, a), whatever it takes, that overflows in silence."""
    takes_a = _arguments(function, "xa") == "xa"
    return np.errstate(all="ignore")(lambda x, a: function(x, a) if takes_a else function(x))
