"""The diagnosis of one configuration: a verdict on several scales, its causes and its remedies, all of it measured."""

import math
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import pandas as pd

from suites import summary
from suites.alike import spread
from suites.causes import CAUSES, Cause
from suites.diagnosis_scales import caveats, scales
from suites.interventions import Cell, factors, kind
from suites.loss_norms import LOSS, loss_norms
from suites.prices import price
from suites.remedies import CLIP, applicable
from suites.step_time import step_time
from suites.verdicts import CANNOT_TELL, HEALTHY, NO_EFFECT, SHARE, STILL, Decades, decades, effect, gain, hidden

# measure(cells): the rows of each, in their order.
Measure = Callable[[Sequence[Cell]], list[pd.DataFrame]]
CAUSE, COUNTERACTS = "cause", "counteracts"
NO_EVIDENCE, UNTESTED, OTHERWISE = "no evidence", "untested", "explained otherwise"

COLUMNS = [
    "kind", "name", "verdict", "certain", "caveats", "decides", "about", "value", "unit", "threshold", "effect",
    "becomes", "seeds", "seeds_zero", "decades", "decades_low", "decades_high", "per_factor", "per_factor_low",
    "per_factor_high", "predicted_decades", "predicted_per_factor", "decades_bought", "decades_bought_low",
    "decades_bought_high", "baseline_nanoseconds", "nanoseconds", "added_nanoseconds", "time_ratio", "time_ratio_low",
    "time_ratio_high", "free", "decades_per_nanosecond", "norm_before", "norm_after", "matrices", "smallest",
    "largest", "worst",
]  # fmt: skip
TYPES = {"seeds": "Int64", "seeds_zero": "Int64", "matrices": "Int64", "decides": "boolean"}


def diagnose(cell: Cell, measure: Measure) -> pd.DataFrame:
    """One row for the subject, then one for each scale, each candidate cause and each remedy, as kind tells.

    subject: verdict, by decades (mean over seeds, 95 % interval) in all and per layer or step; what theory predicts;
    caveats, what the other scales hold against the verdict.
    scale: another way of judging the same gradient, with its value, unit and threshold. parameters, parameter: the
    norms of weight gradients under a loss, by kind of matrix and one by one (suites.norm_thresholds).
    cause: a candidate with its evidence (value, in unit) and threshold. Where the evidence reaches it, becomes is the
    configuration without the candidate, with its measured decades, and effect is CAUSE where they are nearer to 0
    (Gain.real), COUNTERACTS where they are further from it, CANNOT_TELL where noise may hide that, STILL where they are
    no number before and after, NO_EFFECT elsewhere; below it effect is NO_EVIDENCE, UNTESTED where no configuration
    lacks the candidate alone, and OTHERWISE for a last resort (Cause.last) where without another cause alone the
    gradient is healthy, or all but a SHARE of what was wrong gone.
    remedy: decades with it, decades bought, effect (suites.verdicts.effect), and its price (suites.prices.price).
    A healthy configuration has neither causes nor remedies.
    """
    (rows,) = measure([cell])
    before, norms = decades(rows), loss_norms(cell)
    judged = [*scales(cell, rows, before, norms, spread(cell))]
    found = [_subject(cell, rows, before, caveats(judged)), *judged]
    if before.verdict != HEALTHY:
        evidence = {name: cause.evidence(cell, rows) for name, cause in CAUSES.items()}
        without = {name: CAUSES[name].remove(cell) for name in CAUSES if evidence[name] >= CAUSES[name].threshold}
        remedies = applicable(cell)
        others = [*dict.fromkeys(other for other in (*without.values(), *remedies.values()) if other)]
        measured = dict(zip(others, map(decades, measure(others)), strict=True))
        found += _causes(cell, before, evidence, without, measured)
        found += _remedies(cell, before, remedies, measured, norms)
    factor = summary.FACTORS[kind(cell)][1]
    table = pd.DataFrame(found).reindex(columns=COLUMNS).astype(TYPES)
    return table.rename(columns=lambda name: name.replace("per_factor", f"decades_per_{factor}"))


def _subject(cell: Cell, rows: pd.DataFrame, before: Decades, against: list[str]) -> dict[str, Any]:
    table, name = summary.attenuation(rows, kind(cell)), described(cell)
    (row,) = table.to_dict("records")
    remarks = summary.remarks(table, rows, kind(cell))
    return {
        "kind": "subject",
        "name": name,
        "caveats": "; ".join(against),
        "about": "; ".join(remark.removeprefix(f"{name}: ").replace(f" for {name}", "") for remark in remarks),
        **_estimate(cell, before),
        "seeds_zero": row["seeds_zero"],
        "predicted_decades": row["predicted_total_decades"],
        "predicted_per_factor": row["predicted_total_decades"] / factors(cell),
    }


