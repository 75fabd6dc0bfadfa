"""Certifying the activations: the errors of every row over all float32, or over a sample and all edge cases.

What is judged is what Activation's methods write. float32 results are compared with the row's float64 references,
whose own errors are some hundred float64 units, 2^-45 (tests hold them against mpmath); float64 ones with mpmath.
One's own activations promise nothing; their float32 results are compared with the float64 forms in their file, and
where there are none with what their functions give in float64.
"""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial, reduce
from typing import Any

import numpy as np
import pandas as pd

from kernels.activations import ACTIVATIONS
from kernels.checks import DTYPES
from kernels.elementwise import Activation
from suites import exact, points
from suites.errors import UserError, known, whole
from suites.own_activations import is_own, lookup_activation, lookup_activations, own
from suites.peers import CONTENDERS, NAMES, OWN, Arrays
from suites.schema import stack
from suites.ulp import Judgement, Reference, combine, judge

log = logging.getLogger(__name__)

Array = np.ndarray[Any, Any]

FORWARD, DERIVATIVE, BY_A = "forward", "derivative", "derivative_by_a"
EVERYTHING, SAMPLE = "exhaustive", "sample"
ALL = 2**32  # inputs in float32, NaN included
PEERS = ("torch", "jax")

# float32's promises are the rows'. These are float64's, in ULP, of every row, and what those without a promise are
# judged by where NaN, infinities and zeros are counted.
PROMISES_FLOAT64 = {FORWARD: 2.0, DERIVATIVE: 4.0, BY_A: 4.0}
# Around the zero of a derivative, where it is smaller than NEAR, its promise is absolute: so many of the dtype's eps.
NEAR, NEAR_EPS = 2.0**-5, 0.25

COUNT = 2**22  # float32 of a sample
COUNT_FLOAT64 = 2**13  # of which mpmath computes some ten thousand per second
CHUNK = 2**15  # numbers at once, so that temporaries stay in the cache
SLICE = 2**26  # bit patterns of a cell of all of them: a second or two


@dataclass(frozen=True)
class AccuracyCell:
    """One activation by one implementation over some points: count of a sample, or count bit patterns from first."""

    activation: str
    parameter_a: float | None
    dtype: str
    by: str
    points: str
    first: int
    count: int
    seed: int


def cells(
    *,
    activations: Sequence[str] = tuple(ACTIVATIONS),
    dtypes: Sequence[str] = tuple(DTYPES),
    exhaustive: bool = False,
    count: int = COUNT,
    seed: int = 0,
) -> list[AccuracyCell]:
    """The cells of each activation: of gradfade, and of the peers that are installed.

    exhaustive: gradfade's float32 results with the row's own parameter over all inputs; all else is sampled. Peers and
    one's own activations are measured in float32.

    Raises:
        UserError: a name is unknown, count or seed is no number for it, or only float64 of one's own is asked for.
    """
    rows = lookup_activations(activations)
    known(DTYPES, "dtype", dtypes)
    for row in rows:
        if is_own(row.name):
            _tell(row.name, dtypes)
    whole("seed", seed, 0)
    whole("count", count, 2)
    return [
        cell
        for row in rows
        for dtype in dict.fromkeys(dtypes)
        if dtype == "float32" or not is_own(row.name)
        for cell in _cells(row, dtype, exhaustive, count, seed)
    ]


def _tell(name: str, dtypes: Sequence[str]) -> None:
    """Log what one's own activation is compared with; UserError where there is nothing."""
    if "float32" not in dtypes:
        raise UserError(f"{name}: float64 results could only be compared with themselves; ask for float32")
    if not own(name).has_reference:
        log.info("%s: no float64 forms are given: float32 is compared with the same functions in float64", name)


def _cells(row: Activation, dtype: str, exhaustive: bool, count: int, seed: int) -> Iterator[AccuracyCell]:
    cell = partial(AccuracyCell, row.name, dtype=dtype, seed=seed)
    sampled = partial(cell, points=SAMPLE, first=0, count=count if dtype == "float32" else min(count, COUNT_FLOAT64))
    if exhaustive and dtype == "float32":
        for first in range(0, ALL, SLICE):
            yield cell(row.a, by=OWN, points=EVERYTHING, first=first, count=SLICE)
    else:
        yield sampled(row.a, by=OWN)
    for a in row.tested_a:
        yield sampled(a, by=OWN)
    if dtype == "float32":
        for peer in PEERS:
            if _offered(peer, row, dtype):
                yield sampled(row.a, by=peer)


