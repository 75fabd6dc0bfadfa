"""The ledger: what the two documents claim, each measured and judged by a run's own tables."""

import math
from typing import Any

import pandas as pd

from reports.claim import Bound, Claim, Judged, Verdict, judge, judge_part, why
from reports.claim_evidence import Evidence
from reports.claims_depth import DEPTH
from reports.claims_networks import NETWORKS
from reports.claims_shapes import SHAPES
from reports.claims_time import TIME
from reports.claims_training import TRAINING
from reports.load import Tables
from reports.words import listed, number

# As the page marks them, apart from their colours.
MARKS = {
    Verdict.HOLDS: "✓",
    Verdict.IN_PART: "◐",
    Verdict.FAILS: "✗",
    Verdict.UNCERTAIN: "≈",
    Verdict.UNTESTABLE: "?",
    Verdict.MISSING: "…",
}


def judged(run: Tables) -> dict[Claim, list[Judged]]:
    """Every claim with its parts, as this run's tables have them."""
    evidence = Evidence(run)
    return {claim: [judge_part(part, evidence) for part in claim.parts] for claim in CLAIMS.values()}


def ledger(found: dict[Claim, list[Judged]]) -> pd.DataFrame:
    """A row per claim: number, source, claim, the figures of its main part, verdict and why."""
    rows = [
        {
            "number": claim.number,
            "source": claim.source,
            "claim": claim.short,
            **_figures(parts[0]),
            "verdict": str(judge(parts)),
            "why": why(parts),
        }
        for claim, parts in found.items()
    ]
    return pd.DataFrame(rows)


def details(found: dict[Claim, list[Judged]]) -> pd.DataFrame:
    """A row per part of a claim: number, part, its figures, its bounds least and most with their reason, verdict."""
    rows = [
        {
            "number": claim.number,
            "part": part.part.what,
            **_figures(part),
            "least": part.part.bound.least,
            "most": part.part.bound.most,
            "verdict": str(part.verdict),
            "near": part.near,
            "needs": part.needs,
            "reason": part.part.bound.reason,
        }
        for claim, parts in found.items()
        for part in parts
    ]
    return pd.DataFrame(rows)


def _figures(part: Judged) -> dict[str, Any]:
    figure = part.figure
    numbers = {"said": part.part.said, "measured": figure.value, "low": figure.low, "high": figure.high}
    return {**numbers, "theory": figure.theory, "unit": part.part.unit}


def section(found: dict[Claim, list[Judged]]) -> dict[str, Any]:
    """What the page's section is made of; empty where the run has nothing for any claim."""
    unmeasured = {Verdict.MISSING, Verdict.UNTESTABLE}
    if all(part.verdict in unmeasured for parts in found.values() for part in parts):
        return {}
    rows = [
        {"claim": claim, "verdict": _marked(judge(parts)), "parts": [_shown(part) for part in parts]}
        for claim, parts in found.items()
    ]
    return {"finding": finding(found), "rows": rows}


def finding(found: dict[Claim, list[Judged]]) -> str:
    """How many claims got which verdict."""
    verdicts = [judge(parts) for parts in found.values()]
    counts = [f"“{verdict}” {verdicts.count(verdict)}" for verdict in Verdict if verdict in verdicts]
    return f"Of {len(verdicts)} claims the verdicts are: {listed(counts)}."


def _shown(judged: Judged) -> dict[str, Any]:
    """A part as the page shows it, in words."""
    part, figure = judged.part, judged.figure
    interval = "" if math.isnan(figure.low) else f"{number(figure.low)} to {number(figure.high)}"
    notes = [f"needs {judged.needs}"] * bool(judged.needs) + ["the interval reaches across the bound"] * judged.near
    return {
        "what": part.what,
        "said": _number(part.said),
        "measured": _number(figure.value),
        "interval": interval,
        "unit": "" if math.isnan(figure.value) else part.unit,
        "theory": _number(figure.theory),
        "bound": _range(part.bound),
        "reason": part.bound.reason,
        "verdict": _marked(judged.verdict),
        "notes": "; ".join(notes),
    }


def _number(value: float) -> str:
    """In words; nothing where there is none."""
    return "" if math.isnan(value) else number(value)


def _marked(verdict: Verdict) -> dict[str, str]:
    """A verdict as the page marks it: by word, sign and class."""
    return {"word": str(verdict), "mark": MARKS[verdict], "kind": verdict.name.lower()}


def _range(bound: Bound) -> str:
    """From least to most, in words."""
    if math.isfinite(bound.least) and math.isfinite(bound.most):
        return f"{number(bound.least)} to {number(bound.most)}"
    if math.isfinite(bound.least):
        return f"{number(bound.least)} or more"
    return f"{number(bound.most)} or less" if math.isfinite(bound.most) else ""


_ROWS = (*SHAPES, *DEPTH, *TIME, *NETWORKS, *TRAINING)
CLAIMS = {claim.number: claim for claim in sorted(_ROWS, key=lambda claim: claim.number)}
