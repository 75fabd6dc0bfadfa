"""The probed limits: their form and an order that holds on any machine; never a speed."""

import os

import pytest

from kernels.jit import num_threads
from suites import limits
from suites.levels import levels


@pytest.fixture(scope="module")
def measured():
    return limits.measure()


def test_every_probe_has_every_level(measured):
    two = {"copy_2_threads", "triad_2_threads"} if (os.cpu_count() or 1) > 1 else set()
    assert set(measured) == {"fma", "read", "copy", "triad"} | two
    assert set(measured["fma"]) == {"float32", "float64"}
    for probe in limits.BANDWIDTHS:
        assert list(measured[probe]) == list(levels())


def test_probing_leaves_the_threads_as_they_were(measured):
    assert num_threads() == 1


def test_rates_are_positive_and_possible(measured):
    rates = [rate for probe in measured.values() for rate in probe.values()]
    assert all(0.01 < rate < 1e5 for rate in rates), measured


def test_rate_is_that_of_the_fastest_round(monkeypatch):
    rounds = {1: [0.5, 0.25], 8: [4.0, 2.0, 3.0]}  # number of calls -> seconds of the rounds
    monkeypatch.setattr(limits, "ROUND_SECONDS", 2.0)
    monkeypatch.setattr(limits.timeit, "repeat", lambda call, number, repeat: rounds[number])
    assert limits.per_second(lambda: None, amount=10.0) == 10.0 * 8 / 2.0
