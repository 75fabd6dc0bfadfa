"""One's own activations: found by FILE.py:NAME, and no worse off than a row of ACTIVATIONS anywhere."""

import math
from inspect import signature

import numpy as np
import pandas as pd
import pytest

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS
from kernels.critical import MeanField
from kernels.dense import dense_activation
from suites import certify, layer_gate
from suites.certificate import NO_PROMISE, certificate
from suites.errors import UserError
from suites.experiment import EXPERIMENTS
from suites.own_activations import _read, beside_known, digests, lookup_activation, lookup_activations, own
from suites.results import Run
from suites.sweep import sweep
from suites.workers import workers

# SiLU with a = 1.25 in every way to write it, and tanh with float64 forms.
FILE = """
import math
import numpy as np


def gate(x):
    T = type(x)
    return T(1) / (T(1) + math.exp(-x))


def full(x, a):
    return x * gate(a * x)


def full_derivative(x, y, a):
    s = gate(a * x)
    return s + a * y * (type(x)(1) - s)


full_a = 1.25


def by_x(x):
    return full(x, type(x)(1.25))


def by_x_derivative(x):
    return full_derivative(x, full(x, type(x)(1.25)), type(x)(1.25))


def by_y(x):
    return full(x, type(x)(1.25))


def by_y_derivative(x, y):
    return full_derivative(x, y, type(x)(1.25))


def by_a(x, a):
    return full(x, a)


def by_a_derivative(x, a):
    return full_derivative(x, full(x, a), a)


by_a_a = 1.25


def tanh(x):
    return math.tanh(x)


def tanh_derivative(x, y):
    return type(x)(1) - y * y


def tanh_reference(x):
    return np.tanh(x)


def tanh_reference_derivative(x):
    return 1 / np.cosh(x) ** 2


leaky = lambda x: x if x > 0 else x / type(x)(8)
leaky_derivative = lambda x: type(x)(1) if x > 0 else type(x)(0.125)
leaky_kinks = [0]
"""
FORMS = {"full": "xy", "by_x": "x", "by_y": "xy", "by_a": "x"}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("a:b") / "own.py"
    path.write_text(FILE)
    return path


@pytest.fixture(scope="module")
def row(file):
    """row(name): the activation of FILE."""
    return lambda name: lookup_activation(f"{file}:{name}")


def silu(x):
    gate = 1 / (1 + np.exp(-1.25 * x))
    return x * gate, gate + 1.25 * x * gate * (1 - gate)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_activation(row, form):
    """In float64, whose compiled functions stand for the float64 forms that the file does not give."""
    activation, x = row(form), np.linspace(-9, 9, 1001).reshape(7, 143)
    value, slope = silu(x)
    np.testing.assert_allclose(activation.reference(x, None), value, rtol=1e-14)
    np.testing.assert_allclose(activation.reference_derivative(x, None), slope, rtol=1e-13, atol=1e-15)
    assert activation.saves == FORMS[form]
    assert (activation.ulp, activation.ulp_derivative) == (math.inf, math.inf)


def test_float32_is_the_same_to_its_rounding(row):
    x = np.linspace(-9, 9, 1001, dtype=np.float32)
    y, dx = np.empty_like(x), np.empty_like(x)
    row("full").forward_backward(y, dx, np.full_like(x, 3), x)
    value, slope = silu(x.astype(np.float64))
    np.testing.assert_allclose(y, value, rtol=1e-6)
    np.testing.assert_allclose(dx, 3 * slope, rtol=1e-6, atol=1e-6)


def test_the_parameter_and_the_kinks_are_those_of_the_file(row):
    assert (row("full").a, row("by_x").a, row("leaky").kinks) == (1.25, None, (0.0,))
    assert MeanField.of(row("leaky")).gain() == pytest.approx(math.sqrt(2 / (1 + 0.125**2)))
    theirs, known = MeanField.of(row("tanh")), MeanField.of(ACTIVATIONS["tanh"])
    assert theirs.critical_point(0.05) == pytest.approx(known.critical_point(0.05))


@pytest.mark.parametrize(
    ("architecture", "dtype"), [*((name, np.float32) for name in ARCHITECTURES), ("residual", np.float64)]
)
def test_every_architecture_passes_its_gate(row, architecture, dtype):
    kinds = ARCHITECTURES[architecture].kinds
    network = ARCHITECTURES[architecture].build(
        row("full"), INITIALIZERS["xavier_normal"], 8, 2 if "depth" in kinds else None
    )
    passed(architecture, network, (5, 3, 8) if "time" in kinds else (7, 8), dtype)


