"""Norms are judged by the document's thresholds and by a line through them, layer by layer."""

import math

import numpy as np
import pytest
from scipy import stats

from suites.errors import UserError
from suites.norms_file import read_norms
from suites.norms_judged import ABSOLUTE, LINE, judge


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
    ([0.01, 0.01], LINE), ([1.0, 0.01], ABSOLUTE), ([1.0, 0.1, 0.01], LINE),
    ([0.01], ABSOLUTE), ([1e-9, 0.01], ABSOLUTE), ([math.inf], ABSOLUTE),
])  # fmt: skip
def test_the_scale_that_decides_is_told(values, scale):
    lines = [f"{i}.W: {value}" for i, value in enumerate(values)]
    assert judge(read_norms(lines, "file"), "file").scale[0] == scale


def test_a_thousand_parameters_are_a_few_kinds():
    lines = [f"layers.{i}.{name}: 0.01" for i in range(500) for name in ("attn.weight", "mlp.0.weight", "mlp.0.bias")]
    table = judge(read_norms(lines, "file"), "file")
    assert table[table.kind == "parameters"].name.tolist() == ["layers.*.attn.weight", "layers.*.mlp.0.weight"]
    assert (table.kind == "parameter").sum() == 1500


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


@pytest.mark.parametrize(
    ("values", "verdict", "line"),
    [
        ([0.001, 0.1], "healthy", "cannot tell"),  # no interval
        ([0.01, 0.02], "healthy", "healthy"),
        ([250, 30, 0.02], "explodes", "cannot tell"),  # by the 250 alone
        ([25, 3, 0.002], "healthy", "cannot tell"),
        ([25, 3, 0.2, 0.02], "explodes", "explodes"),
    ],
)
def test_a_line_whose_interval_has_0_in_it_decides_nothing(values, verdict, line):
    row, found = scales([f"{i}.W: {value}" for i, value in enumerate(values)])
    assert (row.verdict, found.verdict[LINE]) == (verdict, line)
    assert found.decides[LINE] == (line != "cannot tell" and max(values) <= 100)
    if len(values) > 2:
        fit = stats.linregress(np.arange(len(values)), np.log10(values))
        low, high = (-fit.slope + side * stats.t.ppf(0.975, len(values) - 2) * fit.stderr for side in (-1, 1))
        assert (low < 0 < high) == (line == "cannot tell")


def test_two_weights_have_a_slope_and_no_interval():
    row = judge(read_norms(["a.W: 1", "b.W: 0.01"], "file"), "file").iloc[0]
    assert row.decades_per_layer == pytest.approx(2)
    assert math.isnan(row.decades_per_layer_low)


def test_without_weights_there_is_nothing_to_judge():
    with pytest.raises(UserError, match="file: no weight has a norm"):
        judge(read_norms(["a.bias: 1"], "file"), "file")


def scales(lines):
    table = judge(read_norms(lines, "file"), "file")
    return table.iloc[0], table[table.kind == "scale"].set_index("name")


@pytest.mark.parametrize(
    ("values", "verdict", "decides"),
    [
        ([0.01, 0.1, 1.0], "vanishes", [LINE]),
        ([0.01, 0.01], "healthy", [LINE]),
        ([1e-8, 0.1, 1.0], "vanishes", ["weight gradients that vanish"]),
        ([1e-8, 0.1, 1e3], "explodes", ["weight gradients that explode"]),
        ([0.01], "healthy", ["weight gradients that vanish", "weight gradients that explode"]),
        ([0.0, 0.01], "vanishes", ["weight gradients that vanish"]),
        ([math.nan, 0.01], "explodes", ["weight gradients that explode"]),
    ],
)
def test_the_scale_that_decides_is_marked(values, verdict, decides):
    row, found = scales([f"{i}.W: {value}" for i, value in enumerate(values)])
    assert row.verdict == verdict
    assert found.index[found.decides].tolist() == decides
    assert set(found.verdict[found.decides]) == {verdict}
    line = found.loc[LINE]
    assert (line.value == row.decades) or (math.isnan(line.value) and line.verdict == "no number")


def test_halves_are_of_layers_and_no_line_is_drawn_through_one():
    """The matrices of a cell lie beside each other: the larger norm of the recurrent one is no slope."""
    row, _ = scales(["lstm.weight_ih_l0: 0.0005", "lstm.weight_hh_l0: 0.0500"])
    assert (row.verdict, row.scale) == ("healthy", ABSOLUTE)
    assert math.isnan(row.decades)
    assert "weight matrices: 2 in 1 layer, parameters: 2" in row.about
    table = judge(read_norms(["a.weight_ih_l0: 5e-4", "a.weight_hh_l0: 5e-4", "fc.weight: 5e-4"], "file"), "file")
    each = table[table.kind == "parameter"]
    assert each.verdict.tolist() == ["small", "small", "as expected"]
    assert each.about.str.partition(",")[0].tolist() == ["shallow", "shallow", "deep"]


def test_a_line_is_through_layers_whatever_their_matrices():
    """Against scipy: a block's matrices stand at one place."""
    values = {f"h.{i}.{name}.weight": 10.0 ** (i / 4 - at) for i in range(3) for at, name in enumerate("abc", 1)}
    row, _ = scales([f"{name},{value}" for name, value in values.items()])
    fit = stats.linregress([0, 0, 0, 1, 1, 1, 2, 2, 2], np.log10([*values.values()]))
    assert row.decades_per_layer == pytest.approx(-0.25) == pytest.approx(-fit.slope)
    assert row.decades == pytest.approx(-0.5)
    half = stats.t.ppf(0.975, 7) * fit.stderr
    assert row.decades_per_layer_high - row.decades_per_layer == pytest.approx(half)


def test_what_was_taken_is_told():
    lines = sorted(f"h.{i}.weight;0,{i + 1}" for i in range(11))
    row, _ = scales(lines)
    assert row.decades == pytest.approx(-stats.linregress(
        np.arange(11), np.log10([float(f"0.{i + 1}") for i in range(11)])
    ).slope * 10)  # fmt: skip
    assert "layers are taken in the order of their numbers, by which the file is not sorted" in row.about
    assert "norms have a decimal comma: 0.1 in line 1" in row.about


@pytest.mark.parametrize("shape", ['"(64,)"', "(64,)", "torch.Size([64])", "[64]", "()", "64"])
def test_what_a_shape_denies_is_no_matrix(shape):
    """The scale of a BatchNorm in a Sequential is called weight, too."""
    lines = ["name,shape,norm", 'features.0.weight,"(64, 3, 3, 3)",0.01', f"features.1.weight,{shape},1e-9"]
    table = judge(read_norms(lines, "file"), "file")
    known = shape != "64"
    assert table.verdict[0] == ("healthy" if known else "vanishes")
    assert (table.about.iloc[-1] == "no matrix, apart") == known


def test_an_index_in_a_name_is_no_shape():
    lines = ["layers[0].weight: 1e-9", "params['a'][1]['kernel'] 0.01"]
    assert [norm.vector for norm in read_norms(lines, "file")] == [False, False]
