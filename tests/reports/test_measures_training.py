"""What claims measure of training: of one configuration, whatever the order of the rows."""

from itertools import permutations
from pathlib import Path

import pandas as pd
import pytest

from reports.claim import MissingError
from reports.claim_evidence import Evidence
from reports.load import Tables
from reports.measures_training import remembers
from suites.schema import rows


def adding(loss, *, last=2000, experiment="training", seeds=(0, 1), **columns):
    """Losses of an RNN on the adding problem: 1 before, loss after so many steps."""
    cell = {"experiment": experiment, "dataset": "adding", "architecture": "rnn", "activation": "tanh",
            "initializer": "orthogonal", "width": 32, "length": 100, **columns}  # fmt: skip
    return [rows(cell, seed=seed, step=[0, last], metric="loss", value=[1.0, loss + seed / 60]) for seed in seeds]


def measured(tables):
    table = pd.concat(tables, ignore_index=True)
    run = {name: table[table.experiment == name] for name in ("training", "time")}
    return remembers("rnn", 100)(Evidence(Tables(Path(), {}, run)))


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (adding(0.5, activation="relu", last=500), 0.15),  # trained too little to count
        (adding(0.5, length=200), 0.15),
        (adding(0.5, length=50), 0.15),
        (adding(0.5, initializer="framework_default", last=1500), 0.15),
        (adding(0.5, width=64, last=3000), 3.05),
        (adding(0.5, experiment="time", last=3000), 3.05),
        (adding(0.5, optimizer="adam", length=101, last=3000), 0.15),
    ],
)
def test_one_configuration_is_judged_in_whatever_order_the_rows_are(other, expected):
    """0.1 / 6 and a sixtieth more per seed, or 0.5 and the same."""
    tables = [*adding(0.1 / 6), *other]
    for order in permutations(tables):
        assert measured(order).value == pytest.approx(expected)


@pytest.mark.parametrize("other", [[], adding(0.5, length=50), adding(0.5, seeds=(2,), last=1500, length=99)])
def test_steps_of_another_configuration_do_not_count(other):
    with pytest.raises(MissingError, match="1000 steps of training of rnn on the adding problem over 100"):
        measured([*adding(0.1, last=999), *other])


def test_every_seed_is_trained_enough():
    with pytest.raises(MissingError):
        measured([*adding(0.1, seeds=(0,)), *adding(0.1, seeds=(1,), last=10)])
