"""Verdicts flip at their thresholds; what a change is worth is Welch's interval."""

import math

import numpy as np
import pytest
from scipy import stats

from suites.schema import merge, rows
from suites.verdicts import EXPLODES, HEALTHY, VANISHES, Decades, decades, effect, gain


@pytest.mark.parametrize(
    ("mean", "verdict"),
    [(-1.01, VANISHES), (-0.99, HEALTHY), (0, HEALTHY), (0.99, HEALTHY), (1.01, EXPLODES), (-math.inf, VANISHES),
     (math.inf, EXPLODES), (math.nan, EXPLODES)],
)  # fmt: skip
def test_a_factor_of_ten_either_way_is_healthy(mean, verdict):
    assert Decades((mean, mean)).verdict == verdict


def test_one_seed_at_zero_is_a_gradient_that_vanishes():
    assert Decades((-3.0, -math.inf)).verdict == VANISHES
    assert Decades((-3.0, -math.inf)).off == math.inf


def test_a_mixture_of_infinities_is_no_number():
    assert Decades((math.inf, -math.inf)).verdict == EXPLODES


@pytest.mark.parametrize("values", [(-1.3, -1.2, -1.25), (-1.6, -0.8, -1.2), (-1.2,)])
def test_certain_only_where_the_whole_interval_agrees(values):
    found = Decades(values)
    assert found.verdict == VANISHES
    assert found.certain == (values == (-1.3, -1.2, -1.25))
    if len(values) > 1:
        expected = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        np.testing.assert_allclose(found.interval, expected)


def test_only_the_first_position_of_the_gradient_counts():
    table = merge([
        rows({}, seed=0, position=[0, 1], metric="log10_gradient", value=[-2.0, 0.0]),
        rows({}, seed=1, position=[0, 1], metric="log10_gradient", value=[-4.0, 0.0]),
        rows({}, seed=0, position=[0, 1], metric="log10_gradient_norm", value=[7.0, 7.0]),
    ])  # fmt: skip
    assert decades(table).values == (-2.0, -4.0)


def test_the_interval_of_a_gain_is_welchs():
    before, after = (-31.2, -31.6, -30.9, -31.5), (-0.9, -0.4, -1.6)
    worth = gain(Decades(before), Decades(after))
    interval = stats.ttest_ind(after, before, equal_var=False).confidence_interval(0.95)
    np.testing.assert_allclose((worth.low, worth.high), interval)
    assert worth.bought == pytest.approx(np.mean(after) - np.mean(before))
    assert worth.real
    assert not worth.harms


def test_a_gain_counts_towards_zero_whatever_the_sign():
    worth = gain(Decades((-30.0, -30.1)), Decades((2.0, 2.1)))
    assert worth.bought == pytest.approx(28.0)
    assert gain(Decades((5.0, 5.1)), Decades((-5.0, -5.1))).bought == pytest.approx(0)


@pytest.mark.parametrize(
    ("after", "real", "harms"),
    [
        ((-29.0, -29.1, -29.2), False, False),  # certain, but a thirtieth of the loss
        ((-20.0, -20.1, -20.2), True, False),
        ((-50.0, 10.0, 12.0), False, False),  # large, but within the noise
        ((-60.0, -60.1, -60.2), False, True),
    ],
)
def test_noise_and_trifles_are_no_gain(after, real, harms):
    worth = gain(Decades((-30.0, -30.1, -30.2)), Decades(after))
    assert (worth.real, worth.harms) == (real, harms)


def test_one_seed_shows_nothing():
    assert not gain(Decades((-30.0,)), Decades((0.0,))).real


def test_what_was_lost_altogether_gains_infinitely():
    lost, found = Decades((-math.inf, -math.inf)), Decades((-1.0, -1.2))
    assert gain(lost, found).real
    assert gain(found, Decades((math.nan, math.nan))).harms
    assert gain(lost, lost).bought == 0
    overflowed = Decades((math.nan, math.nan))
    assert math.isnan(gain(overflowed, overflowed).bought)
    assert gain(overflowed, found).bought == math.inf


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((-300.0, -301.0), (33.0, 33.5), "overshoots: explodes"),  # 267 decades bought, and nothing mended
        ((-math.inf, -math.inf), (33.0, 33.5), "overshoots: explodes"),
        ((-math.inf, -math.inf), (-5.0, -5.1), "eases"),
        ((-math.inf, -math.inf), (-0.5, -0.6), "mends"),
        ((-math.inf, -math.inf), (-math.inf, -math.inf), "no effect"),
        ((math.nan, math.nan), (math.nan, math.inf), "still no number"),
        ((math.nan, math.nan), (7.0, 7.5), "eases"),
        ((math.nan, math.nan), (-math.inf, -math.inf), "overshoots: vanishes"),
        ((5.0, 5.1), (-3.0, -3.1), "overshoots: vanishes"),
        ((5.0, 5.1), (math.nan, math.nan), "harms"),
        ((-5.0, -5.1), (math.nan, math.nan), "overshoots: explodes"),
        ((-9.0, -9.1), (-1.5, -1.6), "eases"),
        ((-9.0, -9.1), (-0.5, -0.6), "mends"),
        ((-9.0, -9.1), (-8.0, -8.1), "eases"),  # a ninth of it, and beyond noise
        ((-9.0, -9.1), (-15.0, -15.1), "harms"),
        ((-9.0, -9.2, -9.1), (-9.0, -9.2, -9.15), "no effect"),
        ((-9.0, -12.0, -5.0), (-8.0, -13.0, -4.0), "cannot tell"),
        ((-1.0, -9.0), (-0.5, -0.51), "mends"),  # it is healthy for sure, whatever was before
        ((-1.2, -1.3), (-0.2, -1.7), "cannot tell"),
        ((-9.0,), (-8.0,), "cannot tell"),
    ],
)
def test_what_a_change_does_is_judged_by_what_comes_of_it(before, after, expected):
    assert effect(Decades(before), Decades(after)) == expected
