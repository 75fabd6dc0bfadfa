"""What is checked of one's own activation before anything is measured; what is wrong is told in one line.

Both functions compile and keep float32 and float64; float32 says what float64 says; the derivative jumps where that is
declared and nowhere else; it is that of the function, by differences; float64 forms, where given, agree with both.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kernels.elementwise import Activation, Array
from kernels.jit import kernel
from suites import gate
from suites.own_files import described

# f and f' at points (n,) of float32 or float64, each as float64 (n,); of another parameter, where it is given.
Evaluate = Callable[..., tuple[Array, Array]]

# As far as exploding networks take pre-activations. exp overflows in float32 at 89, in float64 at 710.
LARGEST = 1e4
# Relative error of a derivative that is let pass: constants of seven digits make it, wrong formulas a larger one.
CLOSE = 1e-6
# As close to a kink as float32 may take it for the kink itself, or for its other side.
NARROW = 2.0**-22
# Absolute error that is let pass: where tanh is cut off at 10 its slope is not 0 but 8e-9.
FLAT = 1e-8
# What a function of some ten operations rounds off, in units in the last place of 1, of x and of itself.
ROUNDINGS = 64
# Differences are taken over STEP max(1, |x|), and over an eighth of it, so many times, where the function bends faster.
STEP, SHRINKINGS = 1e-3, 7
# A jump is told from a steep slope by halving an interval until it is so small beside max(1, |x|).
SHARP = 1e-13
# Colours of Numba's messages, and how their lines begin that tell what the matter is; what of these tells nothing.
COLOUR = re.compile(r"\x1b\[\d*m")
CAUSE = re.compile(
    r"No implementation of|Unknown attribute|Untyped global|Cannot |Can't |Unsupported|Invalid|The compiler failed"
    r"|\w+Error: (?!Failed)"
)
INTERNAL = re.compile(r"^(Typing|Lowering|Unsupported\w*|Numba\w*)Error: |[. ]*Raised from .*$")
# Numba's names of types, as people call them.
TYPES = {
    r"Literal\[(\w+)\].*": r"\1",
    r"OptionalType\((.*)\)": r"\1 or None",
    r"none": "None",
    r"\w*Tuple.*": "a tuple",
}


class WrongError(Exception):
    """What is wrong, in one line."""


def check(row: Activation, name: str, lacks_a: bool, has_reference: bool) -> None:
    """Check the row of the functions called name and name_derivative.

    lacks_a: they take a, of which no value is known; has_reference: the row's references were given, too.

    Raises:
        WrongError: something is wrong.
    """
    x, evaluate = points(row.kinks), evaluator(row, name)
    with np.errstate(all="ignore"):
        if lacks_a and not np.array_equal(evaluate(x), evaluate(x, 1.0), equal_nan=True):
            raise WrongError(f"{name} depends on a, of which no value is given: write {name}_a = 1.0, say")
        _check_float32(name, x[~_near(x, row.kinks, NARROW)], evaluate)
        _check_jumps(name, x, evaluate, row.kinks)
        _check_slope(name, x, evaluate, row.kinks)
        if has_reference:
            _check_references(row, name, x, evaluate)


def points(kinks: tuple[float, ...] = ()) -> Array:
    """Where functions are checked, numbers that float32 has: 0, both tails, evenly up to 20, close to the kinks."""
    sizes = np.concatenate([np.geomspace(1e-6, LARGEST, 201), np.arange(1, 641) / 32])
    around = [kink + side * np.geomspace(1e-4, 1.0, 21) for kink in kinks for side in (-1, 1)]
    return np.unique(np.concatenate([-sizes, [0.0, *kinks], sizes, *around]).astype(np.float32)).astype(np.float64)


def evaluator(row: Activation, name: str) -> Evaluate:
    """f and f' as Numba compiles them; WrongError where it cannot, or where they return another type."""
    f, df = row.f, row.df

    @kernel(name=f"{name}_checked")
    def both(x, a):
        y = f(x, a)
        return y, df(x, y, a)

    for dtype in (np.float32, np.float64):
        try:
            both(dtype(0.5), dtype(row.a or 0.0))
        except Exception as error:
            _check_type(row, name, dtype)  # else what is wrong is the derivative
            raise WrongError(f"{name}_derivative does not compile: {reason(error, row.paper)}") from None
        value, slope = both.nopython_signatures[-1].return_type.types
        _check_returned(name, value, dtype)
        _check_returned(f"{name}_derivative", slope, dtype)

    def evaluate(x: Array, a: float = row.a or 0.0) -> tuple[Array, Array]:
        parameter, at = x.dtype.type(a), 0.0
        try:
            values = [both(at := number, parameter) for number in x]
        except Exception as error:
            raise WrongError(f"{name} or its derivative raises at x = {at:.9g}: {reason(error, row.paper)}") from None
        return tuple(np.array(values).T)

    return evaluate


