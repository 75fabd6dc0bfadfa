"""Parts and verdicts: how bounds judge, and what of many parts makes one verdict."""

import math

import pytest

from reports.claim import Bound, Claim, Figure, MissingError, Part, Verdict, judge, judge_part, untestable, why

HOLDS, IN_PART, FAILS, UNCERTAIN, MISSING, UNTESTABLE = (
    Verdict.HOLDS, Verdict.IN_PART, Verdict.FAILS, Verdict.UNCERTAIN, Verdict.MISSING, Verdict.UNTESTABLE
)  # fmt: skip
BOUND = Bound("because", -1.0, 2.0)


def part(figure, bound=BOUND):
    """A part whose figure this is, or that lacks what it needs."""

    def measure(evidence):
        if isinstance(figure, str):
            raise MissingError(figure)
        return figure if isinstance(figure, Figure) else Figure(figure)

    return Part(what=f"that of {figure}", bound=bound, measure=measure)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(-1.0, HOLDS), (2.0, HOLDS), (2.0001, FAILS), (-math.inf, FAILS), (math.nan, MISSING), ("rows", MISSING)],
)
def test_a_part_holds_within_its_bounds(value, verdict):
    assert judge_part(part(value), None).verdict is verdict


def test_exactly_zero_gradients_are_judged():
    assert judge_part(part(-math.inf, Bound("vanished", most=-6)), None).verdict is HOLDS


PARTS = {HOLDS: 0.0, FAILS: 5.0, UNCERTAIN: Figure(1.9, 1.5, 2.3), MISSING: "rows"}


def judged(*verdicts):
    parts = [untestable("taste", "no number") if v is UNTESTABLE else part(PARTS[v]) for v in verdicts]
    return [judge_part(each, None) for each in parts]


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        ([HOLDS], HOLDS),
        ([FAILS], FAILS),
        ([HOLDS, HOLDS], HOLDS),
        ([FAILS, FAILS], FAILS),
        ([HOLDS, FAILS], IN_PART),
        ([FAILS, HOLDS], IN_PART),
        ([HOLDS, MISSING], IN_PART),
        ([FAILS, MISSING], FAILS),
        ([HOLDS, UNTESTABLE], HOLDS),
        ([UNCERTAIN, HOLDS], HOLDS),
        ([FAILS, UNCERTAIN], FAILS),
        ([UNCERTAIN, FAILS, HOLDS], IN_PART),
        ([UNCERTAIN, UNTESTABLE], UNCERTAIN),
        ([UNCERTAIN, MISSING], UNCERTAIN),
        ([MISSING, HOLDS], MISSING),
        ([UNTESTABLE, HOLDS, FAILS], UNTESTABLE),
    ],
)
def test_the_verdict_of_several_parts(verdicts, verdict):
    parts = judged(*verdicts)
    assert [each.verdict for each in parts] == verdicts
    assert judge(parts) is verdict


def test_why_names_every_part_and_what_is_lacking():
    text = why(judged(HOLDS, FAILS, MISSING, UNTESTABLE))
    assert text == (
        "Holds: that of 0.0 (0 decades). Does not hold: that of 5.0 (5 decades). Not measured in this run: that of "
        "rows; needs rows. Not testable as stated: taste: no number."
    )


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (Figure(1.9, 1.5, 2.3), UNCERTAIN),
        (Figure(1.0, 0.5, 1.5), HOLDS),
        (Figure(0.5, -1.0, 2.0), HOLDS),
        (Figure(2.5, 1.9, 3.1), UNCERTAIN),
        (Figure(2.5, 2.2, 2.8), FAILS),
        (Figure(3.0, -2.0, 8.0), UNCERTAIN),  # on either side of what holds
        (Figure(1.0), HOLDS),
        (Figure(math.inf), FAILS),
    ],
)
def test_seeds_that_reach_across_a_bound_cannot_tell(figure, verdict):
    judged = judge_part(part(figure), None)
    assert judged.verdict is verdict
    assert judged.near == (verdict is UNCERTAIN)
    told = "Cannot tell: that of" in why([judged])
    assert told == ("reaches across the bound" in why([judged])) == (verdict is UNCERTAIN)


def test_a_claim_is_a_row():
    claim = Claim(number=1, source="D1", short="s", quote="q", translation="t", parts=(part(0.0),))
    assert hash(claim) == hash(claim)
