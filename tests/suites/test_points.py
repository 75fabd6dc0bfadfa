"""The points: every pattern once, every binade alike, and the inputs at which things happen."""

import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from suites import points

DTYPES = (np.float32, np.float64)


def patterns(x):
    return x.view(f"u{x.itemsize}").tolist()


@pytest.mark.parametrize("dtype", DTYPES)
def test_ordinals_are_in_the_order_of_the_numbers(dtype):
    x = np.array([-np.inf, -1.5, -1.0, -1e-45, 0.0, 1e-45, 1.0, np.inf], dtype)
    numbers = points.ordinal(x)
    assert (np.diff(numbers.astype(object)) > 0).all()
    assert points.ordinal(np.nextafter(x, dtype(7)))[2] - numbers[2] == 1
    assert patterns(points.from_ordinal(numbers, dtype)) == patterns(x)
    assert points.ordinal(np.array([-0.0], dtype)) == 0


def test_every_pattern_is_there_once_after_the_one_before_it():
    for first in (0, 2**31 - 1024, 2**31, 2**32 - 1024):
        x = points.every(first, 1024)
        assert sorted(patterns(x[1:])) == list(range(first, first + 1024))
        assert abs(patterns(x)[0] - patterns(x)[1]) == (0 if first in (0, 2**32 - 1024) else 1)
        finite = x[np.isfinite(x)]
        assert (np.diff(finite) >= 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sample_has_pairs_of_neighbours_in_every_binade(dtype):
    x = points.sample(dtype, 2**14, seed=3)
    assert x.size == 2**14
    exponents = (x.view(f"i{x.itemsize}") >> np.finfo(dtype).nmant).tolist()
    assert len(set(exponents)) == 2 ** (8 * x.itemsize - np.finfo(dtype).nmant)
    bits = x.view(f"i{x.itemsize}")
    assert np.count_nonzero(np.abs(np.diff(bits.astype(object))) == 1) >= 2**13
    assert not np.array_equal(x, points.sample(dtype, 2**14, seed=4), equal_nan=True)
    assert np.array_equal(x, points.sample(dtype, 2**14, seed=3), equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_core_is_of_both_signs_and_its_binades_alone(dtype):
    x = np.abs(points.core(dtype, 4096, 0))
    assert x.min() >= 2.0**-6
    assert x.max() <= 2.0**10
    assert np.unique(np.frexp(x)[1]).size >= 16


def test_ascending_tells_zeros_and_nans_apart():
    x = np.array([np.nan, 1.0, -0.0, 0.0, -np.inf, 1.0, -2.0], np.float32)
    assert np.array_equal(points.ascending(x), [-np.inf, -2.0, -0.0, 0.0, 1.0, np.nan], equal_nan=True)
    assert list(np.signbit(points.ascending(x)[2:4])) == [True, False]


@pytest.mark.parametrize("dtype", DTYPES)
def test_edges_are_the_ends_of_the_format_and_the_special_points_with_their_neighbours(dtype):
    x = points.edges([], [-0.75], dtype)
    there = set(patterns(x))
    limits = np.finfo(dtype)
    ends = [0.0, limits.smallest_subnormal, limits.smallest_normal, 1.0, 2.0]
    for end in np.array([*ends, *(-end for end in ends), -0.75], dtype):
        around = [end, np.nextafter(end, dtype(9)), np.nextafter(end, dtype(-9))]
        assert set(patterns(np.array(around, dtype))) <= there
    assert {*patterns(np.array([np.inf, -np.inf, limits.max, -limits.max, -0.0], dtype))} <= there
    assert np.isnan(x).sum() >= 6
    assert np.array_equal(x, points.ascending(x), equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_edges_find_where_results_become_subnormal_vanish_and_saturate(dtype):
    """Neighbours on both sides of each turn of sigmoid: no such point is listed anywhere."""
    sigmoid = ACTIVATIONS["sigmoid"].reference
    with np.errstate(all="ignore"):
        x = points.edges([lambda x: sigmoid(x)], [], dtype)
        y = sigmoid(x[np.isfinite(x)].astype(np.float64)).astype(dtype)
    left, right = y[:-1], y[1:]
    close = np.abs(np.diff(points.ordinal(x[np.isfinite(x)]).astype(object))) == 1
    tiny = np.finfo(dtype).smallest_normal
    turns = {
        "vanishes": (left == 0) & (right > 0),
        "is subnormal": (left < tiny) & (right >= tiny),
        "saturates": (left < 1) & (right == 1),
    }
    for name, turn in turns.items():
        assert np.count_nonzero(turn & close) == 1, name
