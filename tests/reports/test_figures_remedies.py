"""The table of remedies: what is bought, at what price; and the sentence below the figure."""

import math

import pytest

from reports.figures import FIGURES
from reports.figures_remedies import COLUMNS, remedy_table
from reports.load import load
from suites.schema import merge


@pytest.fixture
def table(run):
    """The synthetic run's, by remedy."""
    return remedy_table(load(run)["remedies"]).set_index("remedy")


def test_prices(table):
    free, dear, clip = (table.loc[name] for name in ("critical", "layernorm", "clip"))
    assert (free.decades_bought, free.time_ratio, free.free) == (30, 1, True)
    assert free.decades_per_nanosecond == math.inf
    assert (dear.decades, dear.added_nanoseconds, dear.time_ratio, dear.free) == (-10, 2, 2, False)
    assert dear.decades_per_nanosecond == 10
    assert math.isnan(clip.decades_per_nanosecond)


def test_the_baseline_itself_has_no_price(table):
    base = table.loc[""]
    assert base.decades == -30
    assert base[["decades_bought", "time_ratio", "free"]].isna().all()


def test_what_clipping_cut(table):
    clip = table.loc["clip"]
    assert (clip.clipped_share, clip.norm_before, clip.norm_after) == (0.75, 5.0, 1.0)


def test_the_sentence(run):
    text = FIGURES["remedies"].finding(FIGURES["remedies"].data(load(run)))
    assert "Critical buys plain sigmoid most, +30.0 decades at 1 times the step; critical costs nothing." in text
    assert "No remedy buys residual relu in training anything" in text
    acts = "Clipping acts in 75.0 % of the steps of residual relu in training: the gradient's norm is 5 before and 1"
    assert acts in text


def test_no_rows_make_an_empty_table():
    assert list(remedy_table(merge([])).columns) == COLUMNS
