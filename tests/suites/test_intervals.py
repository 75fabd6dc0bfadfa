"""The t-interval of a mean, against SciPy's."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from suites.intervals import half_width, standard_error


@pytest.mark.parametrize("seeds", [2, 3, 8, 1000])
def test_it_is_that_of_scipy(seeds):
    values = np.random.default_rng(seeds).standard_normal(seeds)
    low, high = stats.t.interval(0.95, seeds - 1, values.mean(), stats.sem(values))
    half = half_width(stats.sem(values), seeds)
    assert (values.mean() - half, values.mean() + half) == (pytest.approx(low), pytest.approx(high))


def test_of_a_column_each_has_its_own():
    error, seeds = pd.Series([0.5, 2.0, np.nan]), pd.Series([2, 31, 1])
    expected = [0.5 * stats.t.ppf(0.975, 1), 2.0 * stats.t.ppf(0.975, 30), np.nan]
    np.testing.assert_allclose(half_width(error, seeds), expected)


def test_one_seed_has_none():
    assert np.isnan(half_width(np.nan, 1))


def test_the_standard_error_is_that_of_scipy_and_none_of_what_is_infinite():
    values = np.random.default_rng(2).standard_normal(7)
    assert standard_error(values) == standard_error(pd.Series(values)) == pytest.approx(stats.sem(values))
    for none in ([1.0], [1.0, -np.inf], [np.nan, 2.0]):
        assert np.isnan(standard_error(np.array(none)))
