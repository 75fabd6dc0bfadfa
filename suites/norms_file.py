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
from suites.norm_thresholds import NO_GRADIENT, SCALE, by_kind, counted, extreme, judge_norms, one_by_one
from suites.verdicts import HEALTHY, LIMIT, Decades

# The last part of a name ("layers.0.weight", "3.W", "weight_hh_l0", "kernel"); of a norm's layer it is no matrix.
WEIGHT = re.compile(r"(.*weight|kernel|w)([_\d].*)?|W\w{0,2}", re.IGNORECASE)
BIAS = re.compile(r"bias.*|b\w{0,2}|beta", re.IGNORECASE)
NORM = re.compile(r"(^|[._/])(\w*norm|bn|ln)(_?\w?\d*)([._/]|$)", re.IGNORECASE)

# What PyTorch prints of a norm that was not made a number; what stands for a gradient that is not there.
TENSOR = re.compile(r"tensor\(\s*([^,()\s]+)[^()]*\)")
ABSENT = ("none", "null")
DELIMITERS = "\t;,"
WORDS = re.compile(r"(?P<name>.*\S)\s*[:=\s]\s*(?P<norm>\S+)")
HEADER = re.compile(r"norm|grad|value", re.IGNORECASE)

ABSOLUTE, LINE = "absolute norms", "line through the norms"
COLUMNS = [
    "kind", "name", "verdict", "scale", "about", "value", "unit", "threshold", "decades", "decades_low", "decades_high",
    "decades_per_layer", "decades_per_layer_low", "decades_per_layer_high", "matrices", "smallest", "largest", "worst",
]  # fmt: skip


@dataclass(frozen=True)
class Norm:
    """The norm of one parameter's gradient, None where it has no gradient; line is where it stands."""

    name: str
    value: float | None
    line: int


def read_norms(lines: Iterable[str], source: str) -> list[Norm]:
    """The norms in lines of a name and a norm: "name: norm", as the second document prints them, "name norm", or CSV.

    Between the two stands a comma, semicolon, tab, colon, equals sign or space; a name with commas is in quotes. A
    header and empty lines are passed over. None is the norm of what has no gradient, inf and nan are those of a network
    that has exploded. UserError, with source and the line's number, where a norm is none of these, or under 0, where a
    name comes twice, and where there is no norm.
    """
    found: dict[str, Norm] = {}
    first = True
    for number, line in enumerate(lines, start=1):
        text = line.strip().removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
        if not text:
            continue
        place = f"{source}: line {number}"
        name, norm = _fields(text, place)
        header, first = first and _heads(text, norm), False
        if header:
            continue
        if name in found:
            raise UserError(f"{place}: {name} comes twice, in line {found[name].line} before; give those of one step")
        found[name] = Norm(name, _value(norm, place), number)
    if not found:
        raise UserError(f"{source}: no norms; a line is a parameter's name and its norm, as in fc1.weight,0.0123")
    return list(found.values())


def _fields(text: str, place: str) -> tuple[str, str]:
    text = TENSOR.sub(r"\1", text)
    # "name: norm" of names without delimiters is no CSV, though the norm may have a decimal comma.
    delimiter = next((mark for mark in DELIMITERS if mark in text), None)
    if delimiter and not re.fullmatch(r'[^\s,;"]+:\s+\S+', text):
        fields = [field.strip() for field in next(csv.reader([text], delimiter=delimiter, skipinitialspace=True))]
    else:
        match = WORDS.fullmatch(text)
        fields = [match["name"].rstrip(":= \t"), match["norm"]] if match else []
    if len(fields) != 2 or not all(fields):
        raise UserError(f"{place}: must be name,norm or name: norm, got {text[:60]!r}")
    return fields[0], fields[1]


def _heads(text: str, norm: str) -> bool:
    """Whether a first line of such a norm is a header: words, and, where no comma or the like is, words of one."""
    if _number(norm) is not None or norm.lower() in ABSENT or re.search(r"\d", norm):
        return False
    return any(mark in text for mark in DELIMITERS) or bool(HEADER.search(norm))


def _value(norm: str, place: str) -> float | None:
    if norm.lower() in ABSENT:
        return None
    value = _number(norm)
    if value is None or value < 0:
        raise UserError(f"{place}: a norm must be a number of 0 or more, inf, nan or None, got {norm!r}")
    return value


