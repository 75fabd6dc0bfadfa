"""The environment as the page lists it."""

import pytest

from reports.load import Tables
from reports.record import SUBNORMAL, record


def recorded(environment, session, tmp_path):
    """What is listed of a run with this environment and session."""
    return record(Tables(tmp_path, environment, {}, session))


def test_the_configuration_is_listed_once(tmp_path):
    session = {"profile": "quick", "seed": 0, "limits": {"read L1": 3.0}}
    known = recorded({"cpu": "Test", "configuration": {"profile": "quick", "seed": 0}}, session, tmp_path)
    assert known == {
        "cpu": "Test", "configuration profile": "quick", "configuration seed": "0", "limits read L1": "3",
    }  # fmt: skip
    assert recorded({}, session, tmp_path)["profile"] == "quick"


def test_caches_have_units(tmp_path):
    known = recorded({"caches": {"L1": 49152, "L2": 2 << 20, "L3": None}}, {}, tmp_path)
    assert known == {"caches L1": "48 KiB", "caches L2": "2 MiB", "caches L3": "unknown"}


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("kept", "kept", "kept before and after"),
        ("kept", "flushed", "kept before, flushed after"),
        ("kept", None, "kept before, unknown after"),
    ],
)
def test_subnormal_numbers(before, after, text, tmp_path):
    assert recorded({"denormals": {"before": before, "after": after}}, {}, tmp_path) == {SUBNORMAL: text}
