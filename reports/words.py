"""Numbers, lists and records as a reader wants them."""

import math
import re
from collections.abc import Sequence
from typing import Any

from suites.environment import flat

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
UNITS = ("B", "KiB", "MiB", "GiB")
READABLE = {
    "forward_backward": "forward and backward", "rnn": "RNN", "lstm": "LSTM", "gru": "GRU",
    "optimizer": "optimiser", "initializer": "initialiser",
}  # fmt: skip
SEQUENCE = r"T(\d+)-N(\d+)-H(\d+)"  # as the benchmarks of recurrent layers name their size
TOKENS = r"T(\d+)-N(\d+)-D(\d+)-A(\d+)"  # those of attention
PRODUCT = r"(\d+)x(\d+)x(\d+)"  # batch, fan_in, fan_out: those of dense layers
MINUS = "\N{MINUS SIGN}"


def power(decades: float) -> str:
    """10 to the decades, as the share of a gradient that is left: "0.92", "10⁻³¹", "exactly 0"."""
    if math.isnan(decades):
        return "not a number"
    if math.isinf(decades):
        return "exactly 0" if decades < 0 else "more than the format holds"
    if abs(decades) < 2:
        return f"{10**decades:.2g}"
    return "10" + str(round(decades)).translate(SUPERSCRIPTS)


def number(value: float, digits: int = 3) -> str:
    """value to so many significant digits, with a real minus sign; a dash where there is none."""
    if value != value:
        return "\N{EN DASH}"
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    return f"{value:.{digits}g}".replace("-", MINUS)


def fixed(value: float, digits: int = 3) -> str:
    """number for the cells of a column: trailing zeros are kept, "0.200", "90.0"."""
    return f"{value:#.{digits}g}".rstrip(".").replace("-", MINUS) if math.isfinite(value) else number(value)


def signed(value: float, decimals: int = 2) -> str:
    """value with its sign and so many decimals; what rounds to zero has none."""
    if not math.isfinite(value):
        return number(value)
    text = f"{value:+.{decimals}f}"
    return text[1:] if float(text) == 0 else text.replace("-", MINUS)


def percent(share: float) -> str:
    """A share of 1 as percent with one decimal; a dash where there is none."""
    return f"{100 * share:.1f} %" if share == share else "\N{EN DASH}"


def listed(names: Sequence[str], most: int = 8) -> str:
    """Joined as "a, b and c"; beyond most names the rest is counted."""
    shown = [str(name) for name in names]
    if len(shown) > most:
        shown = [*shown[: most - 1], f"{len(shown) - most + 1} more"]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def several(count: int, thing: str) -> str:
    """Counted: "1 seed", "8 seeds"."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def size(count: int | None) -> str:
    """Bytes in the largest binary unit that leaves a number of at least 1: "48 KiB", "2 MiB"."""
    if not count:
        return "unknown"
    power_of_1024 = min((int(count).bit_length() - 1) // 10, len(UNITS) - 1)
    return f"{number(count / 1024**power_of_1024, 4)} {UNITS[power_of_1024]}"


def kept(count: float) -> str:
    """size of what may be unknown: a dash then."""
    return size(int(count)) if count == count else "\N{EN DASH}"


def readable(name: str) -> str:
    """An identifier as words: "forward and backward", "training step", "RNN", "100 steps, batch 32, 128 units"."""
    if re.fullmatch(SEQUENCE, name):
        return re.sub(SEQUENCE, r"\1 steps, batch \2, \3 units", name)
    if re.fullmatch(TOKENS, name):
        return re.sub(TOKENS, r"\1 steps, batch \2, width \3, \4 heads", name)
    if re.fullmatch(PRODUCT, name):
        return re.sub(PRODUCT, r"batch \1, \2 to \3 units", name)
    return READABLE.get(name) or name.replace("_", " ")


def entries(nested: dict[str, Any]) -> dict[str, str]:
    """Nested objects as one level of "outer inner" -> text; what is unknown says so."""
    return {name: entry(value) for name, value in flat(nested).items()}


def entry(value: Any) -> str:
    """One value of a record as text."""
    if value is None:
        return "unknown"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
