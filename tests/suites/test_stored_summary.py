"""Columns of a summary that tell what the dtype keeps, over seeds."""

import math

import numpy as np
import pandas as pd
import pytest

from suites import summary
from suites.schema import stack
from suites.stored_summary import kept
from suites.summary import CONFIGURATION

CELL = {"experiment": "depth", "architecture": "plain", "initializer": "he_normal", "depth": 9}


def table(activation, zeros, totals=()):
    pieces = [
        {"seed": seed, "metric": metric, "value": value}
        for metric, values in (("first_zero_position", zeros), ("first_subnormal_position", zeros))
        for seed, value in enumerate(values)
    ]
    pieces += [
        {"seed": seed, "metric": "from_output_gradient", "position": range(2), "value": [total, 0.0]}
        for seed, total in enumerate(totals)
    ]
    return stack({**CELL, "activation": activation}, pieces)


@pytest.mark.parametrize(
    ("zeros", "half"),
    [
        ([3.0, 5.0, 4.0], 4.0),
        ([3.0, math.nan, math.nan], math.nan),
        ([3.0, math.nan], 3.0),
        ([math.nan, 2.0, 7.0], 2.0),
        ([6.0], 6.0),
        ([math.nan], math.nan),
    ],
)
def test_the_position_by_which_half_of_the_seeds_lost_it(zeros, half):
    (row,) = kept(table("tanh", zeros), CONFIGURATION).itertuples()
    assert row.first_zero_position == pytest.approx(half, nan_ok=True)
    assert row.first_subnormal_position == pytest.approx(half, nan_ok=True)


def test_configurations_stay_apart_and_in_order():
    rows = pd.concat([table("tanh", [1.0, 1.0], [-3.0, -5.0]), table("relu", [2.0]), table("elu", [1.0], [-math.inf])])
    found = kept(rows, CONFIGURATION)
    assert found.index.get_level_values("activation").tolist() == ["tanh", "relu", "elu"]
    assert found.first_zero_position.tolist() == [1.0, 2.0, 1.0]
    np.testing.assert_array_equal(found.from_output_total_decades, [-4.0, math.nan, -math.inf])


def test_older_rows_have_blanks_in_the_summary():
    rows = stack(
        {**CELL, "activation": "tanh"}, [{"seed": 0, "metric": "log10_gradient", "position": 0, "value": -2.0}]
    )
    (row,) = summary.attenuation(rows, "depth").itertuples()
    assert row.total_decades == -2.0
    assert math.isnan(row.first_zero_position)
    assert math.isnan(row.from_output_total_decades)
