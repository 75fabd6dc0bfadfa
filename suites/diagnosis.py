"""The diagnosis of one configuration: a verdict on several scales, its causes and its remedies, all of it measured."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from suites import summary
from suites.causes import CAUSES
from suites.interventions import Cell, factors, kind
from suites.loss_norms import LOSS, loss_norms
from suites.remedies import CLIP, applicable
from suites.step_time import nanoseconds
from suites.theory import PREDICTIONS
from suites.verdicts import HEALTHY, LIMIT, NO_NUMBER, VANISHED, VANISHES, Decades, counted, decades, gain, judge_norms

# measure(cells): the rows of each, in their order.
Measure = Callable[[Sequence[Cell]], list[pd.DataFrame]]
CAUSE, COUNTERACTS, NO_EFFECT = "cause", "counteracts", "no effect"
NO_EVIDENCE, UNTESTED = "no evidence", "untested"
# A step that is slower by less is called as fast: what two medians of one process tell apart.
FREE = 1.05

COLUMNS = [
    "kind", "name", "verdict", "certain", "about", "value", "unit", "threshold", "effect", "becomes",
    "seeds", "decades", "decades_low", "decades_high", "per_factor", "per_factor_low", "per_factor_high",
    "predicted_decades", "predicted_per_factor", "decades_bought", "decades_bought_low", "decades_bought_high",
    "nanoseconds", "added_nanoseconds", "time_ratio", "free", "decades_per_nanosecond", "norm_before", "norm_after",
]  # fmt: skip


def diagnose(cell: Cell, measure: Measure) -> pd.DataFrame:
    """One row for the subject, then one for each scale, each candidate cause and each remedy, as kind tells.

    subject: verdict, decades (mean over seeds, 95 % interval) in all and per layer or step, and what theory predicts.
    scale: another way of judging the same gradient, with its value, unit and threshold.
    cause: a candidate with its evidence (value, in unit) and threshold. Where the evidence reaches it, becomes is the
    configuration without the candidate, with its measured decades, and effect is CAUSE where they are nearer to 0
    (Gain.real), COUNTERACTS where they are further from it, and NO_EFFECT elsewhere; below it, effect is NO_EVIDENCE,
    and UNTESTED where no configuration lacks the candidate alone.
    remedy: decades with it, decades bought, nanoseconds of a training step per element (unit, sample and layer or
    step), and decades per added nanosecond; free where a step takes no longer.
    A healthy configuration has neither causes nor remedies.
    """
    (rows,) = measure([cell])
    before, norms = decades(rows), loss_norms(cell)
    found = [_subject(cell, rows, before), *_scales(cell, rows, before, norms)]
    if before.verdict != HEALTHY:
        evidence = {name: cause.evidence(cell, rows) for name, cause in CAUSES.items()}
        without = {name: CAUSES[name].remove(cell) for name in CAUSES if evidence[name] >= CAUSES[name].threshold}
        remedies = applicable(cell)
        others = [*dict.fromkeys(other for other in (*without.values(), *remedies.values()) if other)]
        measured = dict(zip(others, map(decades, measure(others)), strict=True))
        for name, value in evidence.items():
            if not math.isnan(value):
                found.append(_cause(name, cell, value, before, without.get(name), measured))
        found += [_remedy(name, cell, before, other, measured[other]) for name, other in remedies.items()]
        found.append(_clipping(cell, before, norms))
    factor = summary.FACTORS[kind(cell)][1]
    table = pd.DataFrame(found).reindex(columns=COLUMNS).astype({"seeds": "Int64"})
    return table.rename(columns=lambda name: name.replace("per_factor", f"decades_per_{factor}"))


def _subject(cell: Cell, rows: pd.DataFrame, before: Decades) -> dict[str, Any]:
    (row,) = summary.attenuation(rows, kind(cell)).to_dict("records")
    silent = PREDICTIONS[cell.architecture](**vars(cell)).reason
    notes = [_overflow(rows, kind(cell), cell.dtype), silent and f"no theory: {silent}"]
    return {
        "kind": "subject",
        "name": described(cell),
        "about": "; ".join(filter(None, notes)),
        **_estimate(cell, before),
        "predicted_decades": row["predicted_total_decades"],
        "predicted_per_factor": row["predicted_total_decades"] / factors(cell),
    }


def _overflow(rows: pd.DataFrame, experiment: str, dtype: str) -> str:
    """Where the forward pass leaves the range of floating point, and there is no gradient to measure; "" elsewhere."""
    forward = rows[rows.metric == "forward_variance"]
    first = forward.position[~np.isfinite(forward.value)].min()
    factor = summary.FACTORS[experiment][1]
    return "" if first != first else f"the forward pass overflows {dtype} from {factor} {first:.0f} on"


def _estimate(cell: Cell, found: Decades) -> dict[str, Any]:
    ends = dict(zip(("", "_low", "_high"), (found.mean, *found.interval), strict=True))
    return {
        "verdict": found.verdict,
        "certain": found.certain,
        "seeds": len(found.values),
        **{f"decades{end}": value for end, value in ends.items()},
        **{f"per_factor{end}": value / factors(cell) for end, value in ends.items()},
    }


def _scales(cell: Cell, rows: pd.DataFrame, before: Decades, norms: pd.DataFrame) -> Iterator[dict[str, Any]]:
    yield {
        "kind": "scale", "name": "relative decades", "about": "gradient at the input over that at the output",
        "value": before.mean, "unit": "decades", "threshold": LIMIT, "verdict": before.verdict,
    }  # fmt: skip
    kept = NO_NUMBER if _unbounded(rows, cell.dtype) else HEALTHY
    for name, position in lost(rows, cell.dtype).items():
        verdict = kept if math.isnan(position) else VANISHES
        yield {
            "kind": "scale", "name": name, "about": f"the nearest {summary.FACTORS[kind(cell)][1]} to the output at "
            "which it is so", "value": position, "unit": "position", "verdict": verdict,
        }  # fmt: skip
    yield from _document_scale(cell, norms[norms.parameter != "all"])


def _document_scale(cell: Cell, matrices: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The second document's thresholds of weight gradients' norms: of the ends, and how many matrices vanish."""
    judged = judge_norms(matrices.log10_norm.tolist())
    if kind(cell) == "depth":
        places = {"shallowest weight gradient": 0, "deepest weight gradient": -1}
        tied = ""
    else:  # a cell has few matrices, all of one depth
        places = {f"weight gradient {name}": i for i, name in enumerate(matrices.parameter)}
        tied = ", summed over the steps, of which the last hide the others"
    for name, i in places.items() if len(judged) else ():
        yield {
            "kind": "scale", "name": name, "about": f"norm of {matrices.parameter.iloc[i]}{tied}; "
            f"expected {judged.expected.iloc[i]}; loss: {LOSS}", "value": 10 ** matrices.log10_norm.iloc[i],
            "unit": "norm", "threshold": VANISHED, "verdict": judged.judgement.iloc[i],
        }  # fmt: skip
    if len(judged):
        for row in counted(judged, matrices.log10_norm.tolist()):
            yield {**row, "about": f"{row['about']}; loss: {LOSS}"}


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


