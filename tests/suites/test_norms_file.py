"""Norms are read as people have them: printed by a loop over the parameters, or in a table."""

import pytest

from suites.errors import UserError
from suites.norms_file import read_norms

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
    "form",
    [
        "Layer: {name}, Gradient Norm: {norm}",
        "Layer: {name} Gradient Norm: {norm}",
        "Layer: {name} | Grad norm: {norm}",
        "{name} | grad norm = {norm}",
        "{name}: grad_norm={norm}",
        "{name}: mean=3, std=4, norm={norm}, max=5",
        "{name} gradient norm: {norm}",
        "{name} grad norm {norm}",
        "grad norm of {name} is {norm}",
        "Gradient norm for layer {name} = {norm}",
        "Parameter {name} -> gradient L2 norm {norm}",
        "step: 3, layer: {name}, l2_norm: {norm}",
        "gradNorm = {norm} | name = {name}",
        "{name} torch.Size([256, 128]) tensor({norm}, device='cuda:0')",
        "{name} (256,) {norm}",
        "{name} (torch.Size([64, 3, 7, 7])): {norm}",
        "{name} (torch.Size([256])) {norm}",
        "{name} [torch.Size([64, 3])] grad norm {norm}",
        "{name} (shape: torch.Size([64, 3])): {norm}",
        "{name} ((64, 3)): {norm}",
        "{name} (64x3): {norm}",
        "{name},(256, 128),{norm}",
        '{name},"(256, 128)",{norm}',
        "{name}, 256x128, {norm}",
        "{name};256 x 128;{norm}",
        "{name}\t[256, 128]\t{norm}",
        "{name}: tf.Tensor({norm}, shape=(), dtype=float32)",
        "{name} np.float32({norm})",
        '  "{name}": {norm},',
    ],
)
def test_wordings(form):
    """Each by itself, and as many as there are below a title."""
    lines = ["Gradient norms:", "---------------"]
    lines += [form.format(name=name, norm=norm) for name, norm in (("fc1.weight", 0.5), ("a.3.norm.bias", 1e-3))]
    assert [(norm.name, norm.value) for norm in read_norms(lines, "file")] == [
        ("fc1.weight", 0.5),
        ("a.3.norm.bias", 1e-3),
    ]


@pytest.mark.parametrize(("shape", "vector"), [
    ("torch.Size([64, 3, 7, 7])", False), ("torch.Size([64])", True), ("torch.Size([])", True), ("(64,)", True),
    ("[64, 3]", False), ("64 x 3", False),
])  # fmt: skip
def test_a_shape_in_brackets_of_its_own_tells_what_is_no_matrix(shape, vector):
    lines = [f"loss.{i}.weight ({shape}): 1.5e-3" for i in (1, 2)]  # and a module may be called loss
    assert [(norm.name, norm.vector) for norm in read_norms(lines, "file")] == [
        ("loss.1.weight", vector), ("loss.2.weight", vector)
    ]  # fmt: skip


def test_a_number_beside_a_word_is_its_name():
    lines = ["Layer 1: 0.5", "Layer 2, Gradient Norm: 0.25", "Layer norm: 0.125"]
    assert [norm.name for norm in read_norms(lines, "file")] == ["Layer 1", "Layer 2", "Layer norm"]


@pytest.mark.parametrize(
    "lines",
    [
        ["name,shape,norm", 'a.W,"(3, 4)",0.5', "b.W,3x4,0.25"],
        ["grad_norm,name", "0.5,a.W", "0.25,b.W"],
        ["norm;weights", "0.5;a.W", "0.25;b.W"],
        ["name,weight_norm,grad_norm,ratio", "a.W,7,0.5,0.07", "b.W,8,0.25,0.03"],
        ["Parameter,Mean of gradient,Gradient Norm (L2)", "a.W,7,0.5", "b.W,8,0.25"],
        [",name,norm", "0,a.W,0.5", "1,b.W,0.25"],
        ["step,layer,gradient", "3,a.W,0.5", "3,b.W,0.25"],
        ["module\tnumel\tgrad_l2", "a.W\t7\t0.5", "b.W\t8\t0.25"],
        ["| name | gradient_norm |", "|------|------:|", "| a.W | 0.5 |", "| b.W | 0.25 |"],
        ["name,value", "a.W,0.5", "b.W,0.25"],
    ],
)
def test_a_header_says_which_columns(lines):
    assert [(norm.name, norm.value) for norm in read_norms(lines, "file")] == [("a.W", 0.5), ("b.W", 0.25)]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["0.01,fc1.weight"], "line 1: a norm must be .* got 'fc1.weight'; names stand first, unless a header says"),
        (["name,grad_norm,grad_l2", "a,1,2"], "line 1: one column must be the norm.*got grad_norm, grad_l2"),
        (["name,mean,std", "a,1,2"], "line 1: one column must be the norm.*got name, mean, std"),
        (["name,norm", "a.W,0,01"], "line 2: 3 columns, where the header in line 1 has 2, got 'a.W,0,01'; in quotes"),
        (["name,norm", "a.W,"], "line 2: no norm: it must be a number, or None where there is no gradient, got 'a.W,'"),
        (["norm,name", "1,"], "line 2: no name, got '1,'"),
        (["fc1.weight,n/a"], "line 1: a norm must be"),
        (["Epoch 3, fc1.weight: 0.01"], "line 1: must be name,norm or name: norm, or columns under a header, got"),
        (["a.W: 0.1, b.W: 0.2"], "line 1: must be"),
        (["step: 3, a.W: 0.01", "step: 4, a.W: 0.01"], "line 2: a.W comes twice, in line 1"),
        (["a.W: 0.01 (max 0.2)"], "line 1: a norm must be"),
        (["epoch 1 loss 0.3", "a.W: 0.1"], "line 1: a step, an epoch or a loss is no parameter and norm, got 'epoch 1"),
        (["epoch: 1, loss: 0.3"], "line 1: a step, an epoch or a loss is no parameter"),
        (["a.W: 0.1", "loss 0.3"], "line 2: a step, an epoch or a loss is no parameter"),
        (["Step 7: a.W 0.1"], "line 1: a step, an epoch or a loss is no parameter"),
    ],
)
def test_mistakes_of_tables_and_wordings(lines, message):
    with pytest.raises(UserError, match=message):
        read_norms(lines, "file")


def test_the_way_of_commas_is_that_of_the_file():
    """And what was taken is told of each."""
    norms = read_norms(["a;1,234", "b;5"], "file")
    assert [(norm.value, norm.taken) for norm in norms] == [(1.234, "a decimal comma"), (5, "")]
    norms = read_norms(["a: 1,234", "b: 0.5"], "file")
    assert [(norm.value, norm.taken) for norm in norms] == [(1234, "a decimal point"), (0.5, "")]
    with pytest.raises(UserError, match=r"file: line 2: 1,234 may be 1234 or 1\.234"):
        read_norms(["a: 1", "b: 1,234"], "file")