def measure(cell: AccuracyCell) -> pd.DataFrame:
    """Rows of every measure of suites.ulp and of the promise, per direction; position is the input where it was met."""
    row, dtype = lookup_activation(cell.activation), DTYPES[cell.dtype]
    a = None if cell.parameter_a is None else float(dtype.type(cell.parameter_a))
    found: dict[str, list[Judgement]] = {}
    for x in _batches(cell, row, a):
        results = _own(row, x, a) if cell.by == OWN else _theirs(cell.by, row, x)
        for start in range(1, x.size, CHUNK):
            piece = slice(start - 1, start + CHUNK)
            references = _references(row, x[piece], a)
            for direction, got in results.items():
                promise = _promise(row, direction, dtype)
                usual = PROMISES_FLOAT64[direction] if math.isinf(promise) else promise
                judged = judge(x[piece], got[piece], references[direction], usual)
                found.setdefault(direction, []).append(judged)
    identity = {name: value for name, value in asdict(cell).items() if name not in ("points", "first", "count")}
    pieces = []
    for direction, judgements in found.items():
        numbers = reduce(combine, judgements) | {"promised_ulp": (_promise(row, direction, dtype), np.nan)}
        if direction == DERIVATIVE and row.derivative_zero is not None:
            numbers["promised_absolute"] = (_promised_absolute(dtype), np.nan)
        values, at = zip(*numbers.values(), strict=True)
        pieces.append({"direction": direction, "metric": list(numbers), "value": values, "position": at})
    return stack({"experiment": "accuracy", "dataset": cell.points, **identity}, pieces)


def _promise(row: Activation, direction: str, dtype: Any) -> float:
    if dtype == np.float64:
        return PROMISES_FLOAT64[direction]
    return row.ulp if direction == FORWARD else row.ulp_derivative


def _promised_absolute(dtype: Any) -> float:
    return NEAR_EPS * float(np.finfo(dtype).eps)


def _batches(cell: AccuracyCell, row: Activation, a: float | None) -> Iterator[Array]:
    """The cell's points, a piece of all float32 or a whole sample at once, each after a neighbour as judge takes it."""
    if cell.points == SAMPLE:
        x = _sample(cell, row, a)
        yield np.append(x[:1], x)
        return
    for first in range(cell.first, cell.first + cell.count, CHUNK):
        yield points.every(first, min(CHUNK, cell.first + cell.count - first))


def _sample(cell: AccuracyCell, row: Activation, a: float | None) -> Array:
    dtype = DTYPES[cell.dtype]
    zero = [] if row.derivative_zero is None else [row.derivative_zero / (a or 1.0)]
    references = [partial(function, a=a) for function in _functions(row).values()]
    parts = [points.edges(references, [*row.kinks, *row.joints, *zero], dtype)]
    parts += [points.sample(dtype, cell.count, cell.seed), points.core(dtype, cell.count // 4, cell.seed)]
    return points.ascending(np.concatenate(parts))


def _functions(row: Activation) -> dict[str, Callable[..., Array]]:
    """The float64 references by direction."""
    functions = {FORWARD: row.reference, DERIVATIVE: row.reference_derivative}
    return functions if row.reference_df_da is None else {**functions, BY_A: row.reference_df_da}


def _references(row: Activation, x: Array, a: float | None) -> dict[str, Reference]:
    with np.errstate(all="ignore"):
        wide = x.astype(np.float64)
        references = {direction: Reference(function(wide, a)) for direction, function in _functions(row).items()}
        if x.dtype == np.float64:
            for form, (direction, reference) in zip(exact.FORMS[row.name], references.items(), strict=True):
                references[direction] = exact.evaluate(form, x, a, reference.value)
        slope = references[DERIVATIVE].value
        references[FORWARD] = Reference(references[FORWARD].value, references[FORWARD].rest, slope=slope)
        if row.derivative_zero is not None:
            near = (np.abs(slope) < NEAR) & (np.abs((1.0 if a is None else a) * wide - row.derivative_zero) < 1)
            references[DERIVATIVE] = Reference(slope, references[DERIVATIVE].rest, near=near)
    return references


def _own(row: Activation, x: Array, a: float | None) -> dict[str, Array]:
    """What gradfade's kernels write, each into an array of NaN."""
    ones, y, dx = np.ones_like(x), np.full_like(x, np.nan), np.full_like(x, np.nan)
    row.forward(y, x, a)
    row.backward(dx, ones, x, y, a)
    if row.df_da is None:
        return {FORWARD: y, DERIVATIVE: dx}
    # One channel per point: the sum over a channel is that of one number.
    channels, da, spare = np.full_like(x, a), np.full_like(x, np.nan), np.empty_like(x)
    row.backward(spare[None], ones[None], x[None], y[None], channels, da)
    return {FORWARD: y, DERIVATIVE: dx, BY_A: da}


def _offered(peer: str, row: Activation, dtype: str) -> bool:
    """Whether the peer is installed and has the activation with its derivative."""
    contender = CONTENDERS[peer]
    ways = ("forward", "backward")
    return (
        row.name in NAMES and not contender.absent and all(contender.has(row.name, way, False, dtype) for way in ways)
    )


def _theirs(peer: str, row: Activation, x: Array) -> dict[str, Array]:
    """A peer's forward, and its derivative from that, as its users get them."""
    contender = CONTENDERS[peer]
    assert contender.element is not None
    arrays = Arrays(x, np.ones_like(x), np.empty_like(x), np.empty_like(x))
    with contender.mode():
        y, *_ = contender.element(row.name, "forward", False, arrays)()
        arrays.y[:] = y
        dx, *_ = contender.element(row.name, "backward", False, arrays)()
    return {FORWARD: arrays.y, DERIVATIVE: np.asarray(dx)}
