"""The ledger: 25 claims; every verdict follows from the tables, and turns when they do."""

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.claim import Verdict, judge, judge_part
from reports.claim_evidence import SIZES, Evidence
from reports.claims import CLAIMS, MARKS, details, judged, ledger, section
from reports.load import Tables
from reports.words import MINUS
from suites.claims import cells

_spec = importlib.util.spec_from_file_location("worlds", Path(__file__).with_name("worlds.py"))
worlds = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(worlds)
put, total = worlds.put, worlds.total

HOLDS, IN_PART, FAILS = Verdict.HOLDS, Verdict.IN_PART, Verdict.FAILS


def trained(metric, change, **columns):
    return put("training", change, metric=metric, **columns)


def measured(experiment, metric, change, **columns):
    return put("claims", change, experiment=experiment, metric=metric, **columns)


def fallen(rows):
    """A loss that falls in the first quarter, and no more."""
    return np.where(rows.step == 0, 2.3, 1.3)


def told_apart(rows):
    """Norms of W as D2 expects them: below 1e-6 where six decades are lost, 0.01 in the first layer elsewhere."""
    lost = rows.value.groupby([rows.initializer, rows.activation, rows.depth]).transform("min") < -4
    return np.where(lost, -9.0, -2.0)


# Claim -> its verdict by the made-up run, alterations of its tables, and the verdict then.
TURNS = {
    1: (IN_PART, [total("plain sigmoid he_normal", -40)], HOLDS),
    2: (IN_PART, [measured("curves", "df", lambda rows: rows.value**4, activation="sigmoid")], HOLDS),
    3: (IN_PART, [measured("neurons", "log10_gradient", -4.0)], FAILS),
    4: (IN_PART, [trained("loss", fallen), trained("steps_to_target", 20.0, activation="relu")], HOLDS),
    5: (
        IN_PART,
        [trained("relative_weight_change", 1e-3), total("plain tanh xavier_normal", -9, 10),
         total("plain relu xavier_normal", -9, 10)],
        HOLDS,
    ),
    6: (
        IN_PART,
        [total("plain sigmoid saturating", -9), total("plain tanh saturating", -9),
         total("plain sigmoid xavier_normal", 0), trained("final_test_accuracy", 0.1, initializer="saturating")],
        HOLDS,
    ),
    7: (
        IN_PART,
        [total("lstm tanh xavier_normal", -1), total("gru tanh xavier_normal", -1),
         trained("loss", 0.17, architecture="rnn")],
        HOLDS,
    ),
    8: (
        IN_PART,
        [measured("curves", "df", 1.0, activation="swish"), total("plain swish he_normal", 0)],
        HOLDS,
    ),
    9: (IN_PART, [total("residual relu he_normal", 0)], HOLDS),
    10: (IN_PART, [total("plain tanh xavier_normal", -9), total("plain relu he_normal", -9)], HOLDS),
    11: (IN_PART, [total("plain relu xavier_normal", -0.2), total("plain leaky_relu xavier_normal", -0.1)], HOLDS),
    12: (HOLDS, [measured("symmetry", "unit_spread", 0.5)], IN_PART),
    13: (
        IN_PART,
        [total(f"plain {name} xavier_normal", decades, layers) for name in ("sigmoid", "relu")
         for layers, decades in ((10, -1), (20, -4), (50, -20), (100, -80))],
        HOLDS,
    ),
    14: (
        IN_PART,
        [trained("steps_to_target", 20.0, activation="relu"), trained("final_test_accuracy", 0.5, depth=20)],
        HOLDS,
    ),
    15: (HOLDS, [total("rnn tanh orthogonal", 0)], IN_PART),
    16: (
        IN_PART,
        [total("plain relu he_normal", -7), trained("steps_to_target", 20.0, activation="elu")],
        HOLDS,
    ),
    17: (IN_PART, [total("lstm tanh xavier_normal", -1)], HOLDS),
    18: (
        IN_PART,
        [total("plain sigmoid he_normal", 0), measured("parameter_norms", "log10_update", 2.0, optimizer="adam"),
         measured("parameter_norms", "log10_weight_gradient", 0.0, clip_norm=1.0)],
        HOLDS,
    ),
    19: (IN_PART, [measured("skip_path", "log10_skip_path", 0.0)], HOLDS),
    20: (
        IN_PART,
        [*(total(f"plain {name} {rule}", -10) for name in ("sigmoid", "tanh", "relu")
           for rule in ("xavier_normal", "framework_default")),
         *(total(f"{name} relu he_normal", -9.4, 50)
           for name in ("plain", "residual_scaled", "batchnorm", "layernorm"))],
        HOLDS,
    ),
    21: (
        IN_PART,
        [*(total(f"lstm tanh {rule}", -25) for rule in ("xavier_normal", "framework_default")),
         *(total(f"lstm tanh {rule}", -24.1) for rule in ("forget_one", "chrono"))],
        HOLDS,
    ),
    22: (IN_PART, [total("transformer_pre relu xavier_normal", 0)], HOLDS),
    23: (IN_PART, [measured("parameter_norms", "log10_weight_gradient", told_apart)], HOLDS),
    25: (
        IN_PART,
        [total("residual relu he_normal", 0), total("batchnorm relu he_normal", 0),
         total("transformer_pre relu xavier_normal", 0),
         trained("final_test_accuracy", 0.3, activation="sigmoid")],
        HOLDS,
    ),
}  # fmt: skip
# Runs in which what holds by the made-up one does not.
CONTRARY = {
    "nothing is lost": [measured(name, "log10_gradient", 0.0) for name in ("depth", "time")],
    "much is lost": [
        measured(name, "log10_gradient", lambda rows: -50.0 * (rows.position == 0)) for name in ("depth", "time")
    ],
    "all else is other": [
        measured("curves", "df", lambda rows: np.where(rows.position.abs() < 10, 0.3 + rows.position / 100, 0.0)),
        measured("curves", "f", lambda rows: rows.value + 0.1),
        measured("neurons", "log10_gradient", -6.0),
        measured("neurons", "slope", 0.04),
        measured("depth", "saturated_share", lambda rows: 0.8 - rows.value),
        measured("depth", "dead_share", 0.0),
        measured("depth", "forward_variance", lambda rows: np.where(rows.position == 1, 1.0, 1e-9 / rows.value)),
        measured("recurrent_weights", "spectral_norm", 3.0),
        measured("recurrent_weights", "spectral_radius", 3.0),
        measured("skip_path", "log10_skip_path", lambda rows: -2.0 * (rows.position == 0)),
        measured("parameter_norms", "log10_weight_gradient", lambda rows: np.where(told_apart(rows) < -6, -5.0, -7.0)),
        measured("parameter_norms", "log10_update", 0.0, optimizer="sgd"),
        measured("parameter_norms", "log10_update", lambda rows: -9.0 * (rows.position == 1), optimizer="adam"),
        trained("loss", 2.3),
        trained("loss", 0.17, dataset="adding"),
        trained("final_test_accuracy", 0.3),
        trained("final_test_accuracy", 0.4, activation="relu"),
    ],
}


