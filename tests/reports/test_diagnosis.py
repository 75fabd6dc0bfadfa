"""A diagnosis as a terminal shows it: the scale that decides, caveats first, and tables of eighty columns."""

import math

import pandas as pd
import pytest

from reports.diagnosis import headline, reason, show
from reports.remedy_prices import legend, priced
from reports.words import MINUS
from suites.norms_file import read_norms
from suites.norms_judged import judge
from suites.prices import price

SUBJECT = {
    "kind": "subject", "name": "plain relu constant", "verdict": "healthy", "certain": True, "caveats": "", "about": "",
    "decades": -0.2, "decades_per_layer": -0.01, "decades_per_layer_low": -0.02, "decades_per_layer_high": 0.0,
    "predicted_decades": math.nan, "predicted_decades_per_layer": math.nan, "seeds": 3,
}  # fmt: skip


def told(**more):
    return headline(pd.DataFrame([{**SUBJECT, **more}]))


def norms(*lines):
    return judge(read_norms(lines, "net"), "net")


def test_a_caveat_stands_beside_the_verdict():
    text = told(caveats="all samples have the same output")
    assert text.startswith("plain relu constant: healthy, but all samples have the same output. ")


@pytest.mark.parametrize(
    ("more", "part"),
    [
        ({}, "0.63 of the gradient is left: -0.20 decades, -0.0100 per layer (-0.0200 to 0.0000)."),
        ({"decades": 5.0, "verdict": "explodes"}, "explodes. The gradient arrives 10⁵ times as large: +5.00 decades"),
        ({"decades": -math.inf, "verdict": "vanishes"}, "Nothing of the gradient is left, it is exactly 0: -∞ decades"),
        (
            {"decades": -math.inf, "seeds_zero": 1},
            ". Nothing of the gradient is left, it is exactly 0 in 1 of 3 seeds: -∞",
        ),
        ({"decades": 0.001}, "healthy. All of the gradient is left: 0.00 decades"),
        ({"verdict": "vanishes", "caveats": "all is alike"}, "constant: vanishes, and all is alike. "),
        ({"certain": False}, "so that the verdict is not certain"),
        ({"predicted_decades": -0.3, "predicted_decades_per_layer": -0.015}, "; predicted -0.30, -0.0150 per layer."),
        ({"decades": math.nan, "about": "the forward pass overflows"}, "healthy. The forward pass overflows."),
        ({"about": "theory is silent: few units"}, "; theory is silent: few units."),
    ],
)
def test_the_verdict_in_a_sentence(more, part):
    assert part in told(**more).replace(MINUS, "-")


def test_a_zero_is_told_and_no_line_is_drawn():
    text = headline(norms("fc1 0.000000", "fc2 0.01", "fc3 0.0025"))
    assert text.startswith(
        "net: vanishes, by absolute norms. 1 of 3 under 1e-06 (fc1: 0). Some are 0 or not finite, so"
    )
    assert "decades" not in text


def test_a_line_that_contradicts_stands_beside_what_decides():
    text = headline(norms("a.W: 1e-8", "b.W: 1e-9", "c.W: 1e-10"))
    assert text.startswith(
        "net: vanishes, by absolute norms. 3 of 3 under 1e-06 (a.W: 1e-08, b.W: 1e-09 and c.W: 1e-10)."
    )
    assert "Along a line through all, from the last to the first: +2.00 decades, +1.0000 per layer" in text


@pytest.mark.parametrize(("values", "chance"), [((250, 30, 0.02), True), ((0.001, 0.1), True), ((1, 0.1, 0.01), False)])
def test_a_line_that_decides_nothing_says_why(values, chance):
    text = headline(norms(*(f"{i}.W: {value}" for i, value in enumerate(values))))
    assert (", which may be chance. Weight matrices" in text) == chance
    assert " per layer" in text


def test_both_ends_are_told():
    text = headline(norms("a.W: 0", "b.W: 1e5", "c.W: nan"))
    assert text.startswith(
        "net: explodes, by absolute norms. 1 of 3 under 1e-06 (a.W: 0). 2 of 3 over 100 (b.W: 100000"
    )
    assert "c.W: no number" in text


