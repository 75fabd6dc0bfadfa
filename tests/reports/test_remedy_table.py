"""Decades and prices of remedies, found by the network that each is; what optimisers make of gradients."""

import math

import pandas as pd
import pytest

from reports.load import load
from reports.remedy_table import COLUMNS, UPDATES, remedy_table, update_table
from suites.schema import merge


@pytest.fixture
def tables(run):
    """The rows of both experiments in the synthetic run."""
    loaded = load(run)
    return loaded["remedies"], loaded["remedy_times"]


@pytest.fixture
def table(tables):
    """remedy_table of them, by remedy, of the baseline that is not in training."""
    found = remedy_table(*tables)
    return found[found.baseline == "plain sigmoid"].set_index("remedy")


def test_what_is_added_is_the_ratio_less_1_times_one_baseline(table):
    """The baseline took 1.9 ns beside one remedy and 2.1 beside the other: 2 for both."""
    free, dear = table.loc["critical"], table.loc["layernorm"]
    assert (free.decades_bought, free.time_ratio, free.free) == (30, 1, True)
    assert free.decades_per_nanosecond == math.inf
    assert (dear.decades, dear.time_ratio, dear.free) == (-10, 2, False)
    assert (dear.baseline_nanoseconds, dear.nanoseconds, dear.added_nanoseconds) == pytest.approx((2, 4, 2))
    assert free.baseline_nanoseconds == dear.baseline_nanoseconds
    assert (dear.time_ratio_low, dear.time_ratio_high) == pytest.approx((1.95, 2.05))
    assert dear.decades_per_nanosecond == pytest.approx(20 / 2)
    assert (free.effect, dear.effect) == ("mends", "eases")


def test_the_baseline_itself_has_no_price(table):
    base = table.loc[""]
    assert (base.decades, base.verdict) == (-30, "vanishes")
    assert base[["decades_bought", "time_ratio", "free", "effect"]].isna().all()


def test_what_clipping_cut(tables):
    found = remedy_table(*tables)
    clip = found[found.remedy == "clip"].iloc[0]
    assert (clip.clipped_share, clip.norm_before, clip.norm_after, clip.loss) == (0.75, 5.0, 1.0, 1.0)
    assert (clip.decades, clip.decades_bought) == (-1, 0)
    assert math.isnan(clip.decades_per_nanosecond)


def test_training_that_has_diverged_has_no_number(tables):
    rows, times = tables
    worse = rows.assign(value=rows.value.mask(rows.metric.isin(["norm_before", "loss"]) & (rows.step == 4)))
    clip = remedy_table(worse, times).set_index("remedy").loc["clip"]
    assert clip[["norm_before", "loss"]].isna().all()


def test_updates_stand_beside_gradients(tables):
    table = update_table(*tables)
    clip = table[table.remedy == "clip"]
    assert clip.position.tolist() == [1, 2]
    assert clip.gradient.tolist() == pytest.approx([100, 1000])
    assert clip["update"].tolist() == clip.relative_update.tolist() == pytest.approx([0.1, 1])


def test_no_rows_make_empty_tables():
    empty = merge([])
    assert list(remedy_table(empty, empty).columns) == COLUMNS
    assert list(update_table(empty, empty).columns) == UPDATES
    assert isinstance(update_table(empty, empty), pd.DataFrame)