@cache
def nature():
    return {"claims": worlds.claims(), "training": worlds.training()}


@cache
def found(name=None):
    """The ledger of the made-up run after the alterations of that name."""
    alterations = TURNS[name][1] if name in TURNS else CONTRARY.get(name, [])
    tables = {name: table.copy() for name, table in nature().items()}
    for alter in alterations:
        alter(tables)
    evidence = Evidence(Tables(Path(), {}, tables))
    return {
        claim.number: [judge_part(part, evidence) for part in claim.parts]
        for claim in CLAIMS.values()
        if name not in TURNS or name == claim.number
    }


@pytest.mark.parametrize("number", TURNS)
def test_a_verdict_turns_with_the_tables(number):
    before, _, after = TURNS[number]
    assert judge(found()[number]) == before
    assert judge(found(number)[number]) == after


@pytest.mark.parametrize("number", CLAIMS)
def test_every_part_holds_by_one_table_and_not_by_another(number):
    ledgers = [found(), *(found(name) for name in (number, *CONTRARY) if name in TURNS or name in CONTRARY)]
    for parts in zip(*(each[number] for each in ledgers), strict=True):
        verdicts = {part.verdict for part in parts}
        if parts[0].part.measure is None:
            assert verdicts == {Verdict.UNTESTABLE}
        else:
            assert verdicts >= {HOLDS, FAILS}, (parts[0].part.what, [part.figure.value for part in parts])


