"""What a time is turned into, the order of a race, and that nothing is timed behind a red gate."""

import pytest

from suites.gate import GateError
from suites.measure import Work, race, time_gated

LIMITS = {"fma": {"float32": 200.0}, "copy": {"L2": 100.0}}


class Fixture:
    """The part of pytest-benchmark's fixture that is used, with a known time."""

    def __init__(self):
        self.extra_info, self.stats, self.group = {}, None, None

    def __call__(self, call):
        raise AssertionError("timed")

    def pedantic(self, target, setup, teardown, rounds):
        for _ in range(rounds):
            setup()
            target()
            teardown()


def test_element_wise_work_is_held_against_a_bandwidth():
    work = Work(
        op="activation", activation="tanh", direction="forward", shape=(1000,), dtype="float32", level="L2",
        bytes_per_element=8, probe="copy",
    )  # fmt: skip
    assert work.group == "activation forward L2 float32"
    info = work.describe(2e-6, LIMITS)
    assert info["n"] == 1000
    assert info["ns_per_element"] == pytest.approx(2.0)
    assert info["gb_per_s"] == pytest.approx(4.0)
    assert (info["limit"], info["limit_gb_per_s"]) == ("copy L2", 100.0)
    assert info["fraction_of_limit"] == pytest.approx(0.04)


def test_products_are_held_against_the_multiply_adds():
    work = Work(
        op="network", activation="tanh", direction="forward", shape=(4, 5), dtype="float32", repeats=10, flop=1e6
    )
    info = work.describe(1e-4, LIMITS)
    assert info["n"] == 200
    assert info["ns_per_element"] == pytest.approx(500.0)
    assert info["gflop_per_s"] == pytest.approx(10.0)
    assert (info["limit"], info["fraction_of_limit"]) == ("fma float32", pytest.approx(0.05))


def test_work_without_a_limit_says_none():
    info = Work(op="a", activation="", direction="forward", shape=(2,), dtype="float32").describe(1.0, {})
    assert not any(key.startswith(("limit", "fraction")) for key in info)


def test_a_race_runs_in_the_order_a_b_b_a(monkeypatch):
    monkeypatch.setattr("suites.measure.RACE_ROUNDS", (4, 4))
    order = []
    seconds = race(Fixture(), lambda: order.append("call"), lambda: order.append("rival"))
    warm = ["call", "rival"] * 3
    assert order == warm + ["rival", "call", "call", "rival"] * 2
    assert len(seconds) == 4
    assert all(second >= 0 for second in seconds)


def test_nothing_is_timed_behind_a_red_gate():
    def red():
        raise GateError("wrong")

    work = Work(op="a", activation="", direction="forward", shape=(2,), dtype="float32")
    with pytest.raises(GateError, match="wrong"):
        time_gated(Fixture(), {}, work, lambda: None, red)