def _change(cell: Cell, other: Cell, before: Decades, after: Decades) -> dict[str, Any]:
    worth = gain(before, after)
    return {
        "becomes": described(other, cell),
        **_estimate(cell, after),
        "decades_bought": worth.bought,
        "decades_bought_low": worth.low,
        "decades_bought_high": worth.high,
    }


def _cause(
    name: str, cell: Cell, evidence: float, before: Decades, other: Cell | None, measured: dict[Cell, Decades]
) -> dict[str, Any]:
    cause = CAUSES[name]
    row = {"kind": "cause", "name": name, "about": cause.about, "value": evidence, "unit": cause.unit}
    row |= {"threshold": cause.threshold, "effect": UNTESTED if evidence >= cause.threshold else NO_EVIDENCE}
    if other is None:
        return row
    offset = cause.offset(cell)
    after = Decades(tuple(value + offset for value in measured[other].values))
    worth = gain(before, after)
    effect = CAUSE if worth.real else COUNTERACTS if worth.harms else NO_EFFECT
    return {**row, "effect": effect, **_change(cell, other, before, after)}


def _remedy(name: str, cell: Cell, before: Decades, other: Cell, after: Decades) -> dict[str, Any]:
    change = _change(cell, other, before, after)
    bought = change["decades_bought"], change["decades_bought_low"]
    return {"kind": "remedy", "name": name, **change, **price(*nanoseconds(cell, other), *bought)}


def price(before: float, after: float, bought: float, low: float) -> dict[str, Any]:
    """What decades cost: nanoseconds of a step per element, those added, the ratio, decades per added nanosecond.

    The last is inf where a step takes no longer (FREE), and NaN where it has no number: where no more is bought than
    noise (low is not over 0), and at a price where infinitely many are, because nothing was left before.
    """
    free = after <= FREE * before
    per = math.inf if free else bought / (after - before) if math.isfinite(bought) else math.nan
    return {
        "nanoseconds": after,
        "added_nanoseconds": after - before,
        "time_ratio": after / before,
        "free": free,
        "decades_per_nanosecond": per if low > 0 else math.nan,
    }


def _clipping(cell: Cell, before: Decades, norms: pd.DataFrame) -> dict[str, Any]:
    """Clipping multiplies all gradients by one number: it buys no decade between layers, and bounds their norm."""
    norm, clipped = 10 ** norms[["log10_norm", "log10_clipped"]].iloc[-1] if len(norms) else (math.nan, math.nan)
    return {
        "kind": "remedy",
        "name": "clip",
        "about": f"to a global norm of {CLIP:g}; norms are those under {LOSS}",
        **_change(cell, cell, before, before),
        **price(*nanoseconds(cell, cell, clip=CLIP), 0.0, 0.0),
        "norm_before": norm,
        "norm_after": clipped,
    }


def described(cell: Cell, subject: Cell | None = None) -> str:
    """The cell's names; of another one than the subject only what differs: "initializer critical"."""
    names = {name: getattr(cell, name) for name in ("architecture", "activation", "initializer")}
    if subject is None or cell == subject:
        return " ".join(names.values()) if subject is None else ""
    return ", ".join(f"{name} {value}" for name, value in names.items() if value != getattr(subject, name))
