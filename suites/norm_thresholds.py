"""What the second document expects of the norms of weight gradients (section 10), and what a network's come to."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from suites.parameter_names import kinds, layers
from suites.verdicts import EXPLODES, HEALTHY, NO_NUMBER, VANISHES

# Norm of a weight matrix's gradient, as the document expects it: in shallow layers from SHALLOW[0] to SHALLOW[1], in
# deep ones over DEEP; under VANISHED the gradient vanishes. It does not say where deep begins: the second half of the
# layers is taken. Nor does it say when a norm explodes: as far over its upper end as VANISHED is under its lower one.
SHALLOW = (1e-3, 1e-1)
DEEP = 1e-4
VANISHED = 1e-6
EXPLODED = SHALLOW[1] / (VANISHED / SHALLOW[0])  # 100 exactly: in another order it is printed as 100.00000000000001

NO_GRADIENT = "no gradient"  # what a parameter is about that takes no part
AS_EXPECTED = "as expected"
# Judgements, the worst first.
WORST = (EXPLODES, VANISHES, "large", "small", AS_EXPECTED)
SCALE = (
    f"expected: {SHALLOW[0]:g} to {SHALLOW[1]:g} in the first half of the layers, over {DEEP:g} in the second; "
    f"under {VANISHED:g} a gradient vanishes, over {EXPLODED:g} it explodes"
)


def judge_norms(log10_norms: Sequence[float], layers: Sequence[int] | None = None) -> pd.DataFrame:
    """What the document says of the gradients of weight matrices.

    layers: the place of each one's, from 0; where none are given, every matrix is a layer, in their order. Columns
    layer (shallow or deep), expected and judgement, one of WORST (shallow layers alone have an upper end). A norm that
    is infinite or no number explodes.
    """
    places = range(len(log10_norms)) if layers is None else layers
    middle = (max(places, default=0) + 1) / 2
    found = []
    for place, value in zip(places, log10_norms, strict=True):
        shallow = place < middle
        low, high = SHALLOW if shallow else (DEEP, math.inf)
        found.append(
            {
                "layer": "shallow" if shallow else "deep",
                "expected": f"{low:g} to {high:g}" if shallow else f"> {low:g}",
                "judgement": _judgement(value, math.log10(low), math.log10(high)),
            }
        )
    return pd.DataFrame(found, columns=["layer", "expected", "judgement"])


def _judgement(value: float, low: float, high: float) -> str:
    if math.isnan(value) or value > math.log10(EXPLODED):
        return EXPLODES
    if value < math.log10(VANISHED):
        return VANISHES
    return "small" if value < low else "large" if value > high else AS_EXPECTED


def extreme(judged: pd.DataFrame) -> str | None:
    """EXPLODES where any of judge_norms' matrices does, VANISHES where any does and none explodes, None elsewhere."""
    return next((verdict for verdict in (EXPLODES, VANISHES) if (judged.judgement == verdict).any()), None)


def counted(judged: pd.DataFrame, log10_norms: Sequence[float]) -> list[dict[str, Any]]:
    """A row of a diagnosis for those of judge_norms' matrices that vanish, and one for those that explode.

    The first is no number where none vanishes and some norm is none: what was lost there is not known.
    """
    unknown = bool(np.isnan(list(log10_norms)).any())
    found = []
    for verb, verdict, limit, side in (
        ("vanish", VANISHES, VANISHED, "under"),
        ("explode", EXPLODES, EXPLODED, "over"),
    ):
        count = int((judged.judgement == verdict).sum())
        found.append(
            {
                "kind": "scale",
                "name": f"weight gradients that {verb}",
                "about": f"of {len(judged)} weight matrices, those {side} {limit:g}",
                "value": count,
                "unit": "matrices",
                "threshold": limit,
                "verdict": verdict if count else NO_NUMBER if unknown else HEALTHY,
            }
        )
    return found


def by_kind(names: Sequence[str], log10_norms: Sequence[float]) -> list[dict[str, Any]]:
    """A row of a diagnosis for each kind of weight matrix: those whose names differ in their layer's numbers alone.

    kind parameters: name, matrices (their count), smallest and largest (of the norms that are numbers, NaN where none
    is), worst (the name of it) and its verdict.
    """
    judged, found = _judged(names, log10_norms), []
    judged["kind"] = kinds(names)
    for kind, part in judged.groupby("kind", sort=False):
        judgement = next(each for each in WORST if (part.judgement == each).any())
        worst, values = part[part.judgement == judgement], part["norm"].to_numpy()
        norms = worst["norm"].to_numpy()
        place = norms.argmax() if judgement in (EXPLODES, "large") else norms.argmin()
        numbers = values[~np.isnan(values)]
        ends = {"smallest": min(numbers, default=math.nan), "largest": max(numbers, default=math.nan)}
        ends["worst"] = worst["name"].iloc[place]
        found.append({"kind": "parameters", "name": kind, "matrices": len(part), **ends, "verdict": judgement})
    return found


def one_by_one(names: Sequence[str], log10_norms: Sequence[float]) -> list[dict[str, Any]]:
    """A row of a diagnosis for each weight matrix, of kind parameter: its norm, verdict, and what is expected."""
    return [
        {
            "kind": "parameter", "name": row["name"], "verdict": row["judgement"], "value": row["norm"],
            "unit": "norm", "about": f"{row['layer']}, expected {row['expected']}",
        }
        for row in _judged(names, log10_norms).to_dict("records")
    ]  # fmt: skip


def _judged(names: Sequence[str], log10_norms: Sequence[float]) -> pd.DataFrame:
    with np.errstate(over="ignore"):
        return judge_norms(log10_norms, layers(names)).assign(name=list(names), norm=np.power(10.0, log10_norms))
