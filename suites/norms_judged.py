"""Judging a network of the user's from the norms of its gradients, by parameter."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from suites.errors import UserError
from suites.intervals import CONFIDENCE
from suites.norm_thresholds import NO_GRADIENT, SCALE, by_kind, counted, extreme, judge_norms, one_by_one
from suites.norms_file import Norm
from suites.parameter_names import NORM_LAYER, group, layers
from suites.verdicts import CANNOT_TELL, HEALTHY, LIMIT, NO_NUMBER, Decades

ABSOLUTE, LINE = "absolute norms", "line through the norms"
COLUMNS = [
    "kind", "name", "verdict", "scale", "decides", "about", "value", "unit", "threshold", "decades", "decades_low",
    "decades_high", "decades_per_layer", "decades_per_layer_low", "decades_per_layer_high", "matrices", "smallest",
    "largest", "worst",
]  # fmt: skip


def judge(norms: list[Norm], source: str) -> pd.DataFrame:
    """A row for the network (kind subject), three for scales, one by kind of parameter and by parameter.

    Matrices are those of names that say so, and of no shape that denies it; where no name does, everything is taken
    but biases and norms. Layers are in the order of suites.parameter_names.layers, the input's first. scale tells what
    the verdict is by, and decides marks its rows: ABSOLUTE where any matrix explodes, or none does and any vanishes
    (suites.norm_thresholds), elsewhere LINE, by LIMIT, but where it would vanish or explode and its interval has 0 in
    it, or there is none: CANNOT_TELL, and ABSOLUTE decides. decades is what a straight line through log10 of the norms
    changes from the last layer to the first, decades_per_layer its slope, with 95 % intervals (least squares); NaN
    where a norm is 0 or not finite, through which there is no line, or where there is one layer. UserError where
    nothing has a norm that can be judged.
    """
    there = [(norm.name, norm.value) for norm in norms if norm.value is not None and not norm.vector]
    weights = [(name, value) for name, value in there if group(name) == "weight"]
    named = bool(weights)
    if not named:
        weights = [(name, value) for name, value in there if group(name) == "other" and not NORM_LAYER.search(name)]
    if not weights:
        raise UserError(f"{source}: no weight has a norm (names end in weight, kernel or W), so nothing is judged")
    names = [name for name, _ in weights]
    logs = [math.log10(value) if value else -math.inf for _, value in weights]
    places = layers(names)
    judged = judge_norms(logs, places)
    ends = ("decades_per_layer", "decades_per_layer_low", "decades_per_layer_high")
    slopes = dict(zip(ends, _slope(logs, places), strict=True))
    totals = {name.replace("_per_layer", ""): slope * max(places) for name, slope in slopes.items()}
    by_norms, by_line = extreme(judged), _by_line(*totals.values())
    decisive = LINE if by_line not in (NO_NUMBER, CANNOT_TELL) and not by_norms else ABSOLUTE
    verdict = by_norms or (by_line if decisive == LINE else HEALTHY)
    rows: list[dict[str, Any]] = [
        {
            "kind": "subject", "name": source, "verdict": verdict, "scale": decisive, "threshold": LIMIT,
            "about": "; ".join(_told(norms, names, places, named)), **slopes, **totals,
        },
        *(
            {**row, "about": f"{row['about']}; {SCALE}", "decides": decisive == ABSOLUTE and verdict == row["verdict"]}
            for row in counted(judged, logs)
        ),
        {
            "kind": "scale", "name": LINE, "verdict": by_line, "decides": decisive == LINE, "value": totals["decades"],
            "unit": "decades", "threshold": LIMIT, "about": "from the last layer to the first",
        },
        *by_kind(names, logs),
    ]  # fmt: skip
    told = {row["name"]: row for row in one_by_one(names, logs)}
    rows += [told.get(norm.name) or _apart(norm) for norm in norms]
    return pd.DataFrame(rows).reindex(columns=COLUMNS).astype({"matrices": "Int64", "decides": "boolean"})


def _by_line(total: float, low: float, high: float) -> str:
    """Of its decades and their interval."""
    if math.isnan(total):
        return NO_NUMBER
    verdict = Decades((total,)).verdict
    return verdict if verdict == HEALTHY or low > 0 or high < 0 else CANNOT_TELL


def _told(norms: Sequence[Norm], names: Sequence[str], places: Sequence[int], named: bool) -> list[str]:
    """What was judged, and how the file was taken: of the matrices names, in layers at these places."""
    count = max(places) + 1
    inside = "" if count == len(names) else f" in {count} layer{'s' * (count > 1)}"
    found = [f"weight matrices: {len(names)}{inside}, parameters: {len(norms)}"]
    if [*dict.fromkeys(places)] != [*range(count)]:
        found.append("layers are taken in the order of their numbers, by which the file is not sorted")
    if not named:
        found.append("no name says weight: all but biases and norms are judged")
    if gone := [norm.name for norm in norms if norm.value is None]:
        rest = f" and {len(gone) - 3} more" if gone[3:] else ""
        found.append(f"without a gradient: {', '.join(gone[:3])}{rest}")
    if commas := next((norm for norm in norms if norm.taken), None):
        found.append(f"norms have {commas.taken}: {commas.value:g} in line {commas.line}")
    return found


def _apart(norm: Norm) -> dict[str, Any]:
    what = "no matrix" if norm.vector and group(norm.name) == "weight" else group(norm.name)
    about = NO_GRADIENT if norm.value is None else f"{what}, apart"
    return {"kind": "parameter", "name": norm.name, "about": about, "value": norm.value, "unit": "norm"}


def _slope(logs: Sequence[float], places: Sequence[int]) -> tuple[float, float, float]:
    """Decades per layer that the gradient gains towards the input, with its interval; NaN where there is none."""
    if max(places) < 1 or not all(map(math.isfinite, logs)):
        return math.nan, math.nan, math.nan
    x, y = np.array(places) - np.mean(places), np.array(logs)
    slope = float(x @ y / (x @ x))
    freedom = len(logs) - 2
    if not freedom:
        return -slope, math.nan, math.nan
    rest = y - y.mean() - slope * x
    half = float(stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * math.sqrt(float(rest @ rest) / freedom / float(x @ x))
    return -slope, -slope - half, -slope + half
