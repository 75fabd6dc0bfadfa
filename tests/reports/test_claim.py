"""Parts and verdicts: how bounds judge, and what of many parts makes one verdict."""

import math

import pytest

from reports.claim import Bound, Claim, Figure, MissingError, Part, Verdict, judge, judge_part, untestable, why

HOLDS, IN_PART, FAILS, MISSING, UNTESTABLE = (
    Verdict.HOLDS, Verdict.IN_PART, Verdict.FAILS, Verdict.MISSING, Verdict.UNTESTABLE
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


PARTS = {HOLDS: 0.0, FAILS: 5.0, MISSING: "rows"}


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
    ("figure", "near"),
    [
        (Figure(1.9, 1.5, 2.3), True),
        (Figure(1.0, 0.5, 1.5), False),
        (Figure(2.5, 1.9, 3.1), True),
        (Figure(2.5, 2.2, 2.8), False),
        (Figure(1.0), False),
    ],
)
def test_an_interval_across_a_bound_is_told(figure, near):
    judged = judge_part(part(figure), None)
    assert judged.near == near
    assert ("reaches across the bound" in why([judged])) == near


def test_a_claim_is_a_row():
    claim = Claim(number=1, source="D1", short="s", quote="q", translation="t", parts=(part(0.0),))
    assert hash(claim) == hash(claim)
