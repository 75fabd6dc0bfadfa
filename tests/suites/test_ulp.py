"""Errors in units in the last place, and the faults that they do not tell, on results made by hand."""

import numpy as np
import pytest

from suites.ulp import MEASURES, Reference, combine, judge, unit

ONE = np.float32(1.0)
TINY = float(np.finfo(np.float32).smallest_normal)
LEAST = float(np.finfo(np.float32).smallest_subnormal)
MAX = float(np.finfo(np.float32).max)


def judged(x, got, value, promise=0.5, dtype=np.float32, **more):
    """The judgement of all points, with one before them that is a neighbour of none."""
    x, got, value = (np.array([array[0], *array]) for array in (x, got, value))
    more = {name: np.array([array[0], *array]) for name, array in more.items()}
    judgement = judge(x.astype(dtype), got.astype(dtype), Reference(value.astype(np.float64), **more), promise)
    assert list(judgement) == list(MEASURES)
    return judgement


def counts(judgement):
    """Measures that are not 0, without the two that always count."""
    return {
        name: found for name, found in judgement.items() if found[0] and name not in ("points", "correctly_rounded")
    }


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_unit_is_the_spacing(dtype, rng):
    x = np.concatenate([rng.standard_normal(500), 2.0 ** np.arange(-148, 127), [0.0, TINY, LEAST]]).astype(dtype)
    assert np.array_equal(
        unit(x.astype(np.float64), dtype), np.maximum(np.spacing(np.abs(x)), np.finfo(dtype).smallest_subnormal)
    )


def test_errors_are_counted_in_units_of_the_reference():
    x = [1.0, 2.0, 3.0]
    value = [1.0 + 2.0**-25, 5.0, -(2.0**-140)]
    got = [1.0, 5.0 + 3 * 2.0**-21, -(2.0**-140) + 2 * LEAST]
    found = judged(x, got, value)
    assert found["largest_ulp"] == (3.0, 2.0)
    assert found["subnormal_ulp"] == (2.0, 3.0)
    assert found["points"][0] == 3
    assert found["correctly_rounded"][0] == 1


def test_what_float64_lacks_of_the_reference_counts():
    spacing = 2.0**-52
    found = judged([1.0, 2.0], [1.0, 1.0 + spacing], [1.0, 1.0], dtype=np.float64, rest=[0.5, -0.25])
    assert found["largest_ulp"] == (1.25, 2.0)


def test_exact_results_have_nothing_to_tell():
    x = np.array([-np.inf, -1.0, -0.0, 0.0, LEAST, 1.0, np.inf, np.nan])
    assert counts(judged(x, x, x, slope=np.ones(8))) == {}


def test_infinity_counts_as_the_number_after_the_largest():
    almost = MAX * (1 + 2.0**-26)  # a quarter of a unit above: rounds to the largest
    assert counts(judged([1.0], [np.inf], [almost], promise=1))["largest_ulp"][0] == pytest.approx(0.75, abs=0.01)
    assert counts(judged([1.0], [np.inf], [almost], promise=0.5)) == {"non_finite_mismatches": (1, 1.0)}
    assert counts(judged([1.0], [np.inf], [1e60])) == {}
    assert counts(judged([1.0], [-np.inf], [1e60])) == {"non_finite_mismatches": (1, 1.0)}


@pytest.mark.parametrize(
    ("got", "value"), [(np.nan, 1.0), (1.0, np.nan), (np.inf, 1.0), (MAX, np.inf), (np.nan, np.inf)]
)
def test_a_non_finite_number_out_of_place_is_a_mismatch_and_no_error_in_ulp(got, value):
    assert counts(judged([3.0, 4.0], [1.0, got], [1.0, value])) == {"non_finite_mismatches": (1, 4.0)}


def test_zeros_keep_the_sign_of_x_or_of_what_is_too_small():
    x, got = [-5.0, -0.0, 0.0], [0.0, 0.0, -0.0]
    assert counts(judged(x, got, [-1e-60, 0.0, 0.0], slope=[1.0, 1.0, 1.0]))["sign_of_zero_mismatches"] == (3, -5.0)
    assert judged(x, got, [1e-60, 0.0, 0.0], slope=[1.0, -1.0, -1.0])["sign_of_zero_mismatches"][0] == 0
    assert judged(x, got, [-1e-60, 0.0, 0.0])["sign_of_zero_mismatches"][0] == 0  # a derivative: its zeros have no sign


def test_a_flushed_subnormal_is_told_apart_from_one_that_is_too_small():
    found = judged([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [0.4 * LEAST, 0.9 * TINY, -1.1 * TINY], promise=1)
    assert found["flushed_subnormals"] == (1, 2.0)
    assert found["largest_ulp"][1] == 3.0


def test_around_a_zero_of_the_derivative_errors_are_absolute():
    found = judged([1.0, 2.0], [1e-7, 0.5], [0.0, 0.5], near=[True, False])
    assert counts(found) == {"largest_absolute": (pytest.approx(1e-7), 1.0)}


def test_steps_back_between_neighbours_break_monotonicity():
    x = ONE + np.arange(4) * np.float32(2.0**-23)
    got = ONE + np.array([0, 2, 1, 3]) * np.float32(2.0**-23)
    value = x.astype(np.float64)
    for slope in ({"slope": [1.0] * 4}, {}):
        assert judged(x, got, value, promise=1, **slope)["monotonicity_breaks"] == (1, float(x[1]))
    assert judged(x, got, value, promise=1, slope=[-1.0, 1.0, -1.0, 1.0])["monotonicity_breaks"][0] == 0
    assert judged(x * 2 - 1, got, value, promise=1)["monotonicity_breaks"][0] == 0  # not neighbours
    assert (
        judged(x, got, 1 + (value - 1) * 1e-9, promise=3)["monotonicity_breaks"][0] == 0
    )  # within the reference's noise


def test_the_first_point_is_only_a_neighbour():
    x = np.nextafter(ONE, np.float32(2)) * np.array([1, 1], np.float32)
    x[0] = 1
    found = judge(x, np.array([9.0, 1.0], np.float32), Reference(x.astype(np.float64)), 1)
    assert found["points"][0] == 1
    assert found["largest_ulp"] == (1.0, float(x[1]))
    assert found["monotonicity_breaks"] == (1, 1.0)


def test_pieces_come_together_as_one():
    x = np.array([1.0, 2.0, 3.0, 4.0])
    got, value = [1.0, 2.0 + 2.0**-21, np.nan, 4.0], x
    pieces = [judged(x[part], got[part], value[part]) for part in (slice(2), slice(2, 4))]
    whole = judged(x, np.array(got), value)
    for name in MEASURES:
        assert combine(*pieces)[name] == pytest.approx(whole[name], nan_ok=True)


@pytest.fixture
def rng():
    return np.random.default_rng(7)
