"""The experiments on remedies: cells of the experiments across depth and time, each once, and the times beside them."""

import math

import numpy as np
import pytest

from suites import remedy_times, remedy_worth
from suites.depth import DepthCell
from suites.errors import UserError
from suites.experiment import EXPERIMENTS
from suites.interventions import measure
from suites.optimizer_updates import UpdateCell
from suites.remedies import applicable
from suites.sequence import SequenceCell
from suites.step_time import StepTime

GRID = {"depth": 6, "length": 6, "width": 8, "batch": 4, "steps": 2, "seeds": 2}


def test_every_network_is_measured_once():
    """tanh and relu are remedies of sigmoid, and relu of tanh, too."""
    cells = remedy_worth.cells(**GRID)
    assert len(set(cells)) == len(cells)
    assert {type(cell) for cell in cells} == {DepthCell, SequenceCell, UpdateCell}
    networks = [cell for cell in cells if not isinstance(cell, UpdateCell)]
    baselines = [remedy_worth.Grid(**GRID).cell(network) for network in remedy_worth.BASELINES]
    assert {*networks} == {other for base in baselines for other in (base, *applicable(base).values())}
    assert len(networks) < sum(1 + len(applicable(base)) for base in baselines)


def test_what_is_measured_is_what_its_experiment_measures():
    cell = remedy_worth.cells(**GRID)[1]
    np.testing.assert_array_equal(remedy_worth.measure(cell).value, measure(cell).value)


@pytest.mark.parametrize("name", ["remedies", "remedy_times"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"depth": 0},
        {"length": -1},
        {"length": 1},
        {"dtype": "float16"},
        {"seeds": 0},
        {"kinds": ["deep"]},
    ],
)
def test_wrong_numbers(name, wrong):
    with pytest.raises(UserError):
        EXPERIMENTS[name].cells(**{**GRID, **wrong})


@pytest.mark.parametrize("kind", ["depth", "time"])
def test_one_kind_alone(kind):
    wanted = DepthCell if kind == "depth" else SequenceCell
    cells = remedy_worth.cells(**GRID, kinds=[kind])
    assert {type(cell) for cell in cells} == {wanted, UpdateCell}
    assert {cell.length is None for cell in cells if isinstance(cell, UpdateCell)} == {kind == "depth"}
    assert {cell.kind for cell in remedy_times.cells(**GRID, kinds=[kind])} == {kind}


def test_only_times_are_timed():
    assert not EXPERIMENTS["remedies"].timed
    assert EXPERIMENTS["remedy_times"].timed


def test_every_remedy_of_every_baseline_is_timed_beside_it(monkeypatch):
    timed = []

    def time(before, after, optimizer, clip):
        timed.append((before, after, optimizer, clip))
        return StepTime(1.5, 1.4, 1.6, 2.0)

    monkeypatch.setattr(remedy_times, "step_time", time)
    cells = remedy_times.cells(**GRID)
    rows = EXPERIMENTS["remedy_times"].run(cells)
    baselines = remedy_worth.Grid(**GRID)
    plain = baselines.cell(remedy_worth.BASELINES[1])
    network = rows[rows.baseline == "plain tanh xavier_normal"]
    assert set(network.remedy) == {"", *applicable(plain)}
    layernorm = network[network.remedy == "layernorm"]
    assert set(layernorm.architecture) == {"layernorm"}
    found = layernorm.set_index("metric").value.to_dict()
    assert found == {"time_ratio": 1.5, "time_ratio_low": 1.4, "time_ratio_high": 1.6, "baseline_nanoseconds": 2.0}
    assert (network[network.remedy == ""].metric == "time_ratio").all()
    clipped = rows[(rows.baseline == "rnn tanh saturating in training") & (rows.remedy == "clip")]
    assert (set(clipped.clip_norm), set(clipped.optimizer), set(clipped.dataset)) == ({1.0}, {"sgd"}, {"adding"})
    assert len(timed) == sum(bool(cell.remedy) for cell in cells)
    assert {(optimizer, clip) for *_, optimizer, clip in timed} == {("sgd", None), ("sgd", 1.0), ("adam", None)}


def test_a_baseline_across_depth_may_be_a_single_layer():
    assert {cell.base.depth for cell in remedy_times.cells(depth=1, kinds=["depth"])} == {1}


def test_networks_of_the_times_are_among_those_measured(monkeypatch):
    """By which their decades are found (reports.remedy_table)."""
    from reports.remedy_table import remedy_table

    monkeypatch.setattr(remedy_times, "step_time", lambda *_: StepTime(1.5, 1.4, 1.6, 2.0))
    tables = [EXPERIMENTS[name].run(EXPERIMENTS[name].cells(**GRID)) for name in ("remedies", "remedy_times")]
    table = remedy_table(*tables)
    untrained = ~table.baseline.str.contains("in training")
    assert table[untrained].decades.notna().all()
    assert table[~untrained].norm_before.notna().all()
    assert table[table.kind == "depth"].decades.notna().all()
    assert (table[table.remedy == "clip"].norm_after <= 1 + 1e-6).all()
    adam = table[(table.remedy == "adam") & (table.kind == "depth")]
    assert not adam.decades_bought.isna().any()
    assert math.isnan(table[(table.remedy == "adam") & (table.kind == "time")].decades_bought.iloc[0])
