"""The thresholds by which the ledger judges norms are those of diagnose."""

import numpy as np
import pandas as pd
import pytest

from reports import bounds, measures_parameters
from reports.claim import Bound, Verdict
from reports.measures_parameters import deep_as_expected, flagged, shallow_as_expected, share_of
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


@pytest.mark.parametrize(
    ("flagged_of", "expected", "verdict"),
    [
        ({0: 1.0, 1: 1.0, 2: 1.0}, (1.0, 1.0, 1.0), Verdict.HOLDS),
        ({0: 1.0, 1: 0.5, 2: 1.0}, (5 / 6, 0.1162, 1.0), Verdict.UNCERTAIN),
        ({0: 0.5, 1: 0.5, 2: 0.5}, (0.5, 0.5, 0.5), Verdict.FAILS),
    ],
)
def test_a_share_has_an_interval_over_the_seeds(monkeypatch, flagged_of, expected, verdict):
    """So that other seeds do not turn a verdict into its opposite. 0.1162 = 5/6 - 4.3027 x 0.2887 / sqrt 3."""
    monkeypatch.setattr(measures_parameters, "DIAGNOSED", (("plain", "a", "i"), ("plain", "b", "i")))
    monkeypatch.setattr(measures_parameters, "DIAGNOSED_LAYERS", (2,))

    class Networks:
        def rows(self, of, metric):
            below = [share == 1 or of.activation == "a" for share in flagged_of.values()]
            value = -9.0 if metric == "log10_gradient" else np.where(below, -7.0, -5.0)
            position = 0 if metric == "log10_gradient" else 1
            return pd.DataFrame({
                "seed": [*flagged_of], "position": position, "value": value, "parameter": "W", "optimizer": "",
                "clip_norm": np.nan,
            })  # fmt: skip

    figure = share_of("vanishing", flagged())(Networks())
    assert (figure.value, figure.low, figure.high) == pytest.approx(expected, abs=1e-3)
    assert Bound("always", least=1.0).verdict(figure.low, figure.high) is verdict


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