def _estimate(cell: Cell, found: Decades) -> dict[str, Any]:
    ends = dict(zip(("", "_low", "_high"), (found.mean, *found.interval), strict=True))
    return {
        "verdict": found.verdict,
        "certain": found.certain,
        "seeds": len(found.values),
        **{f"decades{end}": value for end, value in ends.items()},
        **{f"per_factor{end}": value / factors(cell) for end, value in ends.items()},
    }


def _change(cell: Cell, other: Cell, before: Decades, after: Decades) -> dict[str, Any]:
    worth = gain(before, after)
    return {
        "becomes": described(other, cell),
        **_estimate(cell, after),
        "decades_bought": worth.bought,
        "decades_bought_low": worth.low,
        "decades_bought_high": worth.high,
    }


def _causes(
    cell: Cell,
    before: Decades,
    evidence: dict[str, float],
    without: dict[str, Cell | None],
    measured: dict[Cell, Decades],
) -> list[dict[str, Any]]:
    found = [
        _cause(CAUSES[name], cell, value, before, without.get(name), measured)
        for name, value in evidence.items()
        if not math.isnan(value)
    ]
    enough = (1 - SHARE) * before.off
    explained = any(
        row["effect"] == CAUSE and (row["verdict"] == HEALTHY or row["decades_bought"] >= enough)
        for row in found if not CAUSES[row["name"]].last
    )  # fmt: skip
    for row in found:
        if explained and row["effect"] == CAUSE and CAUSES[row["name"]].last:
            row["effect"] = OTHERWISE
    return found


def _cause(
    cause: Cause, cell: Cell, evidence: float, before: Decades, other: Cell | None, measured: dict[Cell, Decades]
) -> dict[str, Any]:
    row = {"kind": "cause", "name": cause.name, "about": cause.about, "value": evidence, "unit": cause.unit}
    row |= {"threshold": cause.threshold, "effect": UNTESTED if evidence >= cause.threshold else NO_EVIDENCE}
    if other is None:
        return row
    offset = cause.offset(cell)
    after = Decades(tuple(value + offset for value in measured[other].values))
    worth = gain(before, after)
    named = CAUSE if worth.real else COUNTERACTS if worth.harms else CANNOT_TELL if hidden(before, worth) else NO_EFFECT
    if math.isnan(worth.bought):
        named = STILL
    return {**row, **_change(cell, other, before, after), "effect": named}


def _remedies(
    cell: Cell, before: Decades, remedies: dict[str, Cell], measured: dict[Cell, Decades], norms: pd.DataFrame
) -> list[dict[str, Any]]:
    """A row for each, and for clipping; the baseline's time, to which all are compared, is the median of all rounds."""
    times = {name: step_time(cell, other) for name, other in remedies.items()}
    times["clip"] = step_time(cell, cell, clip=CLIP)
    baseline = median(time.baseline for time in times.values() if not math.isnan(time.baseline))
    found = []
    for name, time in times.items():
        other = remedies.get(name, cell)
        after = measured.get(other, before)
        change = _change(cell, other, before, after) | {"effect": effect(before, after)}
        if other == cell and change["effect"] != STILL:  # as it was: no noise is between
            change |= {"effect": NO_EFFECT, "decades_bought_low": 0.0, "decades_bought_high": 0.0}
        bought = change["decades_bought"], change["decades_bought_low"]
        row = {"kind": "remedy", "name": name, **change}
        found.append(row | price(time.ratio, time.low, time.high, baseline, *bought))
    return [*found[:-1], found[-1] | _clipped(norms)]


def _clipped(norms: pd.DataFrame) -> dict[str, Any]:
    """Clipping multiplies all gradients by one number: it buys no decade between layers, and bounds their norm."""
    norm, clipped = 10 ** norms[["log10_norm", "log10_clipped"]].iloc[-1] if len(norms) else (math.nan, math.nan)
    about = f"to a global norm of {CLIP:g}; norms are those under {LOSS}"
    return {"about": about, "norm_before": norm, "norm_after": clipped}


def described(cell: Cell, subject: Cell | None = None) -> str:
    """The cell's names; of another one than the subject only what differs: "initializer critical"."""
    names = {name: getattr(cell, name) for name in ("architecture", "activation", "initializer")}
    if subject is None or cell == subject:
        return " ".join(names.values()) if subject is None else ""
    return ", ".join(f"{name} {value}" for name, value in names.items() if value != getattr(subject, name))
