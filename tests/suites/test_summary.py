"""Decades per configuration over its seeds, with their interval, by hand."""

import math

import numpy as np
import pytest

from suites import summary
from suites.prediction import Prediction
from suites.schema import merge, rows
from suites.summary import attenuation, remarks, silence

CONFIGURATION = {"experiment": "depth", "architecture": "plain", "activation": "tanh", "initializer": "he_normal"}


def table(totals, predicted=None, depth=10, sd=None, **more):
    """Rows at positions 0 and depth of one seed per total, with their prediction and the band of one sample."""
    configuration = {**CONFIGURATION, "batch": 32, "depth": depth, **more}
    tables = [
        rows(configuration, seed=seed, position=[0, depth], metric="log10_gradient", value=[total, 0.0])
        for seed, total in enumerate(totals)
    ]
    if predicted is not None:
        curve = {"metric": "predicted_log10_gradient", "value": [predicted, 0.0]}
        tables.append(rows(configuration, position=[0, depth], **curve))
    if sd is not None:
        tables.append(rows(configuration, position=[0, depth], metric="predicted_sd", value=[sd, 0.0]))
    return merge(tables)


def test_one_configuration():
    (row,) = attenuation(table([-1.0, -2.0, -3.0, -6.0], predicted=-2.5), "depth").to_dict("records")
    error = np.std([1, 2, 3, 6], ddof=1) / 2
    assert row["seeds"] == 4
    assert row["total_decades"] == pytest.approx(-3)
    assert row["total_decades_low"] == pytest.approx(-3 - 3.182446 * error)  # t of 3 degrees of freedom
    assert row["total_decades_high"] == pytest.approx(-3 + 3.182446 * error)
    assert row["decades_per_layer"] == pytest.approx(-0.3)
    assert row["predicted_total_decades"] == -2.5
    assert row["predicted_decades_per_layer"] == pytest.approx(-0.25)
    assert row["decades_per_layer_low"] == pytest.approx(-0.3 - 0.3182446 * error)
    assert row["decades_per_layer_high"] == pytest.approx(-0.3 + 0.3182446 * error)
    assert row["gap"] == pytest.approx(-0.05)
    assert row["z"] == pytest.approx(-0.5 / error)
    assert row["seeds_zero"] == 0
    assert row["activation"] == "tanh"


def test_one_sample_is_held_against_its_median():
    """sd 0.4 is beta = (0.8 ln 10)^2; the median of the norm is exp(-beta/4) times the root of its mean square."""
    (row,) = attenuation(table([-1.0, -2.0, -3.0], predicted=-1.5, sd=0.4), "depth").to_dict("records")
    median = -1.5 + math.log10(math.exp(-((0.8 * math.log(10)) ** 2) / 4))
    assert row["z"] == pytest.approx((-2 - median) / (1 / math.sqrt(3)))
    assert row["gap"] == pytest.approx((-2 - median) / 10)
    assert row["predicted_total_decades"] == -1.5
    assert row["predicted_decades_per_layer"] == -0.15


def test_one_sample_without_a_band_has_no_gap():
    """By how much its log10 is below that of the mean square is not known; a band of no width is known."""
    rows_of_one = table([-1.0, -2.0, -3.0], predicted=-1.5, batch=1)
    (row,) = attenuation(rows_of_one, "depth").to_dict("records")
    assert math.isnan(row["gap"])
    assert math.isnan(row["z"])
    assert row["predicted_total_decades"] == -1.5
    (remark,) = said(rows_of_one)
    assert remark.startswith("plain tanh he_normal: a single sample is less")
    sure = table([-1.0, -2.0, -3.0], predicted=-1.5, sd=0.0, batch=1)
    (row,) = attenuation(sure, "depth").to_dict("records")
    assert row["gap"] == pytest.approx(-0.05)
    assert said(sure) == []


def test_the_reason_is_worked_out_once(monkeypatch):
    asked = []
    monkeypatch.setitem(summary.PREDICTIONS, "plain", lambda **known: asked.append(known) or Prediction.silent(3, "so"))
    row = {**dict.fromkeys(summary.CONFIGURATION), **CONFIGURATION, "width": 61, "batch": 7, "depth": 3}
    assert [silence("depth", row) for _ in range(3)] == ["so"] * 3
    assert len(asked) == 1


def test_steps_for_time():
    rows_of_time = table([-1.0, -2.0], predicted=-1.0, depth=None, length=5)
    (row,) = attenuation(rows_of_time.assign(position=[0, 5] * 3), "time").to_dict("records")
    assert row["decades_per_step"] == pytest.approx(-0.3)
    assert row["decades_per_step_low"] < -0.3 < row["decades_per_step_high"]
    assert row["predicted_decades_per_step"] == pytest.approx(-0.2)


def test_one_seed_has_no_interval():
    (row,) = attenuation(table([-1.0], predicted=-1.5), "depth").to_dict("records")
    assert row["total_decades"] == -1
    for name in ("total_decades_low", "total_decades_high", "decades_per_layer_low", "decades_per_layer_high", "z"):
        assert math.isnan(row[name])
    assert row["gap"] == pytest.approx(0.05)


