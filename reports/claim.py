"""What a claim is: parts that are measured, the bounds within which they hold, and the verdict that follows."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reports.words import listed, number


class Verdict(StrEnum):
    """What measuring says of a claim; of one part of it only IN_PART cannot be said."""

    HOLDS = "holds"
    IN_PART = "holds in part"
    FAILS = "does not hold"
    UNCERTAIN = "cannot tell"
    UNTESTABLE = "not testable as stated"
    MISSING = "not measured in this run"


class MissingError(LookupError):
    """What a part needs to be measured and the run lacks."""


@dataclass(frozen=True)
class Figure:
    """A number: mean over seeds with its 95 % t-interval, and what theory says of it; NaN where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan
    theory: float = math.nan


@dataclass(frozen=True)
class Bound:
    """A part holds where its figure lies from least to most, both included; reason says where they come from."""

    reason: str
    least: float = -math.inf
    most: float = math.inf

    def holds(self, value: float) -> bool:
        """Whether value lies within."""
        return self.least <= value <= self.most

    def verdict(self, low: float, high: float) -> Verdict:
        """HOLDS where all from low to high lies within, FAILS where nothing does, UNCERTAIN otherwise."""
        if self.holds(low) and self.holds(high):
            return Verdict.HOLDS
        return Verdict.FAILS if high < self.least or low > self.most else Verdict.UNCERTAIN


@dataclass(frozen=True, kw_only=True)
class Part:
    """One thing that a claim says, as it is measured.

    measure(evidence) gives its figure, MissingError where the run has no rows for it; None where it cannot be tested as
    stated, and bound.reason says why. said is the document's number, in unit; NaN where it names none.
    """

    what: str
    bound: Bound
    measure: Callable[[Any], Figure] | None = None
    said: float = math.nan
    unit: str = "decades"


@dataclass(frozen=True)
class Judged:
    """A part with its figure and verdict. needs: what the run lacks, where it was not measured."""

    part: Part
    figure: Figure
    verdict: Verdict
    needs: str = ""

    @property
    def near(self) -> bool:
        """Whether the interval over seeds reaches across a bound: other seeds may judge otherwise."""
        return self.verdict is Verdict.UNCERTAIN


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One row of the ledger: where it stands, the sentence and its translation; parts, the main one first."""

    number: int
    source: str
    short: str
    quote: str
    translation: str
    parts: tuple[Part, ...]


def untestable(what: str, reason: str) -> Part:
    """A part that no measurement decides, and why."""
    return Part(what=what, bound=Bound(reason), unit="")


def judge_part(part: Part, evidence: Any) -> Judged:
    """Measure a part and judge it by its bound: by its whole interval, where it has one."""
    nothing = Figure(math.nan)
    if part.measure is None:
        return Judged(part, nothing, Verdict.UNTESTABLE)
    try:
        figure = part.measure(evidence)
    except MissingError as error:
        return Judged(part, nothing, Verdict.MISSING, str(error))
    if math.isnan(figure.value):
        return Judged(part, figure, Verdict.MISSING, "finite numbers, which the rows are not")
    ends = [figure.value if math.isnan(end) else end for end in (figure.low, figure.high)]
    return Judged(part, figure, part.bound.verdict(*ends))


def judge(parts: Sequence[Judged]) -> Verdict:
    """The verdict on a claim: its main part decides whether it was measured and can be; then all that were count.

    Parts of which the seeds cannot tell do not, unless there are no others.
    """
    main, found = parts[0].verdict, {part.verdict for part in parts}
    if main in (Verdict.MISSING, Verdict.UNTESTABLE):
        return main
    if not found & {Verdict.HOLDS, Verdict.FAILS}:
        return Verdict.UNCERTAIN
    if not found & {Verdict.FAILS, Verdict.MISSING}:
        return Verdict.HOLDS
    return Verdict.IN_PART if Verdict.HOLDS in found else Verdict.FAILS


def why(parts: Sequence[Judged]) -> str:
    """Which parts hold and which do not, what is lacking, what cannot be tested and why: a sentence each."""
    sentences = []
    for verdict in (Verdict.HOLDS, Verdict.FAILS, Verdict.UNCERTAIN):
        named = [f"{part.part.what} ({_told(part)})" for part in parts if part.verdict is verdict]
        sentences += [f"{verdict.capitalize()}: {'; '.join(named)}."] * bool(named)
    lacking = [part for part in parts if part.verdict is Verdict.MISSING]
    needs = listed(list(dict.fromkeys(part.needs for part in lacking)), most=len(lacking))
    sentences += [f"{Verdict.MISSING.capitalize()}: {'; '.join(p.part.what for p in lacking)}; needs {needs}."] * bool(
        lacking
    )
    sentences += [
        f"{Verdict.UNTESTABLE.capitalize()}: {part.part.what}: {part.part.bound.reason}."
        for part in parts
        if part.verdict is Verdict.UNTESTABLE
    ]
    return " ".join(sentences)


def _told(judged: Judged) -> str:
    near = ", and its interval reaches across the bound" if judged.near else ""
    return f"{number(judged.figure.value)} {judged.part.unit}".strip() + near
