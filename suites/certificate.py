"""What the rows of the accuracy experiment come to: one line per activation, direction and implementation."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from kernels.activations import ACTIVATIONS
from suites.certify import ALL, EVERYTHING
from suites.peers import OWN
from suites.ulp import MEASURES

SUBJECT = ["activation", "direction", "parameter_a", "dtype", "by", "dataset"]
KEPT, BROKEN, UNFINISHED, NO_PROMISE = "kept", "broken", "unfinished", "no promise"
# Measures of which a single one breaks the promise.
NEVER = ("non_finite_mismatches", "sign_of_zero_mismatches", "flushed_subnormals")
# Results within half a unit of the exact value are in its order; beyond, a step back between neighbours is allowed for.
ORDERED = 0.5


def certificate(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per SUBJECT of the experiment's rows.

    Columns: name, direction, a, dtype, by, largest_ulp, at (that input, to be pasted back), at_bits, promised_ulp,
    correctly_rounded (a share), verdict (kept, broken, unfinished where all inputs were to be tested and some are
    missing, no promise of one's own activations; empty of peers), broken_by (measures, each with an input), points,
    tested (exhaustive or sample), and the other measures of suites.ulp. Promises that are not made are null, and so is
    largest_absolute without one.
    """
    groups = rows.astype({"position": "float64"}).groupby(SUBJECT, sort=False, dropna=False, observed=True)
    return pd.DataFrame([_line(dict(zip(SUBJECT, key, strict=True)), group) for key, group in groups])


def _line(subject: Mapping[str, Any], rows: pd.DataFrame) -> dict[str, Any]:
    dtype = np.dtype(str(subject["dtype"])).type
    value, at = {}, {}
    for metric, found in rows.groupby("metric", sort=False, observed=True):
        largest = MEASURES.get(metric, True)
        value[metric] = found.value.max() if largest else int(found.value.sum())
        met = found[found.value == value[metric]] if largest else found[found.value > 0]
        at[metric] = dtype(met.position.iloc[0]) if value[metric] else None
    promised = {name: value.pop(name, None) for name in ("promised_ulp", "promised_absolute")}
    if promised["promised_absolute"] is None:
        value["largest_absolute"] = None
    if promised["promised_ulp"] == np.inf:
        promised["promised_ulp"] = None
    broken = list(_broken(value, promised)) if subject["by"] == OWN else []
    line = {
        "name": subject["activation"], "direction": subject["direction"], "a": subject["parameter_a"],
        "dtype": subject["dtype"], "by": subject["by"], "largest_ulp": value["largest_ulp"],
        "at": _pasted(at["largest_ulp"]), "at_bits": _bits(at["largest_ulp"]), "promised_ulp": promised["promised_ulp"],
        "correctly_rounded": value["correctly_rounded"] / value["points"],
        "verdict": _verdict(subject, value, promised, broken) if subject["by"] == OWN else "",
        "broken_by": ", ".join(f"{name} at {_pasted(at[name])}" for name in broken),
        "points": value["points"], "tested": subject["dataset"], "promised_absolute": promised["promised_absolute"],
    }  # fmt: skip
    rest = {name: value[name] for name in MEASURES if name not in line}
    return line | rest


def _verdict(
    subject: Mapping[str, Any], value: Mapping[str, Any], promised: Mapping[str, Any], broken: list[str]
) -> str:
    if promised["promised_ulp"] is None:
        return NO_PROMISE
    if broken:
        return BROKEN
    return UNFINISHED if subject["dataset"] == EVERYTHING and value["points"] < ALL else KEPT


def _broken(value: Mapping[str, Any], promised: Mapping[str, Any]) -> Iterator[str]:
    """The measures by which a promise is broken, where one is made."""
    if promised["promised_ulp"] is None:
        return
    if value["largest_ulp"] > promised["promised_ulp"]:
        yield "largest_ulp"
    if promised["promised_absolute"] is not None and value["largest_absolute"] > promised["promised_absolute"]:
        yield "largest_absolute"
    yield from (name for name in NEVER if value[name])
    if promised["promised_ulp"] <= ORDERED and value["monotonicity_breaks"]:
        yield "monotonicity_breaks"


def _pasted(number: Any) -> str:
    """The shortest decimal that is read back as the same number of its dtype."""
    return "" if number is None else str(number)


def _bits(number: Any) -> str:
    if number is None:
        return ""
    width = number.dtype.itemsize
    return f"0x{int(number.view(f'u{width}')):0{2 * width}x}"


def trades(table: pd.DataFrame) -> dict[str, str]:
    """What promises above 1 ULP buy, or above 2 of the derivative: activation -> reason, of those in a certificate."""
    rows = (ACTIVATIONS[name] for name in table.name.unique() if name in ACTIVATIONS)
    return {row.name: row.trade for row in rows if row.trade}


def broken(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a certificate whose promise is broken."""
    return table[table.verdict == BROKEN]