def passed(name, network, shape, dtype):
    """Pass the gate after a forward and a backward pass."""
    rng = np.random.default_rng(3)
    state = network.init(rng, shape, np.dtype(dtype))
    layer_gate.poison(state)
    network.forward(state, rng.standard_normal(shape).astype(dtype))
    network.backward(state, rng.standard_normal(state.saved["y"].shape).astype(dtype))
    layer_gate.check(name, network, state)


# tanh that loses digits near 0, with float64 forms that are another function in the ninth digit.
ROUGH = """
import math
import numpy as np


def f(x):
    z = min(max(x, type(x)(-15)), type(x)(15))
    return (math.exp(z) - math.exp(-z)) / (math.exp(z) + math.exp(-z))


def f_derivative(x, y):
    return type(x)(1) - y * y


def f_reference(x):
    return 1.000000003 * np.tanh(x)


def f_reference_derivative(x):
    return 1 - np.tanh(x) ** 2
"""


@pytest.mark.parametrize(("architecture", "dtype"), [("lstm", np.float32), ("gru", np.float64)])
def test_no_gate_asks_for_more_than_was_checked(tmp_path, architecture, dtype):
    (tmp_path / "rough.py").write_text(ROUGH)
    network = ARCHITECTURES[architecture].build(
        lookup_activation(f"{tmp_path / 'rough.py'}:f"), INITIALIZERS["xavier_normal"], 128
    )
    passed(architecture, network, (8, 16, 32), dtype)


def test_functions_of_one_name_in_two_files_are_two(tmp_path):
    rows = []
    for factor in (2, 3):
        path = tmp_path / f"by_{factor}.py"
        path.write_text(
            f"def f(x):\n    return x * type(x)({factor})\ndef f_derivative(x):\n    return type(x)({factor})\n"
        )
        rows.append(lookup_activation(f"{path}:f"))
    for factor, row in zip((2, 3), rows, strict=True):
        x, y, dx = np.ones(5), np.empty(5), np.empty(5)
        row.forward_backward(y, dx, x, x)
        assert y.tolist() == dx.tolist() == [factor] * 5
        layer = dense_activation(row, INITIALIZERS["xavier_normal"], 1)
        state = layer.init(np.random.default_rng(0), (1, 1), np.dtype(np.float64))
        assert layer.forward(state, x[:1, None]) == factor * state.params["W"]


def test_a_name_is_looked_up_once_and_stands_among_the_known_ones(file):
    name = f"{file}:tanh"
    expected = [own(name).row, ACTIVATIONS["relu"], ACTIVATIONS["swish"]]
    assert lookup_activations([name, "relu", name, "silu"]) == expected
    assert own(name) is own(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("own.py", "own.py: say which function, as in own.py:NAME"),
        ("own.py:", "own.py:: say which function, as in own.py:NAME"),
        ("own.py:f g", "own.py:f g: say which function, as in own.py:NAME"),
        (":f", ":f: say which file, as in FILE.py:f"),
        ("none.py:f", "none.py: No such file or directory"),
        ("relo", "unknown activation 'relo'"),
    ],
)
def test_what_is_no_activation_is_refused(name, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=expected):
        lookup_activation(name)


def test_a_file_may_be_named_from_home_and_with_spaces(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my own.py").write_text("def f(x):\n    return x\ndef f_derivative(x):\n    return type(x)(1)\n")
    assert lookup_activation("~/my own.py:f").reference(np.array([3.0]), None) == 3.0


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("f_a = '1'", "f_a must be a number, got '1'"),
        ("f_a = float('nan')", "f_a must be a number, got nan"),
        ("f_kinks = 0.0", "f_kinks must be a tuple of numbers, got 0.0"),
        ("f_kinks = ('0',)", "f_kinks must be a tuple of numbers"),
        ("f_reference = f", r"no function f_reference_derivative; write def f_reference_derivative\(x, a\)"),
        ("del f_derivative", r"no function f_derivative; write def f_derivative\(x, y, a\)"),
    ],
)
def test_what_a_file_says_beside_the_functions_is_checked(tmp_path, line, expected):
    path = tmp_path / "own.py"
    path.write_text(f"def f(x):\n    return x\ndef f_derivative(x):\n    return type(x)(1)\n{line}\n")
    with pytest.raises(UserError, match=expected):
        lookup_activation(f"{path}:f")


TAKING = [name for name, row in EXPERIMENTS.items() if "activations" in signature(row.cells).parameters]


def test_only_fixed_networks_take_no_activations():
    assert {*EXPERIMENTS} - {*TAKING} <= {"claims", "remedies", "remedy_times"}


