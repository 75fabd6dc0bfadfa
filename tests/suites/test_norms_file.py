"""Norms are read as people have them, judged by the document's thresholds and by a line through them."""

import math

import numpy as np
import pytest
from scipy import stats

from suites.errors import UserError
from suites.norms_file import ABSOLUTE, LINE, group, judge, read_norms

PRINTED = ["0.weight: 0.001234", "0.bias: 0.000001", "2.weight: 0.012340", "2.bias: 0.3", "4.weight: 0.123400"]


@pytest.mark.parametrize(
    "lines",
    [
        PRINTED,
        [line.replace(": ", ",") for line in PRINTED],
        ["parameter,norm", "", *[line.replace(": ", " , ") for line in PRINTED], ""],
        ["\ufeffname,gradient norm", *[line.replace(": ", ",") for line in PRINTED]],
        ['"name","norm"', *['"' + line.replace(": ", '","') + '"\r' for line in PRINTED]],
        ["name;norm", *[line.replace(": 0.", ";0,") for line in PRINTED]],
        ["name;norm", *[line.replace(": ", " ; ") for line in PRINTED]],
        ["name\tnorm", *[line.replace(": ", "\t") for line in PRINTED]],
        [line.replace(": ", " ") for line in PRINTED],
        ["", "  ", *[line.replace(": ", "   ") for line in PRINTED]],
        ["name norm", *[line.replace(": ", " ") for line in PRINTED]],
        [line.replace(": ", "=") for line in PRINTED],
        [line.replace(": ", ":") for line in PRINTED],
        [line.replace(": ", ": tensor(") + ", device='cuda:0')" for line in PRINTED],
        [line.replace(": ", " tensor(") + ")" for line in PRINTED],
    ],
    ids=[
        "printed", "csv", "header", "byte order mark", "quoted", "decimal commas", "semicolons", "tabs", "spaces",
        "blank lines", "header of words", "equals", "colons", "tensors on a device", "tensors",
    ],
)  # fmt: skip
def test_forms(lines):
    norms = read_norms(lines, "file")
    assert [norm.name for norm in norms] == ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight"]
    assert [norm.value for norm in norms] == [0.001234, 1e-6, 0.01234, 0.3, 0.1234]


def test_decimal_commas_are_semicolons_or_colons_friends():
    lines = ["a.weight;0,25", "b.weight: 0,5", "c.weight;1e-3"]
    assert [norm.value for norm in read_norms(lines, "file")] == [0.25, 0.5, 1e-3]


def test_names_may_have_dots_commas_colons_and_spaces():
    lines = ['"a, b.weight",1', "dense/kernel:0,2", "dense_1/kernel:0 3", "my layer.weight: 4", '"x;y.weight";5']
    assert [(norm.name, norm.value) for norm in read_norms(lines, "file")] == [
        ("a, b.weight", 1), ("dense/kernel:0", 2), ("dense_1/kernel:0", 3), ("my layer.weight", 4), ("x;y.weight", 5)
    ]  # fmt: skip


def test_what_has_no_gradient_is_accepted_and_named():
    lines = ["embed.weight: None", "fc.weight: 0.01", "old.weight,null", "fc.bias: None", "a.weight None"]
    norms = read_norms(lines, "file")
    assert [norm.value for norm in norms] == [None, 0.01, None, None, None]
    table = judge(norms, "file")
    assert table.verdict[0] == "healthy"
    assert "without a gradient: embed.weight, old.weight, fc.bias and 1 more" in table.about[0]
    assert dict(table[table.kind == "parameter"][["name", "about"]].to_numpy())["embed.weight"] == "no gradient"
    with pytest.raises(UserError, match="no weight has a norm"):
        judge(read_norms(["a.weight: None"], "file"), "file")


def test_a_zero_counts_whatever_the_slope_of_the_rest():
    """D2's snippet prints six decimals, so that what is lost reads 0.000000."""
    table = judge(read_norms(["fc1 0.000000", "fc2 0.01", "fc3 0.0025"], "file"), "file")
    row = table.iloc[0]
    assert (row.verdict, row.scale) == ("vanishes", ABSOLUTE)
    assert math.isnan(row.decades)
    assert math.isnan(row.decades_per_layer)
    assert "no name says weight" in row.about
    kinds = table[table.kind == "parameters"]
    assert kinds[["name", "matrices", "smallest", "largest", "worst"]].to_numpy().tolist() == [
        ["fc*", 3, 0.0, 0.01, "fc1"]
    ]  # fmt: skip


def test_a_subnormal_norm_is_on_the_line():
    row = judge(read_norms(["a.weight: 1e-320", "b.weight: 1e-160", "c.weight: 1"], "file"), "file").iloc[0]
    assert (row.verdict, row.scale) == ("vanishes", ABSOLUTE)
    assert row.decades == pytest.approx(-320, abs=0.1)  # of a number of a few bits


@pytest.mark.parametrize(("values", "scale"), [
    ([0.01, 0.01], LINE), ([1.0, 0.01], LINE), ([0.01], ABSOLUTE), ([1e-9, 0.01], ABSOLUTE), ([math.inf], ABSOLUTE),
])  # fmt: skip
def test_the_scale_that_decides_is_told(values, scale):
    lines = [f"{i}.W: {value}" for i, value in enumerate(values)]
    assert judge(read_norms(lines, "file"), "file").scale[0] == scale


def test_a_thousand_parameters_are_a_few_kinds():
    lines = [f"layers.{i}.{name}: 0.01" for i in range(500) for name in ("attn.weight", "mlp.0.weight", "mlp.0.bias")]
    table = judge(read_norms(lines, "file"), "file")
    assert table[table.kind == "parameters"].name.tolist() == ["layers.*.attn.weight", "layers.*.mlp.0.weight"]
    assert (table.kind == "parameter").sum() == 1500


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "file: no norms"),
        (["name,norm"], "file: no norms"),
        (
            ["a.weight: 1", "b.weight: -inf"],
            "line 2: a norm must be a number of 0 or more, inf, nan or None, got '-inf'",
        ),
        (["a.weight: -1"], "line 1: a norm must be"),
        (["a.weight,-1"], "line 1: a norm must be"),
        (
            ["name,norm", "", "a.weight,abc"],
            "line 3: a norm must be a number of 0 or more, inf, nan or None, got 'abc'",
        ),
        (["a.weight: abc"], "line 1: a norm must be"),
        (["a.weight"], "line 1: must be name,norm or name: norm"),
        (["a.weight,1e-3x"], "line 1: a norm must be a number of 0 or more, inf, nan or None, got '1e-3x'"),
        (["loading the model", "a.weight 1"], "line 1: a norm must be"),
        (["a.weight 1", "a.bias two"], "line 2: a norm must be"),
        (["a.weight: 0,01,2"], "line 1: a norm must be"),
        (["None"], "line 1: must be"),
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
     ("bn2.weight", "other"), ("ln_f.weight", "other"), ("gamma", "other"), ("window.weight", "weight"),
     ("dense/kernel:0", "weight"), ("dense/bias:0", "bias")],
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
    with pytest.raises(UserError, match="file: no weight has a norm"):
        judge(read_norms(["a.bias: 1"], "file"), "file")
