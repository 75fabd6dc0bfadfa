"""Finding a row of a table by its name, with help where the name is unknown."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

ALIASES = {"silu": "swish"}
FEW = 6

Row = TypeVar("Row")


class UnknownNameError(ValueError):
    """A name that its table lacks; the message lists the nearest valid ones, or all where they are few."""


def lookup(table: Mapping[str, Row], kind: str, name: str) -> Row:
    """The row called name (or an alias of it); kind is what the table holds, for the message.

    Raises:
        UnknownNameError: the table has no such row.
    """
    row = table.get(name)
    if row is None:
        row = table.get(ALIASES.get(name, ""))
    if row is None:
        raise UnknownNameError(f"unknown {kind} {name!r}; {advice(table, name)}")
    return row


def advice(table: Mapping[str, Row], name: str) -> str:
    """What to offer to somebody who wrote name: the nearest valid names, or all where few or none is near."""
    if len(table) <= FEW:
        return "valid: " + ", ".join(table)
    candidates = [*table, *(alias for alias, target in ALIASES.items() if target in table)]
    near = get_close_matches(name.lower(), candidates, n=5, cutoff=0.5)
    return "nearest: " + ", ".join(near) if near else "valid: " + ", ".join(table)
