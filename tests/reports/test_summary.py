"""Means, intervals, best choices and the ranked table, against the laws of the synthetic run."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports.load import load
from reports.summary import label, over_seeds, ranking, survival, training


def test_interval_is_students(run):
    rows = load(run)["training"]
    rows = rows[(rows.metric == "final_test_accuracy") & (rows.activation == "relu")]
    low, high = stats.t.interval(0.95, 3, rows.value.mean(), stats.sem(rows.value))
    (row,) = over_seeds(rows, ["activation"]).itertuples()
    assert (row.seeds, row.mean, row.low, row.high) == pytest.approx((4, 0.97, low, high))


def test_one_seed_has_no_interval():
    (row,) = over_seeds(pd.DataFrame({"a": [1], "value": [2.0]}), ["a"]).itertuples()
    assert row.mean == 2.0
    assert np.isnan(row.low)


def test_a_zero_gradient_is_not_averaged_away():
    (row,) = over_seeds(pd.DataFrame({"a": [1, 1], "value": [-3.0, -np.inf]}), ["a"]).itertuples()
    assert row.mean == -np.inf


def test_survival_puts_the_prediction_beside_the_measurement(run):
    table = survival(load(run)["depth"])
    assert len(table) == 3 * 2 * 51
    assert np.allclose(table.measured, table.predicted)
    assert (table.high > table.low)[table.position < 50].all()
    row = table[(table.activation == "sigmoid") & (table.initializer == "he_normal") & (table.position == 10)]
    assert row.measured.item() == pytest.approx(-0.6 * 40)


def test_label_names_what_varies():
    frame = pd.DataFrame({"activation": ["a", "b"], "initializer": ["x", "x"], "depth": [10, 20], "width": [5, 5]})
    assert list(label(frame, ["initializer"])) == ["x 10 depth", "x 20 depth"]


def test_label_leaves_out_what_a_row_does_not_have():
    """Cells have inputs and Transformers a depth: of one of each kind it tells nothing, and is no number."""
    architectures = ["rnn", "transformer_post", "transformer_post"]
    frame = pd.DataFrame({"initializer": "x", "architecture": architectures})
    frame["inputs"] = pd.array([10, None, None], dtype="Int64")
    for depths, names in (
        ([None, 1, 1], ["x rnn", "x transformer_post", "x transformer_post"]),
        ([None, 1, 2], ["x rnn", "x transformer_post 1 depth", "x transformer_post 2 depth"]),
    ):
        frame["depth"] = pd.array(depths, dtype="Int64")
        assert list(label(frame, ["initializer"])) == names


def test_label_tells_clipping_from_none():
    frame = pd.DataFrame({"activation": "tanh", "optimizer": ["sgd", "adam"], "clip_norm": [1.0, np.nan]})
    assert list(label(frame, ["activation"])) == ["tanh sgd 1.0 clip_norm", "tanh adam"]


def test_table_1(run):
    table = training(load(run)["training"])
    assert table.columns[0] == "name"
    assert list(table.name) == list(table.activation)
    table = table.set_index("activation")
    assert list(table.index) == ["relu", "tanh", "sigmoid"]
    assert table.accuracy.to_dict() == pytest.approx({"relu": 0.97, "tanh": 0.96, "sigmoid": 0.10})
    assert table.reached.to_dict() == {"relu": 4, "tanh": 4, "sigmoid": 0}
    assert table.steps_to_target["relu"] == 50
    assert np.isnan(table.steps_to_target["sigmoid"])
    assert table.seconds_to_target["tanh"] == pytest.approx(0.05)


def test_ranking(run):
    table = ranking(load(run)).set_index("activation")
    assert list(table.index) == ["relu", "tanh", "sigmoid"]
    assert table.initializer.to_dict() == {"relu": "he_normal", "tanh": "xavier_normal", "sigmoid": "he_normal"}
    assert table.decades_per_layer.to_dict() == pytest.approx({"relu": 0, "tanh": -0.02, "sigmoid": -0.6}, abs=1e-12)
    assert table.decades_per_step["sigmoid"] == pytest.approx(-0.6)
    assert table.ns_per_element["relu"] == pytest.approx(0.22)
    assert (table.depth == 50).all()
    assert table.total_decades["tanh"] == pytest.approx(-1)


def test_those_that_keep_their_gradient_come_first_then_the_cheapest(run, edit):
    decades = {"relu": -2.0, "tanh": -0.9, "sigmoid": 0.4}  # in all, over the depth; relu is the cheapest

    def drift(table):
        return table.assign(value=table.activation.map(decades) * (50 - table.position) / 50)

    edit(run, "depth", drift)
    assert list(ranking(load(run)).activation) == ["tanh", "sigmoid", "relu"]
    edit(run, "depth", lambda table: table[table.activation != "tanh"])
    assert list(ranking(load(run)).activation) == ["sigmoid", "relu", "tanh"]


def test_ranking_of_a_partial_run(run):
    for name in ("depth", "training"):
        (run / f"{name}.parquet").unlink()
    table = ranking(load(run))
    assert list(table.activation) == ["relu", "tanh", "sigmoid"]
    assert table.decades_per_layer.isna().all()
    assert table.accuracy.isna().all()
