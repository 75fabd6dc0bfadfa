"""The thresholds by which the ledger judges norms are those of diagnose."""

import pandas as pd
import pytest

from reports import bounds
from reports.measures_parameters import deep_as_expected, flagged, shallow_as_expected
from suites import norm_thresholds, verdicts


def norms(*log10):
    return pd.DataFrame({"position": range(1, len(log10) + 1), "value": log10})


@pytest.mark.parametrize(
    ("judge", "log10", "expected"),
    [
        (flagged(), (-6.0, -5.0), False), (flagged(), (-6.01, -5.0), True), (flagged(-2.0), (-4.5, -3.0), True),
        (shallow_as_expected, (-3.0, 9.0), True), (shallow_as_expected, (-1.0, 9.0), True),
        (shallow_as_expected, (-3.01, -2.0), False), (shallow_as_expected, (-0.99, -2.0), False),
        (deep_as_expected, (-9.0, -3.99), True), (deep_as_expected, (-9.0, -4.0), False),
    ],
)  # fmt: skip
def test_norms_are_judged_as_the_document_says(judge, log10, expected):
    assert judge(norms(*log10)) is expected


def test_the_thresholds_stand_once(monkeypatch):
    monkeypatch.setattr(norm_thresholds, "VANISHED", 1e-8)
    monkeypatch.setattr(norm_thresholds, "SHALLOW", (1e-5, 1e-4))
    monkeypatch.setattr(norm_thresholds, "DEEP", 1e-7)
    assert not flagged()(norms(-7.0))
    assert shallow_as_expected(norms(-4.5))
    assert deep_as_expected(norms(-4.5, -6.5))


def test_a_factor_of_ten_is_the_limit_of_diagnose():
    for bound, value in ((bounds.KEPT, -verdicts.LIMIT), (bounds.STEADY, verdicts.LIMIT)):
        assert bound.holds(value)
        assert not bound.holds(1.001 * value)
    assert bounds.SHRINKS.holds(-verdicts.LIMIT)
