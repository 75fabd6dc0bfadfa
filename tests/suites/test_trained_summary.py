"""A summary of trained weights tells how long they were trained, and how far that came."""

import pytest

from suites import sequence, summary
from suites.schema import merge
from suites.trained_summary import summarise

GRID = {"architectures": ["rnn", "transformer_pre"], "lengths": [6], "widths": [8], "batch": 4, "seeds": 2}


def measured(trained):
    return merge([sequence.measure(cell) for cell in sequence.cells(trained=trained, **GRID)])


def test_steps_and_loss_stand_behind_what_every_summary_has():
    rows = measured(7)
    table, remarks = summarise(rows, "time")
    losses = rows[rows.metric == "loss"].groupby("architecture", sort=False).value.mean()
    assert [*table] == [*summary.attenuation(rows, "time"), "trained", "loss"]
    assert table.trained.tolist() == [7, 7]
    assert table.loss.tolist() == pytest.approx([*losses])
    assert "last tenth of 7 training steps (Adam at a rate of 0.001, the gradient clipped to a norm of 1" in remarks[-1]
    assert remarks[-1].endswith("who always answers 1 has 0.167")


def test_weights_as_they_are_drawn_have_no_such_columns():
    rows = measured(0)
    table, remarks = summarise(rows, "time")
    assert [*table] == [*summary.attenuation(rows, "time")]
    assert not any("training steps" in remark for remark in remarks)
