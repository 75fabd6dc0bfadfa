"""The scales on which a diagnosis judges one gradient, and what they hold against the verdict."""

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from suites.alike import ALIKE, Spread
from suites.interventions import Cell, kind
from suites.loss_norms import LONGEST, LOSS
from suites.norm_thresholds import SCALE, VANISHED, by_kind, counted, judge_norms, one_by_one
from suites.parameter_names import layers
from suites.summary import FACTORS
from suites.verdicts import HEALTHY, LIMIT, NO_NUMBER, VANISHES, Decades

Row = dict[str, Any]
ALIKE_VERDICT = "alike"
UNMEASURED = "not measured"


def scales(cell: Cell, rows: pd.DataFrame, before: Decades, norms: pd.DataFrame, found: Spread) -> Iterator[Row]:
    """A row for each scale, and for the norms of weight gradients, by kind and one by one.

    rows: as measured; norms: of suites.loss_norms; found: at the output, where one sample has only its units to differ.
    """
    yield {
        "kind": "scale", "name": "relative decades", "about": "gradient at the input over that at the output",
        "value": before.mean, "unit": "decades", "threshold": LIMIT, "verdict": before.verdict, "decides": True,
    }  # fmt: skip
    kept = NO_NUMBER if _unbounded(rows, cell.dtype) else HEALTHY
    for name, position in lost(rows, cell.dtype).items():
        yield {
            "kind": "scale", "name": name, "about": f"the nearest {FACTORS[kind(cell)][1]} to the output at which it "
            "is so", "value": position, "unit": "position", "verdict": kept if math.isnan(position) else VANISHES,
        }  # fmt: skip
    one = cell.batch == 1 or found.units < ALIKE
    differ = (
        ("they differ", HEALTHY) if found.known else ("not finite, or of one sample nothing, or one unit", NO_NUMBER)
    )
    about, verdict = (found.collapse, ALIKE_VERDICT) if found.collapse else differ
    yield {
        "kind": "scale", "name": f"{'units' if one else 'samples'} at the output", "about": about,
        "unit": "of their size: how far they differ", "threshold": ALIKE, "verdict": verdict,
        "value": found.units if one else min(found.samples, found.directions, key=_defined),
    }  # fmt: skip
    yield from _document_scale(cell, norms[norms.parameter != "all"])


def _defined(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _document_scale(cell: Cell, matrices: pd.DataFrame) -> Iterator[Row]:
    """The second document's thresholds of weight gradients' norms."""
    if matrices.empty:
        yield {
            "kind": "scale", "name": "weight gradients", "unit": f"{UNMEASURED}: over {LONGEST} steps",
            "about": "all steps would be in memory at once", "verdict": NO_NUMBER,
        }  # fmt: skip
        return
    names, logs = matrices.parameter.tolist(), matrices.log10_norm.tolist()
    judged = judge_norms(logs, layers(names))
    for row in counted(judged, logs):
        yield {**row, "about": f"{row['about']}; loss: {LOSS}"}
    if kind(cell) == "depth":  # the matrices of a cell are all of one depth
        for name, i in (("shallowest weight gradient", 0), ("deepest weight gradient", -1)):
            yield {
                "kind": "scale", "name": name, "about": f"norm of {names[i]}; expected {judged.expected.iloc[i]}; "
                f"loss: {LOSS}", "value": 10 ** logs[i], "unit": "norm", "threshold": VANISHED,
                "verdict": judged.judgement.iloc[i],
            }  # fmt: skip
    tied = "summed over the steps, of which the last hide the others; " if kind(cell) == "time" else ""
    for row in (*by_kind(names, logs), *one_by_one(names, logs)):
        yield {**row, "about": f"{tied}{row.get('about', SCALE)}; loss: {LOSS}"}


def caveats(table: list[Row]) -> list[str]:
    """What other scales than the relative one hold against the verdict on it, from the rows of scales: sentences."""
    by_name = {row["name"]: row for row in table if row["kind"] == "scale"}
    verdict = by_name["relative decades"]["verdict"]
    found = [row["about"] for row in by_name.values() if row["verdict"] == ALIKE_VERDICT]
    return found + [
        f"under a loss {row['value']} {row['about'].partition(';')[0].replace('matrices, those', 'gradients are')}"
        for row in by_name.values()
        if row["unit"] == "matrices" and row["value"] and row["verdict"] != verdict
    ]


def _unbounded(rows: pd.DataFrame, dtype: str) -> bool:
    """Whether the gradient of any seed, as dtype has it, is infinite or no number anywhere."""
    stored = rows.value[rows.metric == f"{dtype}_gradient"]
    return bool((stored.isna() | (stored == math.inf)).any())


def lost(rows: pd.DataFrame, dtype: str) -> dict[str, float]:
    """Scale -> the position nearest to the output from which on dtype loses the gradient; NaN where it keeps all.

    The gradient injected there is N(0, 1). In the median seed.
    """
    scales = {"is subnormal": "first_subnormal_position", "is 0": "first_zero_position"}
    middle = {name: rows.value[rows.metric == metric].fillna(-1).median() for name, metric in scales.items()}
    return {f"{dtype} gradient {name}": at if at >= 0 else math.nan for name, at in middle.items()}