def _check_type(row: Activation, name: str, dtype: Any) -> None:
    """WrongError unless the function alone compiles and keeps dtype."""
    f = row.f

    @kernel(name=f"{name}_alone")
    def alone(x, a):
        return f(x, a)

    try:
        alone(dtype(0.5), dtype(row.a or 0.0))
    except Exception as error:
        raise WrongError(f"{name} does not compile: {reason(error, row.paper)}") from None
    _check_returned(name, alone.nopython_signatures[-1].return_type, dtype)


def _check_returned(name: str, returned: Any, dtype: Any) -> None:
    wanted, returned = np.dtype(dtype).name, str(returned)
    if returned != wanted:
        for pattern, told in TYPES.items():
            returned = re.sub(f"^{pattern}$", told, returned)
        number = re.fullmatch(r"(float|int)\d+", returned)
        hint = "constants take the argument's type: T = type(x), then T(0.5)" if number else "it must return a number"
        raise WrongError(f"{name} of {wanted} returns {returned}; {hint}")


def reason(error: BaseException, file: str) -> str:
    """Why Numba does not compile a function of file, or why it raises, in one line."""
    text = COLOUR.sub("", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    i, cause = next(
        ((i, line) for i, line in reversed([*enumerate(lines)]) if CAUSE.match(line)), (0, described(error))
    )
    calls = [line.removeprefix(">>> ") for line in lines[i:] if line.startswith(">>> ")]
    place = re.search(rf'{re.escape(Path(file).name)}(?:", line |[ ]\()(\d+)', text)
    told = f"Numba has no {calls[0]}" if cause.startswith("No implementation") and calls else INTERNAL.sub("", cause)
    return told + (f" (line {place[1]})" if place else "")


def _near(x: Array, kinks: tuple[float, ...], close: float) -> Array:
    """Which of x are that close to a kink, beside max(1, |x|)."""
    return np.abs(x[:, None] - np.array(kinks)).min(axis=1, initial=np.inf) <= close * np.maximum(1, np.abs(x))


def _check_float32(name: str, x: Array, evaluate: Evaluate) -> None:
    """WrongError where float32 is not float64 but for rounding, or one of them is not a number."""
    for called, wide, narrow in zip(
        (name, f"{name}_derivative"), evaluate(x), evaluate(x.astype(np.float32)), strict=True
    ):
        _refuse(np.isnan(wide) & np.isnan(narrow), x, narrow, wide, f"{called}({{}}) is not a number")
        same = wide.astype(np.float32) == narrow
        close = np.abs(narrow - wide) <= gate.unpromised(wide) + gate.unpromised(x)
        _refuse(~(same | close), x, narrow, wide, f"{called}({{}}) is {{}} in float32, {{}} in float64")


def _refuse(wrong: Array, x: Array, got: Array, wanted: Array, told: str) -> None:
    """WrongError that tells x, got and wanted at the wrong point nearest to 1."""
    if wrong.any():
        at = np.flatnonzero(wrong)[np.argmin(np.abs(x[wrong] - 1))]
        raise WrongError(told.format(*(f"{array[at]:.9g}" for array in (x, got, wanted))))


def _check_jumps(name: str, x: Array, evaluate: Evaluate, kinks: tuple[float, ...]) -> None:
    """WrongError where the function jumps, or its derivative, but for the kinks."""
    for which, called, hint in (
        (0, name, "no derivative tells that"),
        (1, f"{name}_derivative", "where that is meant, write {0}_kinks = {1}"),
    ):
        left, right, before, after = _jumps(x, lambda x: evaluate(x)[which])  # noqa: B023
        middle = (left + right) / 2
        away = ~_near(middle, kinks, CLOSE)
        places = [float(f"{round(place, 9):.9g}") + 0.0 for place in middle[away]]
        if places:
            told = f"{called} jumps at x = {places[0]:g} from {before[away][0]:.9g} to {after[away][0]:.9g}"
            raise WrongError(f"{told}; {hint.format(name, tuple(sorted({*kinks, *places})))}")


def _jumps(x: Array, g: Callable[[Array], Array]) -> tuple[Array, Array, Array, Array]:
    """Intervals (left, right, g(left), g(right)), as small as SHARP, in which g still changes by more than rounding."""
    left, right, values = x[:-1], x[1:], g(x)
    before, after = values[:-1], values[1:]
    while True:
        changes = np.abs(after - before) > CLOSE * np.maximum(1, np.minimum(np.abs(before), np.abs(after)))
        changes &= np.isfinite(after - before)
        left, right, before, after = (array[changes] for array in (left, right, before, after))
        if np.all(right - left <= SHARP * np.maximum(1, np.abs(left))):
            return left, right, before, after
        middle = (left + right) / 2
        value = g(middle)
        first = np.abs(value - before) >= np.abs(after - value)
        left, right = np.where(first, left, middle), np.where(first, middle, right)
        before, after = np.where(first, before, value), np.where(first, value, after)


def _check_slope(name: str, x: Array, evaluate: Evaluate, kinks: tuple[float, ...]) -> None:
    """WrongError where the derivative is not what differences of the function give, as far as these can tell."""
    f, (y, slope) = lambda x: evaluate(x)[0], evaluate(x)
    room = np.abs(x[:, None] - np.array(kinks)).min(axis=1, initial=np.inf) / 4
    step = np.minimum(STEP * np.maximum(1, np.abs(x)), room)
    found, error = np.zeros_like(x), np.full_like(x, np.inf)
    for _ in range(SHRINKINGS):
        # the third is of no period that the others may be of
        wide, narrow, third = (_difference(f, x, step * size) for size in (1, 1 / 2, 0.3))
        rounding = ROUNDINGS * np.finfo(np.float64).eps * (np.abs(y) + np.abs(x * slope)) / step
        here = np.maximum(np.abs(wide - narrow), np.abs(third - narrow)) + rounding
        better = here < error
        found, error = np.where(better, narrow, found), np.where(better, here, error)
        step = step / 8
    told = error <= CLOSE * np.maximum(1, np.abs(found))
    wrong = told & (np.abs(slope - found) > FLAT + CLOSE * np.abs(found) + 2 * error)
    _refuse(wrong, x, slope, found, f"{name}_derivative({{}}) is {{}}, but differences of {name} give {{}}")


def _difference(f: Callable[[Array], Array], x: Array, step: Array) -> Array:
    """f' from four values at most two steps away, to the fourth power of the step."""
    near, far = f(x + step) - f(x - step), f(x + 2 * step) - f(x - 2 * step)
    return np.asarray((8 * near - far) / (12 * step))


def _check_references(row: Activation, name: str, x: Array, evaluate: Evaluate) -> None:
    """WrongError where the float64 forms are no functions of arrays, or are not f and f'."""
    value, slope = evaluate(x)
    for told, form, called, ours in (
        (f"{name}_reference", row.reference, name, value),
        (f"{name}_reference_derivative", row.reference_derivative, f"{name}_derivative", slope),
    ):
        try:
            given = form(x, row.a)
        except Exception as error:
            raise WrongError(f"{told} fails: {reason(error, row.paper)}; it takes a NumPy array") from None
        shape, dtype = np.shape(given), getattr(given, "dtype", type(given).__name__)
        if shape != x.shape or dtype != np.float64:
            raise WrongError(f"{told} of a float64 array of shape {x.shape} returns {dtype} of shape {shape}")
        at_kinks = np.isin(x, np.array(row.kinks, np.float32))
        differs = ~(np.abs(given - ours) <= gate.unpromised(ours)) & (given != ours) & ~at_kinks
        _refuse(differs, x, given, ours, f"{told}({{}}) is {{}}, but {called} gives {{}}")