def test_a_gradient_of_zero_is_not_averaged_away():
    (row,) = attenuation(table([-1.0, -math.inf], predicted=-1.5), "depth").to_dict("records")
    assert row["total_decades"] == -math.inf
    assert row["seeds_zero"] == 1
    assert math.isnan(row["total_decades_low"])


def test_a_run_that_overflowed_is_not_a_number():
    (row,) = attenuation(table([1.0, math.nan]), "depth").to_dict("records")
    assert row["seeds"] == 2
    assert math.isnan(row["total_decades"])


def test_seeds_that_agree_exactly_have_no_z():
    (row,) = attenuation(table([-1.0, -1.0], predicted=-1.5), "depth").to_dict("records")
    assert row["total_decades_low"] == row["total_decades_high"] == -1
    assert math.isnan(row["z"])


def test_no_prediction_where_theory_is_silent():
    tables = [table([-1.0], weight_variance=math.nan), table([-2.0], predicted=-2.0, weight_variance=1.0)]
    found = attenuation(merge(tables), "depth")
    assert found.total_decades.tolist() == [-1, -2]
    assert math.isnan(found.predicted_total_decades[0])
    assert found.predicted_total_decades[1] == -2


def test_configurations_keep_their_order():
    tables = [table([-float(width)], width=width) for width in (64, 16, 32)]
    assert attenuation(merge(tables), "depth").width.tolist() == [64, 16, 32]


def said(rows, experiment="depth"):
    return remarks(attenuation(rows, experiment), rows, experiment)


def test_a_table_without_blanks_needs_no_remark():
    assert said(table([-1.0, -2.0], predicted=-1.0)) == []


SIZES = {"width": 64, "batch": 32}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"initializer": "constant"}, "plain tanh constant: its weights are not independent of each other"),
        ({"architecture": "batchnorm", "batch": 4}, "batchnorm tanh he_normal: the gradient through BatchNorm has no"),
        ({"architecture": "transformer_pre", "initializer": "saturating", "length": 5}, "soft"),
        ({"optimizer": "adam"}, "its weights were trained"),
    ],
)
def test_where_theory_is_silent_it_says_why(changes, reason):
    (remark,) = said(table([-1.0, -2.0], **{**SIZES, **changes}))
    assert remark.startswith("theory is silent for ")
    assert reason in remark


def test_two_depths_of_one_reason_have_one_remark():
    silent = [table([-1.0, -2.0], depth=depth, **{**SIZES, "initializer": "constant"}) for depth in (10, 20)]
    (remark,) = said(merge(silent))
    assert remark.startswith("theory is silent for plain tanh constant: ")


def test_what_is_not_finite_says_why():
    (remark,) = said(table([-1.0], predicted=-1.0))
    assert remark.startswith("one seed has no interval and no z")
    (remark,) = said(table([-math.inf, -1.0], predicted=-1.0))
    assert remark == "plain tanh he_normal: the gradient is exactly 0 in 1 of 2 seeds"


def test_time_has_steps_and_no_tokens():
    silent = table([-1.0, -2.0], architecture="lstm", initializer="saturating", depth=None, length=8, inputs=3, **SIZES)
    (remark,) = said(silent, "time")
    assert remark.startswith("theory is silent for lstm tanh saturating: its gates are switches")


@pytest.mark.parametrize(
    ("experiment", "size", "place"),
    [("depth", {"depth": 10}, "layer 7"), ("time", {"depth": None, "length": 10}, "step 7")],
)
def test_an_overflow_is_told_with_its_place(experiment, size, place):
    totals = table([math.nan, math.nan], predicted=0.0, dtype="float32", **size)
    configuration = {**CONFIGURATION, "batch": 32, "dtype": "float32", **size}
    sizes = [1.0] * 7 + [math.inf, math.nan, math.nan, math.nan]
    grown = rows(configuration, seed=1, position=range(11), metric="forward_variance", value=sizes)
    (remark,) = said(merge([totals, grown]), experiment)
    assert remark == f"plain tanh he_normal: the forward pass overflows float32 from {place} on, so no total is finite"


def test_a_forward_pass_that_dies_out_is_told_with_its_place():
    """Where values are subnormal, not where they are 0 at once, as those of dead units are."""
    size = {"depth": 4}
    totals = table([-1.0, -2.0], predicted=0.0, dtype="float32", **size)
    configuration = {**CONFIGURATION, "batch": 32, "dtype": "float32", **size}
    for sizes, told in (([1.0, 1e-70, 1e-78, 1e-88, 0.0], 1), ([1.0, 1e-70, 0.0, 0.0, 0.0], 0)):
        shrunk = rows(configuration, seed=1, position=range(5), metric="forward_variance", value=sizes)
        found = said(merge([totals, shrunk]), "depth")
        assert (
            found
            == [
                "plain tanh he_normal: the forward pass leaves the normal numbers of float32 from layer 2 on, "
                "so slopes are lost there"
            ][:told]
        )