@pytest.mark.parametrize(
    ("lines", "start"),
    [
        (
            ["a.W: 0.1", "b.W: 0.01", "c.W: 0.001"],
            "net: explodes, by line through the norms. Along a line through all, ",
        ),
        (["a.W: 0.1"], "net: healthy, by absolute norms. Weight matrices: 1, parameters: 1."),
    ],
)
def test_norms_that_are_all_in_range(lines, start):
    assert headline(norms(*lines)).startswith(start)


def test_what_is_no_number_is_no_blank_in_any_table(capsys):
    """A parameter that has no gradient has a blank."""
    show(norms("a.W: nan", "b.1.W: 0.01", "b.2.W: nan", "c.bias: nan", "d.W: None"), "table")
    tables = capsys.readouterr().out.partition("by kind of matrix")[2].split("By parameter")
    kinds, each = (
        {
            name: rest
            for name, *rest in (map(str.strip, line.split("│")[1:-1]) for line in text.splitlines() if "│" in line)
        }
        for text in tables
    )
    assert (kinds["a.W"][1:3], kinds["b.*.W"][1:3]) == (["no number"] * 2, ["0.01"] * 2)
    norm = {name: rest[0] for name, rest in each.items()}
    assert norm == {"a.W": "no number", "b.1.W": "0.01", "b.2.W": "no number", "c.bias": "no number", "d.W": ""}


@pytest.mark.parametrize(
    ("lines", "decides"),
    [
        (["a.W: 0.01", "b.W: 0.02"], "line through the norms (decides) │ -0.30 decades │ healthy"),
        (["a.W: 1e-9", "b.W: 0.02"], "weight gradients that vanish (decides) │ 1 of 2 │ vanishes"),
        (["a.W: 1e-9", "b.W: 0"], "line through the norms │ no number │ no number"),
    ],
)
def test_the_scale_that_decides_is_marked(capsys, lines, decides):
    show(norms(*lines), "table")
    out = capsys.readouterr().out.replace(MINUS, "-")
    assert decides in " ".join(out.split())
    assert max(len(line) for line in out.splitlines() if line.startswith(("┃", "│"))) <= 80


def test_a_thousand_parameters_are_not_listed(capsys):
    show(norms(*(f"layers.{i}.weight: {1e-7 if i < 30 else 0.01}" for i in range(1000))), "table")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 60
    assert "980 more parameters: --format csv" in lines
    assert sum("layers.*.weight" in line for line in lines) == 1


def test_tables_fit_a_terminal(capsys):
    show(norms(*(f"transformer.layers.{i}.attention.query.weight: 0.01" for i in range(12))), "table")
    out = capsys.readouterr().out
    assert "transformer.layers.*.attention.query.weight" in out


def remedy(name, effect, certain=True, bought=9.0, **ratio):
    times = {"ratio": 1.5, "low": 1.4, "high": 1.6, **ratio}
    return {
        "remedy": name, "effect": effect, "certain": certain, "decades": -0.1, "decades_bought": bought,
        "decades_bought_low": bought - 1, **price(**times, baseline=2.0, bought=bought, bought_low=bought - 1),
    }  # fmt: skip


def test_the_best_stand_first_and_what_costs_nothing_says_so():
    part = pd.DataFrame([
        remedy("useless", "no effect", bought=0.0),
        remedy("over", "overshoots: explodes"),
        remedy("noisy", "eases", ratio=2.5, low=0.9, high=3.0),
        remedy("free", "mends", ratio=1.0, low=0.95, high=1.05),
        remedy("dear", "mends", certain=False),
        remedy("whole", "eases", bought=math.inf),
    ])  # fmt: skip
    table = priced(part).set_index("remedy")
    assert [*table.index] == ["free", "dear", "noisy", "whole", "over", "useless"]
    assert table["per ns"].to_dict() == {
        "free": "free",
        "dear": "9",
        "noisy": "?",
        "whole": "",
        "over": "",
        "useless": "",
    }
    assert (table.effect["free"], table.effect["dear"]) == ("mends", "mends?")
    text = legend(part, "2 ns per unit, sample and layer")
    assert "2 ns per unit, sample and layer" in text
    assert "Free: what a step takes more cannot be told from nothing" in text
    assert "mends?: the interval over seeds reaches beyond healthy." in text
    assert "?: the rounds of timing differ too much" in text
    assert "Free" not in legend(part[part.remedy == "whole"], "")