@pytest.mark.parametrize("experiment", TAKING)
def test_every_experiment_takes_one_and_refuses_a_wrong_one(file, tmp_path, experiment):
    cells = EXPERIMENTS[experiment].cells
    assert {cell.activation for cell in cells(activations=[f"{file}:tanh"])} == {f"{file}:tanh"}
    path = tmp_path / "wrong.py"
    path.write_text("def f(x):\n    return x * x\ndef f_derivative(x):\n    return x\n")
    with pytest.raises(UserError, match=r"wrong.py:f: f_derivative\(1\) is 1, but differences of f give 2"):
        cells(activations=["tanh", f"{path}:f"])


def test_only_ones_own_stand_beside_the_known_ones(file):
    assert beside_known([]) == []
    assert beside_known([f"{file}:tanh", f"{file}:tanh"]) == [f"{file}:tanh"]
    with pytest.raises(UserError, match=r"relu is measured anyway; give an activation of your own, FILE\.py:NAME"):
        beside_known(["relu"])


def test_accuracy_is_measured_against_the_forms_given_and_promised_nowhere(file, caplog):
    caplog.set_level("INFO")
    rows = sweep("accuracy", activations=[f"{file}:tanh"], count=2**12)
    table = certificate(rows).set_index("direction")
    assert [*table.verdict] == [NO_PROMISE, NO_PROMISE]
    assert [*table.dtype] == ["float32", "float32"]
    assert table.promised_ulp.isna().all()
    assert table.broken_by.tolist() == ["", ""]
    x = np.float32(table.at["derivative", "at"])
    worst = abs(float(np.float32(1) - np.tanh(x) ** 2) - 1 / np.cosh(float(x)) ** 2)
    unit = np.spacing(np.float32(1 / np.cosh(float(x)) ** 2))
    assert table.at["derivative", "largest_ulp"] == pytest.approx(worst / unit, rel=1e-3)
    assert table.at["forward", "largest_ulp"] < 4
    assert caplog.text == ""


def test_accuracy_without_such_forms_says_what_it_is_compared_with(file, caplog):
    caplog.set_level("INFO")
    table = certificate(sweep("accuracy", activations=[f"{file}:by_y"], count=2**12))
    assert f"{file}:by_y: no float64 forms are given" in caplog.text
    assert (table.verdict == NO_PROMISE).all()
    with pytest.raises(UserError, match="float64 results could only be compared with themselves"):
        certify.cells(activations=[f"{file}:by_y"], dtypes=["float64"])
    both = certify.cells(activations=["relu", f"{file}:by_y"], count=2**12)
    assert {(cell.activation, cell.dtype) for cell in both if cell.by == "gradfade"} == {
        ("relu", "float32"), ("relu", "float64"), (f"{file}:by_y", "float32"),
    }  # fmt: skip


def test_rows_are_the_same_in_other_processes(file, monkeypatch):
    """By a path from the working folder, too, which the workers share."""
    monkeypatch.chdir(file.parent)
    here = sweep("curves", activations=["own.py:leaky", "tanh"])
    with workers(1) as executor:
        there = sweep("curves", executor=executor, activations=["own.py:leaky", "tanh"])
    pd.testing.assert_frame_equal(here, there, check_exact=True)


def test_a_changed_file_is_measured_again(tmp_path, caplog):
    path, experiment = tmp_path / "own.py", EXPERIMENTS["curves"]
    name = f"{path}:full"
    run, tables = Run.create(tmp_path / "run", {}), []
    for text in (FILE, FILE, FILE.replace("full_a = 1.25", "full_a = 1.5")):
        path.write_text(text)
        own.cache_clear()
        _read.cache_clear()
        assert digests(["tanh", name]).keys() == {name}
        tables.append(experiment.run(experiment.cells(activations=["tanh", name]), run))
    first, again, other = tables
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert caplog.text.count("curves: 1 cells were measured by other code") == 1
    same = first.value.to_numpy() == other.value.to_numpy()
    assert same[first.activation == "tanh"].all()
    assert not same[first.activation == name].all()


def test_a_file_that_changes_before_a_worker_reads_it_is_told(tmp_path):
    """Its rows would be another function's than the digest tells of, and trusted when the run goes on."""
    path, experiment, run = tmp_path / "own.py", EXPERIMENTS["curves"], Run.create(tmp_path / "run", {})
    path.write_text(FILE)
    cells = experiment.cells(activations=["tanh", f"{path}:full"])
    path.write_text(FILE.replace("full_a = 1.25", "full_a = 1.5"))
    with workers(1) as executor, pytest.raises(UserError, match=r"own.py:full: the file changed after the run") as told:
        experiment.run(cells, run, executor)
    assert "\n" not in str(told.value)
    assert pd.read_parquet(run.folder / "curves.parquet").activation.unique().tolist() == ["tanh"]
