"""Judging a network of the user's from the norms of its gradients, by parameter."""

import csv
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from suites.errors import UserError
from suites.intervals import CONFIDENCE
from suites.verdicts import EXPLODES, HEALTHY, LIMIT, VANISHES, Decades, counted, judge_norms

# The last part of a name ("layers.0.weight", "3.W", "weight_hh_l0", "kernel"); of a norm's layer it is no matrix.
WEIGHT = re.compile(r"(.*weight|kernel|w)([_\d].*)?|W\w{0,2}", re.IGNORECASE)
BIAS = re.compile(r"bias.*|b\w{0,2}|beta", re.IGNORECASE)
NORM = re.compile(r"(^|[._/])(\w*norm|bn|ln)(_?\w?\d*)([._/]|$)", re.IGNORECASE)

COLUMNS = [
    "kind", "name", "verdict", "about", "value", "unit", "threshold", "decades", "decades_low", "decades_high",
    "decades_per_layer", "decades_per_layer_low", "decades_per_layer_high",
]  # fmt: skip


@dataclass(frozen=True)
class Norm:
    """The norm of one parameter's gradient; line is where it stands."""

    name: str
    value: float
    line: int


def read_norms(lines: Iterable[str], source: str) -> list[Norm]:
    """The norms in lines of "name,norm", CSV with or without a header, or "name: norm"; empty lines are passed over.

    inf and nan are the norms of a network that has exploded. UserError, with source and the line's number, where one is
    neither, where a norm is under 0 or no number at all, where a name comes twice, and where there is none.
    """
    found: dict[str, Norm] = {}
    first = True
    for number, line in enumerate(lines, start=1):
        text = line.strip().removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
        if not text:
            continue
        name, norm = _fields(text, f"{source}: line {number}")
        header, first = first and "," in text and not _number(norm), False
        if header:
            continue
        if not _number(norm) or float(norm) < 0:
            raise UserError(f"{source}: line {number}: a norm must be a number of 0 or more, inf or nan, got {norm!r}")
        if name in found:
            raise UserError(f"{source}: line {number}: {name} comes twice, in line {found[name].line} before")
        found[name] = Norm(name, float(norm), number)
    if not found:
        raise UserError(f"{source}: no norms; a line is a parameter's name and its norm, as in fc1.weight,0.0123")
    return list(found.values())


def _fields(text: str, place: str) -> tuple[str, str]:
    comma = "," in text
    fields = next(csv.reader([text])) if comma else text.rsplit(":", 1)
    if len(fields) != 2 or not all(field.strip() for field in fields):
        raise UserError(f"{place}: must be name,norm or name: norm, got {text[:60]!r}")
    name, norm = (field.strip() for field in fields)
    return name, norm


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def group(name: str) -> str:
    """weight (a matrix), bias, or other (the scale of a norm, an embedding), by the parameter's name."""
    last = re.split(r"[./]", name)[-1]
    if BIAS.fullmatch(last):
        return "bias"
    return "weight" if WEIGHT.fullmatch(last) and not NORM.search(name) else "other"


def judge(norms: list[Norm], source: str) -> pd.DataFrame:
    """One row for the network (kind subject), one for the document's scale, and one for each parameter.

    Matrices are taken in the order given, the input's first. decades is what a straight line through log10 of their
    norms changes from the last to the first, decades_per_layer its slope per matrix, with 95 % intervals (least
    squares; zeros and what is not finite are left out). The verdict is EXPLODES where any matrix explodes
    (judge_norms), VANISHES where any vanishes and none explodes, and elsewhere by the line (LIMIT). UserError where no
    name is that of a weight.
    """
    weights = [norm for norm in norms if group(norm.name) == "weight"]
    if not weights:
        raise UserError(f"{source}: no name ends in weight, kernel or W, so there is nothing to judge")
    logs = [math.log10(norm.value) if norm.value else -math.inf for norm in weights]
    judged = judge_norms(logs)
    extreme = next((verdict for verdict in (EXPLODES, VANISHES) if (judged.judgement == verdict).any()), None)
    slopes = {f"decades_per_layer{end}": slope for end, slope in zip(("", "_low", "_high"), _slope(logs), strict=True)}
    totals = {name.replace("_per_layer", ""): slope * (len(logs) - 1) for name, slope in slopes.items()}
    verdict = Decades((totals["decades"],)).verdict if not math.isnan(totals["decades"]) else HEALTHY
    told = {norm.name: row for norm, row in zip(weights, judged.itertuples(), strict=True)}
    rows: list[dict[str, Any]] = [
        {
            "kind": "subject", "name": source, "verdict": extreme or verdict, "threshold": LIMIT,
            "about": f"{len(weights)} weight matrices of {len(norms)} parameters", **slopes, **totals,
        },
        *counted(judged, logs),
    ]  # fmt: skip
    for norm in norms:
        row = told.get(norm.name)
        about = f"{row.layer}, expected {row.expected}" if row else f"{group(norm.name)}, apart"
        judgement = row.judgement if row else None
        rows.append(
            {
                "kind": "parameter", "name": norm.name, "verdict": judgement, "about": about, "value": norm.value,
                "unit": "norm",
            }
        )  # fmt: skip
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def _slope(logs: list[float]) -> tuple[float, float, float]:
    """Decades per matrix that the gradient gains towards the input, with its interval; NaN where there are too few."""
    kept = [(i, value) for i, value in enumerate(logs) if math.isfinite(value)]
    if len(kept) < 2:
        return math.nan, math.nan, math.nan
    x, y = np.array(kept).T
    x = x - x.mean()
    slope = float(x @ y / (x @ x))
    freedom = len(kept) - 2
    if not freedom:
        return -slope, math.nan, math.nan
    rest = y - y.mean() - slope * x
    half = float(stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * math.sqrt(float(rest @ rest) / freedom / float(x @ x))
    return -slope, -slope - half, -slope + half
