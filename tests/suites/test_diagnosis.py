"""Altered rows flip the verdict, the causes and the remedies."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from suites import diagnosis
from suites.attenuation import configuration
from suites.causes import CAUSES
from suites.diagnosis import diagnose
from suites.interventions import factors, kind, subject
from suites.schema import merge, rows
from suites.step_time import StepTime

pytestmark = pytest.mark.usefixtures("timeless")


def depth(activation="sigmoid", initializer="xavier_normal", architecture="plain", n=10, **more):
    """A small configuration across depth."""
    names = {"architecture": architecture, "activation": activation, "initializer": initializer}
    return subject("depth", n, **names, **{"width": 16, "batch": 8, "seeds": 3, **more})


def time(architecture="rnn", activation="tanh", initializer="xavier_normal", n=60, **more):
    """A small configuration across time."""
    names = {"architecture": architecture, "activation": activation, "initializer": initializer}
    return subject("time", n, **names, **{"width": 16, "batch": 8, "seeds": 3, **more})


def synthetic(total: Callable, noise=0.01):
    """A measurement in which the decades of a cell are total(cell)."""

    def one(cell):
        position = np.arange(factors(cell) + 1.0)
        line = total(cell) * (1 - position / factors(cell))
        known = {**configuration(cell), "weight_variance": 1.0}
        known |= {
            "depth" if kind(cell) == "depth" else "length": factors(cell),
            "inputs": getattr(cell, "inputs", None),
        }
        return merge([
            rows(known, experiment=kind(cell), seed=seed, position=position, metric=metric, value=line + offset)
            for seed in range(cell.seeds)
            for metric in ("log10_gradient", "log10_gradient_norm", f"{cell.dtype}_gradient")
            for offset in [noise * (seed - 1) * (position == 0)]
        ])  # fmt: skip

    return lambda cells: [one(cell) for cell in cells]


def causes(table):
    """Name -> effect."""
    return dict(table[table.kind == "cause"][["name", "effect"]].itertuples(index=False))


@pytest.mark.parametrize(("decades", "verdict"), [(-5, "vanishes"), (0.4, "healthy"), (5, "explodes")])
def test_the_verdict_follows_the_rows(decades, verdict):
    table = diagnose(depth(), synthetic(lambda cell: decades))
    (row,) = table[table.kind == "subject"].to_dict("records")
    assert (row["verdict"], row["certain"], row["seeds"]) == (verdict, True, 3)
    assert row["decades"] == pytest.approx(decades)
    assert row["decades_per_layer"] == pytest.approx(decades / 10)
    assert row["decades_per_layer_low"] < decades / 10 < row["decades_per_layer_high"]
    judged = {"subject", "scale", "parameters", "parameter"}
    assert set(table.kind) == judged | (set() if verdict == "healthy" else {"cause", "remedy"})


@pytest.mark.parametrize("mended", ["initializer", "activation", "architecture"])
def test_a_cause_is_named_only_where_its_removal_changes_the_decades(mended):
    base = depth()
    as_ever = {getattr(base, mended), "identity"}
    same = synthetic(lambda cell: -9.0 if getattr(cell, mended) in as_ever else -0.1)
    found = causes(diagnose(base, same))
    expected = {"initializer": "weight_scale", "activation": "activation", "architecture": "single_path"}
    assert {name for name, effect in found.items() if effect == "cause"} == {expected[mended]}
    assert not {"dead_units", "rank_collapse"} & found.keys()  # of which the rows tell nothing
    assert "cause" not in causes(diagnose(base, synthetic(lambda cell: -9.0))).values()


def test_what_is_no_more_than_noise_is_no_cause():
    base = depth()

    def total(cell):
        return -9.0 if cell.initializer == base.initializer else -4.0

    assert causes(diagnose(base, synthetic(total)))["weight_scale"] == "cause"
    assert causes(diagnose(base, synthetic(total, noise=20.0)))["weight_scale"] == "cannot tell"
    assert (
        causes(diagnose(base, synthetic(lambda cell: total(cell) / 5 - 7.2, noise=0.1)))["weight_scale"] == "no effect"
    )
    assert causes(diagnose(base, synthetic(lambda cell: 5 * total(cell) + 36)))["weight_scale"] == "counteracts"


def test_dead_units_are_a_cause_where_leaky_ones_keep_the_gradient():
    base = depth("relu", "he_normal")

    def measured(share):
        def found(cells):
            tables = synthetic(lambda cell: -0.2 if cell.activation == "leaky_relu" else -9.0)(cells)
            return [merge([table, rows({}, metric="dead_share", value=share)]) for table in tables]

        return found

    assert causes(diagnose(base, measured(0.9)))["dead_units"] == "cause"
    assert causes(diagnose(base, measured(0.5)))["dead_units"] == "no evidence"


def test_remedies_are_priced():
    table = diagnose(depth(), synthetic(lambda cell: 0.0 if cell.architecture == "layernorm" else -9.0))
    remedies = table[table.kind == "remedy"].set_index("name")
    norm, same, clip = (remedies.loc[name] for name in ("layernorm", "relu", "clip"))
    assert (norm.verdict, norm.effect) == ("healthy", "mends")
    assert (norm.time_ratio, norm.baseline_nanoseconds, norm.nanoseconds, norm.free) == (1.5, 2.0, 3.0, False)
    assert norm.added_nanoseconds == pytest.approx(1.0)
    assert norm.decades_bought == norm.decades_per_nanosecond == pytest.approx(9.0)
    assert same.free
    assert (same.effect, clip.effect) == ("no effect", "no effect")
    assert math.isnan(same.decades_per_nanosecond)
    assert same.decades_bought == pytest.approx(0)
    assert clip.decades_bought == 0
    assert clip.norm_after <= min(clip.norm_before, 1.0) * (1 + 1e-6)


def test_one_baseline_is_what_all_remedies_add_to(monkeypatch):
    """The median of its times beside each of them."""
    times = iter(range(1, 100))
    monkeypatch.setattr(diagnosis, "step_time", lambda *_, **__: StepTime(2.0, 1.9, 2.1, float(next(times))))
    table = diagnose(depth(), synthetic(lambda cell: -9.0))
    remedies = table[table.kind == "remedy"]
    assert set(remedies.baseline_nanoseconds) == {(len(remedies) + 1) / 2}
    np.testing.assert_allclose(remedies.added_nanoseconds, remedies.baseline_nanoseconds)


def test_what_fails_the_other_way_mends_nothing():
    table = diagnose(depth(), synthetic(lambda cell: 33.0 if cell.initializer == "he_normal" else -300.0))
    remedy = table[table.kind == "remedy"].set_index("name").loc["he_normal"]
    assert (remedy.effect, remedy.verdict) == ("overshoots: explodes", "explodes")
    assert remedy.decades_bought == pytest.approx(267)


@pytest.mark.parametrize(
    ("healed", "effect"), [(-0.1, "explained otherwise"), (-2.0, "explained otherwise"), (-4.0, "cause")]
)
def test_a_single_path_is_the_cause_only_where_no_other_change_mends(healed, effect):
    """Skips around everything take whatever is wrong away: that is no evidence that they were missing."""
    mends = {"critical": healed, "xavier_normal": -9.0}
    found = causes(diagnose(depth(), synthetic(
        lambda cell: -0.05 if cell.architecture == "residual_scaled" else mends.get(cell.initializer, -9.0)
    )))  # fmt: skip
    assert (found["weight_scale"], found["single_path"]) == ("cause", effect)


def test_what_overflows_with_a_change_too_is_told_so():
    """Clipping, which changes nothing, too; what is a number again eases."""
    table = diagnose(depth(), synthetic(lambda cell: 3.0 if cell.initializer == "critical" else math.nan))
    assert table.verdict[0] == "explodes"
    remedies = table[table.kind == "remedy"].set_index("name")
    assert remedies.effect["critical"] == "eases"
    assert set(remedies.effect.drop("critical")) == {"still no number"}
    assert remedies.decades_bought.drop("critical").isna().all()
    assert remedies.decades_bought["critical"] == math.inf
    assert "no effect" not in causes(table).values()
    assert causes(table)["weight_scale"] == "cause"


def test_one_seed_names_no_cause_and_says_why():
    table = diagnose(depth(seeds=1), synthetic(lambda cell: -9.0 if cell.initializer == "xavier_normal" else -0.1))
    assert causes(table)["weight_scale"] == "cannot tell"
    assert "one seed has no interval" in table.about[0]


def test_gates_that_stay_open_are_no_evidence_of_forgetting():
    """With biases for this length the unit that lasts longest loses 60 log10(1 - 1/60) decades, whatever the rows."""
    open_gates = diagnose(time("lstm", initializer="chrono"), synthetic(lambda cell: -3.0))
    assert causes(open_gates)["forgetting"] == "no evidence"
    assert open_gates.set_index("name").value["forgetting"] == pytest.approx(-60 * math.log10(1 - 1 / 60), abs=0.2)
    half = diagnose(time("lstm"), synthetic(lambda cell: -3.0)).set_index("name")
    assert half.value["forgetting"] == pytest.approx(60 * math.log10(2))
    assert half.effect["forgetting"] == "no effect"


@pytest.mark.parametrize(
    ("architecture", "becomes", "effect"),
    [("layernorm", -0.2, "cause"), ("layernorm", -9.0, "no effect"), ("plain", -0.2, "untested")],
)
def test_rank_collapse_with_depth(architecture, becomes, effect):
    """A candidate that nothing lacks alone is untested."""

    def measured(ranks):
        def found(cells):
            tables = synthetic(lambda cell: becomes if cell.architecture == "batchnorm" else -9.0)(cells)
            rank = rows({}, metric="effective_rank", position=range(len(ranks)), value=ranks)
            return [merge([table, rank]) for table in tables]

        return found

    base = depth(architecture=architecture)
    name = "rank_collapse_with_depth"
    assert causes(diagnose(base, measured([8.0, 7.0, 4.0, 1.1, math.nan])))[name] == effect
    assert causes(diagnose(base, measured([8.0, 7.0, 6.9, 6.5])))[name] == "no evidence"
    assert name not in causes(diagnose(base, measured([8.0, 1.0, 1.0])))  # it is lost in the first layer


def test_a_norm_without_theoretical_loss_is_no_candidate():
    """LayerNorm of ReLU with He weights has chi 1 (Xiong et al. 2020), whatever the rows say."""
    found = causes(diagnose(depth("relu", "he_normal", "layernorm"), synthetic(lambda cell: -9.0)))
    assert found["normalisation"] == "no evidence"


def test_every_cause_has_a_reason_and_a_threshold():
    assert all(row.about and row.unit and row.threshold > 0 for row in CAUSES.values())