def test_there_are_25_claims_each_with_its_sentence_and_reasons():
    assert list(CLAIMS) == list(range(1, 26))
    assert set(CLAIMS) - set(TURNS) == {24}  # an opinion
    for claim in CLAIMS.values():
        assert claim.source.startswith(("D1 ", "D2 "))
        assert claim.quote
        assert claim.translation
        for part in claim.parts:
            assert part.bound.reason
            assert part.bound.least <= part.bound.most


def test_every_verdict_has_a_mark_of_its_own():
    assert {*MARKS} == {*Verdict}
    assert len({*MARKS.values()}) == len(MARKS)


def test_an_opinion_is_not_testable_and_what_can_be_measured_is():
    parts = found()[24]
    assert judge(parts) is Verdict.UNTESTABLE
    assert {HOLDS, FAILS} <= {part.verdict for part in parts}


def test_without_tables_nothing_is_judged_and_what_is_lacking_is_said():
    ledgers = judged(Tables(Path(), {}, {}))
    table = ledger(ledgers).set_index("number")
    assert (table.verdict.drop(24) == Verdict.MISSING).all()
    assert table.measured.isna().all()
    assert "the deep training suite with sigmoid" in table.why[4]
    assert "log10_gradient of plain sigmoid xavier_normal, 50 layers" in table.why[20]
    assert section(ledgers) == {}


def test_every_cell_is_asked_for(monkeypatch):
    asked, rows = set(), Evidence.rows

    def recorded(evidence, of, metric):
        asked.add((of.experiment, of.architecture, of.activation, of.initializer, of.size))
        return rows(evidence, of, metric)

    monkeypatch.setattr(Evidence, "rows", recorded)
    judged(Tables(Path(), {}, nature()))
    sizes = {cell: getattr(cell, SIZES[cell.experiment]) if cell.experiment in SIZES else None for cell in cells()}
    measured = {(c.experiment, c.architecture, c.activation, c.initializer, size) for c, size in sizes.items()}
    assert measured == asked


def test_without_training_the_rest_is_judged():
    tables = {"claims": nature()["claims"]}
    verdicts = ledger(judged(Tables(Path(), {}, tables))).set_index("number").verdict
    assert {number for number, verdict in verdicts.items() if verdict == Verdict.MISSING} == {4, 5}


def test_a_sweep_across_depth_alone_is_judged_as_far_as_it_goes():
    rows = nature()["claims"].query("experiment == 'depth'")
    wide = rows.assign(width=512, value=rows.value * 2)
    table = details(judged(Tables(Path(), {}, {"depth": pd.concat([rows, wide])}))).query("number == 20")
    assert table.measured.iloc[0] == pytest.approx(2 * -31.4)  # of the widest
    assert table.needs.eq("").all()
    both = {"depth": wide, "claims": nature()["claims"]}
    table = details(judged(Tables(Path(), {}, both))).query("number == 20")
    assert table.measured.iloc[0] == pytest.approx(-31.4)  # of what was measured for it


def test_the_section_counts_verdicts_and_tells_parts_in_words():
    shown = section(judged(Tables(Path(), {}, nature())))
    assert shown["finding"].startswith("Of 25 claims ")
    (row,) = (row for row in shown["rows"] if row["claim"].number == 20)
    assert row["verdict"] == {"word": "holds in part", "mark": "◐", "kind": "in_part"}
    first = row["parts"][0]
    assert (first["said"], first["measured"], first["theory"]) == (f"{MINUS}10", f"{MINUS}31.4", f"{MINUS}31.4")
    assert first["interval"] == f"{MINUS}31.4 to {MINUS}31.4"
    assert first["bound"] == f"{MINUS}12 to {MINUS}8"