def _number(text: str) -> float | None:
    """Of text, perhaps with a decimal comma; None where it is no number."""
    try:
        return float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
    except ValueError:
        return None


def group(name: str) -> str:
    """By the parameter's name: weight (a matrix), bias, or other (the scale of a norm, an embedding)."""
    last = re.split(r"[./]", re.sub(r":\d+$", "", name))[-1]  # TensorFlow's end in ":0"
    if BIAS.fullmatch(last):
        return "bias"
    return "weight" if WEIGHT.fullmatch(last) and not NORM.search(name) else "other"


def judge(norms: list[Norm], source: str) -> pd.DataFrame:
    """A row for the network (kind subject), two for the document's scale, one by kind of parameter and by parameter.

    Matrices are taken in the order given, the input's first; where no name is that of a weight, everything is taken
    but biases and norms. scale tells what the verdict is by: ABSOLUTE where any matrix explodes, or none does and any
    vanishes (suites.norm_thresholds), elsewhere LINE, by LIMIT. decades is what a straight line through log10 of the
    norms changes from the last matrix to the first, decades_per_layer its slope per matrix, with 95 % intervals (least
    squares); NaN where a norm is 0 or not finite, through which there is no line, or where there are fewer than two.
    UserError where nothing has a norm that can be judged.
    """
    there = [(norm.name, norm.value) for norm in norms if norm.value is not None]
    weights = [(name, value) for name, value in there if group(name) == "weight"]
    named = bool(weights)
    if not named:
        weights = [(name, value) for name, value in there if group(name) == "other" and not NORM.search(name)]
    if not weights:
        raise UserError(f"{source}: no weight has a norm (names end in weight, kernel or W), so nothing is judged")
    names = [name for name, _ in weights]
    logs = [math.log10(value) if value else -math.inf for _, value in weights]
    judged = judge_norms(logs)
    slopes = {f"decades_per_layer{end}": slope for end, slope in zip(("", "_low", "_high"), _slope(logs), strict=True)}
    totals = {name.replace("_per_layer", ""): slope * (len(logs) - 1) for name, slope in slopes.items()}
    line = not math.isnan(totals["decades"])
    by_norms, by_line = extreme(judged), Decades((totals["decades"],)).verdict if line else HEALTHY
    about = [f"weight matrices: {len(weights)}, parameters: {len(norms)}"]
    about += [] if named else ["no name says weight: all but biases and norms are judged"]
    if gone := [norm.name for norm in norms if norm.value is None]:
        about.append(f"without a gradient: {', '.join(gone[:3])}" + (f" and {len(gone) - 3} more" if gone[3:] else ""))
    rows: list[dict[str, Any]] = [
        {
            "kind": "subject", "name": source, "verdict": by_norms or by_line, "threshold": LIMIT,
            "scale": LINE if line and not by_norms else ABSOLUTE, "about": "; ".join(about), **slopes, **totals,
        },
        *({**row, "about": f"{row['about']}; {SCALE}"} for row in counted(judged, logs)),
        *by_kind(names, logs),
    ]  # fmt: skip
    told = {row["name"]: row for row in one_by_one(names, logs)}
    rows += [told.get(norm.name) or _apart(norm) for norm in norms]
    return pd.DataFrame(rows).reindex(columns=COLUMNS).astype({"matrices": "Int64"})


def _apart(norm: Norm) -> dict[str, Any]:
    about = NO_GRADIENT if norm.value is None else f"{group(norm.name)}, apart"
    return {"kind": "parameter", "name": norm.name, "about": about, "value": norm.value, "unit": "norm"}


def _slope(logs: list[float]) -> tuple[float, float, float]:
    """Decades per matrix that the gradient gains towards the input, with its interval; NaN where there is none."""
    if len(logs) < 2 or not all(map(math.isfinite, logs)):
        return math.nan, math.nan, math.nan
    x, y = np.arange(len(logs)) - (len(logs) - 1) / 2, np.array(logs)
    slope = float(x @ y / (x @ x))
    freedom = len(logs) - 2
    if not freedom:
        return -slope, math.nan, math.nan
    rest = y - y.mean() - slope * x
    half = float(stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * math.sqrt(float(rest @ rest) / freedom / float(x @ x))
    return -slope, -slope - half, -slope + half