def test_what_overflows_with_a_remedy_too_says_so():
    """A gradient that is a number again has bought more than any number, at no price."""
    lost = remedy("relu", "still no number", bought=math.nan)
    part = pd.DataFrame([lost, remedy("critical", "mends", bought=math.inf)])
    table = priced(part).set_index("remedy")
    assert table.loc["relu", ["effect", "per ns"]].tolist() == ["still no number", ""]
    assert math.isnan(table.bought["relu"])
    text = legend(part, "2 ns")
    assert "still no number: the forward pass overflows with it as it does without." in text
    assert "inf bought: the baseline's gradient is 0 or no number; it has no price per ns" in text
    assert "inf bought" not in legend(pd.DataFrame([lost]), "2 ns")


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ((-1.0, 8.0), "4 seeds cannot tell: weight_scale; give --seeds more."),
        ((3.0, 6.0), "4 seeds cannot tell: weight_scale; weight_scale changes the decades, by about the quarter"),
        ((-6.0, -3.0), "4 seeds cannot tell: weight_scale; weight_scale changes the decades, by about the quarter"),
    ],
)
def test_more_seeds_are_asked_for_only_where_there_may_be_no_change(ends, told):
    low, high = ends
    row = {"effect": "cannot tell", "name": "weight_scale", "about": "off", "seeds": 4}
    row |= {"decades_bought_low": low, "decades_bought_high": high}
    assert reason(pd.DataFrame([row])).startswith(f"Cause: {told}")
    noisy = {**row, "name": "activation", "decades_bought_low": -1.0, "decades_bought_high": 8.0}
    assert reason(pd.DataFrame([row, noisy])).endswith("give --seeds more.")


def test_without_a_cause_it_says_so():
    none = {"effect": "no evidence", "name": "saturation", "about": "flat", "decades": math.nan}
    assert reason(pd.DataFrame([none])).startswith("Cause: none of the candidates")
    single = {**none, "effect": "cannot tell", "seeds": 1}
    assert reason(pd.DataFrame([single])) == "Cause: one seed cannot tell: saturation; give --seeds 2 or more."
    assert reason(pd.DataFrame([{**single, "seeds": 3}])).startswith(
        "Cause: 3 seeds cannot tell: saturation; give --seeds more"
    )
    untested = {**none, "effect": "untested", "name": "shared_attention", "about": "each token has a share; no change"}
    assert reason(pd.DataFrame([none, untested])) == (
        "Cause: none of those that can be tested.\nshared_attention: each token has a share"
    )


def test_causes_that_are_certain_stand_before_what_one_seed_cannot_tell():
    """A gradient that is 0 with the cause and not without it leaves nothing to seeds."""
    certain = {"effect": "cause", "name": "dead_units", "about": "no slope; a leak", "decades": -0.3}
    untold = {**certain, "effect": "cannot tell", "name": "weight_scale", "about": "off", "seeds": 1}
    assert reason(pd.DataFrame([untold, certain])).replace(MINUS, "-").splitlines() == [
        "1 cause: dead_units (without it -0.30 decades).",
        "dead_units: no slope",
        "Of the others one seed cannot tell: weight_scale; give --seeds 2 or more.",
    ]
    both = reason(pd.DataFrame([certain, {**certain, "name": "saturation"}])).replace(MINUS, "-")
    assert both.startswith("2 causes, each by itself: dead_units (without it -0.30 decades) and saturation (")
