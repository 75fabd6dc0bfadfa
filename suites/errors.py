"""The user's mistake, told in one line, before anything is computed or written."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from kernels.names import UnknownNameError, lookup

Row = TypeVar("Row")


class UserError(ValueError):
    """What the user asked for is not possible; the message says what is. The command line exits with 2."""


def known(table: Mapping[str, Row], kind: str, names: Iterable[str]) -> list[Row]:
    """The rows called names, each once, in the order given; UserError where one is unknown or none is given."""
    try:
        rows = [lookup(table, kind, name) for name in names]
    except UnknownNameError as error:
        raise UserError(str(error)) from None
    if not rows:
        raise UserError(f"at least one {kind} is needed; valid: {', '.join(table)}")
    return [row for i, row in enumerate(rows) if not any(row is other for other in rows[:i])]


def whole(name: str, value: int, least: int, most: int | None = None) -> int:
    """value, if it is a whole number of at least least (and at most most); UserError otherwise."""
    wanted = f"a whole number of {least} or more" if most is None else f"a whole number from {least} to {most}"
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most is not None and value > most):
        raise UserError(f"{name} must be {wanted}, got {value!r}")
    return value
