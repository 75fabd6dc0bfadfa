"""Norms are read as people have them, judged by the document's thresholds and by a line through them."""

import math

import numpy as np
import pytest
from scipy import stats

from suites.errors import UserError
from suites.norms_file import group, judge, read_norms

PRINTED = ["0.weight: 0.001234", "0.bias: 0.000001", "2.weight: 0.012340", "2.bias: 0.3", "4.weight: 0.123400"]


@pytest.mark.parametrize(
    "lines",
    [
        PRINTED,
        [line.replace(": ", ",") for line in PRINTED],
        ["parameter,norm", "", *[line.replace(": ", " , ") for line in PRINTED], ""],
        ["\ufeffname,gradient norm", *[line.replace(": ", ",") for line in PRINTED]],
        ['"name","norm"', *['"' + line.replace(": ", '","') + '"\r' for line in PRINTED]],
    ],
    ids=["printed", "csv", "header", "byte order mark", "quoted"],
)
def test_forms(lines):
    norms = read_norms(lines, "file")
    assert [norm.name for norm in norms] == ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight"]
    assert [norm.value for norm in norms] == [0.001234, 1e-6, 0.01234, 0.3, 0.1234]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "file: no norms"),
        (["name,norm"], "file: no norms"),
        (["a.weight: 1", "b.weight: -inf"], "line 2: a norm must be a number of 0 or more, inf or nan, got '-inf'"),
        (["a.weight: -1"], "line 1: a norm must be"),
        (["a.weight,-1"], "line 1: a norm must be"),
        (["name,norm", "", "a.weight,abc"], "line 3: a norm must be a number of 0 or more, inf or nan, got 'abc'"),
        (["a.weight: abc"], "line 1: a norm must be"),
        (["a.weight 1"], "line 1: must be name,norm or name: norm"),
        (["a.weight,1,2"], "line 1: must be"),
        (["a.weight,"], "line 1: must be"),
        ([": 3"], "line 1: must be"),
        (["a.weight: 1", "b.weight: 1", "a.weight: 2"], "line 3: a.weight comes twice, in line 1 before"),
    ],
)
def test_mistakes_name_their_line(lines, message):
    with pytest.raises(UserError, match=message) as caught:
        read_norms(lines, "file")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("fc.weight", "weight"), ("3.W", "weight"), ("Wq", "weight"), ("W1", "weight"), ("lstm.weight_hh_l0", "weight"),
     ("attn.in_proj_weight", "weight"), ("dense/kernel", "weight"), ("w", "weight"), ("fc.bias", "bias"),
     ("3.b", "bias"), ("lstm.bias_ih_l0", "bias"), ("norm1.weight", "other"), ("layer_norm.weight", "other"),
     ("bn2.weight", "other"), ("ln_f.weight", "other"), ("gamma", "other"), ("window.weight", "weight")],
)  # fmt: skip
def test_what_a_name_is(name, kind):
    assert group(name) == kind


def test_a_line_through_the_weights():
    """Against scipy; the biases are apart."""
    values = [0.0012, 0.02, 0.09, 1.7]
    lines = [f"{i}.weight: {value}\n{i}.bias: 1e-9" for i, value in enumerate(values)]
    table = judge(read_norms("\n".join(lines).splitlines(), "file"), "file")
    row = table.iloc[0]
    fit = stats.linregress(np.arange(4), np.log10(values))
    half = stats.t.ppf(0.975, 2) * fit.stderr
    assert row.decades_per_layer == pytest.approx(-fit.slope)
    assert (row.decades_per_layer_low, row.decades_per_layer_high) == pytest.approx(
        (-fit.slope - half, -fit.slope + half)
    )
    assert row.decades == pytest.approx(-3 * fit.slope)
    assert row.verdict == "vanishes"
    assert table[table.kind == "parameter"].verdict.fillna("").tolist() == [
        "as expected", "", "as expected", "", "as expected", "", "as expected", ""
    ]  # fmt: skip


@pytest.mark.parametrize(("values", "verdict"), [
    ([0.01, 0.01, 0.01], "healthy"), ([1.0, 0.1, 0.01], "explodes"), ([0.01, 0.1, 1.0], "vanishes"),
    ([1e30, 1e30, 1e30], "explodes"), ([99, 99, 99], "healthy"), ([0.1, 0.1, 101], "explodes"),
    ([math.nan] * 3, "explodes"), ([0.01, math.inf, 0.01], "explodes"), ([0.0, math.nan], "explodes"),
    ([1e-7, 1e-7, 1e-7], "vanishes"), ([0.0, 0.01, 0.01], "vanishes"), ([0.02], "healthy"), ([0.0, 0.0], "vanishes"),
])  # fmt: skip
def test_verdicts(values, verdict):
    table = judge(read_norms([f"{i}.W: {value}" for i, value in enumerate(values)], "file"), "file")
    assert table.verdict[0] == verdict
    assert table.value[1] == sum(value < 1e-6 for value in values)
    assert table.value[2] == sum(not value <= 100 for value in values)
    assert (table.verdict[1] == "no number") == (any(map(math.isnan, values)) and 0 not in values)


def test_two_weights_have_a_slope_and_no_interval():
    row = judge(read_norms(["a.W: 1", "b.W: 0.01"], "file"), "file").iloc[0]
    assert row.decades_per_layer == pytest.approx(2)
    assert math.isnan(row.decades_per_layer_low)


def test_without_weights_there_is_nothing_to_judge():
    with pytest.raises(UserError, match="file: no name ends in weight"):
        judge(read_norms(["a.bias: 1"], "file"), "file")
