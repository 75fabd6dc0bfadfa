"""Numbers as people and programs write them: of a tensor, or with commas, that are decimal or of thousands."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from suites.errors import UserError

TENSOR = re.compile(r"[\w.]+\((\[)?\s*(?P<number>[^][(),\s]+)\s*(?(1)\])(,.*)?\)")  # one that was not made a number
THOUSANDS = re.compile(r"[1-9]\d{0,2}(,\d{3})+(\.\d*)?")
POINT, COMMA = "a decimal point", "a decimal comma"


@dataclass(frozen=True)
class Written:
    """A number's text, and its place: file and line. semicolons: whether they are between the fields there."""

    text: str
    place: str
    semicolons: bool = False


def unwrapped(text: str) -> str:
    """The number in text of a tensor or an array, "tensor(0.1, device='cuda:0')"; any other text as it is."""
    match = TENSOR.fullmatch(text)
    return match["number"] if match else text


def readings(text: str) -> dict[str, float]:
    """What text may be with decimal points, where commas are of thousands, and with decimal commas: by the way, values.

    Both are there of what has neither, as 1e-3, and of what has one comma and three digits behind it; none is of what
    is no number.
    """
    commas = text.count(",")
    forms = {
        POINT: text.replace(",", "") if THOUSANDS.fullmatch(text) or not commas else None,
        COMMA: text.replace(",", ".") if commas < 2 and "." not in text else None,
    }
    found = {}
    for way, form in forms.items():
        with suppress(ValueError):
            if form is not None:
                found[way] = float(form)
    return found


def read(numbers: Sequence[Written]) -> tuple[list[float], str]:
    """Their values, and the way that all are taken, "" where none has a comma.

    A number that may be either is as the others are, and has a decimal comma between semicolons. UserError, with the
    place, where that does not tell it, or the others differ.
    """
    ways: dict[str, Written] = {}
    for number in numbers:
        found = readings(number.text)
        if len(found) == 1:
            ways.setdefault(next(iter(found)), number)
    if len(ways) > 1:
        (_, first), (way, second) = ways.items()
        before = first.place.rpartition(": ")[2]
        raise UserError(f"{second.place}: {second.text} has {way}, {first.text} in {before} has not: write all one way")
    unsure = next((number for number in numbers if "," in number.text and len(readings(number.text)) > 1), None)
    if unsure and not ways and not unsure.semicolons:
        either = " or ".join(f"{value:g}" for value in readings(unsure.text).values())
        raise UserError(f"{unsure.place}: {unsure.text} may be {either}, no other norm tells which: write that instead")
    way = next(iter(ways), COMMA)
    values = [readings(number.text)[way] for number in numbers]
    return values, way if any("," in number.text for number in numbers) else ""
