"""One's own activations: found by FILE.py:NAME, and no worse off than a row of ACTIVATIONS anywhere."""

import math

import numpy as np
import pytest

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS
from kernels.critical import MeanField
from kernels.dense import dense_activation
from suites import layer_gate
from suites.errors import UserError
from suites.own_activations import lookup_activation, lookup_activations, own

FORMS = {"full": "xy", "by_x": "x", "by_y": "xy", "by_a": "x"}


@pytest.fixture(scope="module")
def row(own_file):
    """row(name): the activation of own.py."""
    return lambda name: lookup_activation(f"{own_file}:{name}")


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


def test_a_name_is_looked_up_once_and_stands_among_the_known_ones(own_file):
    name = f"{own_file}:tanh"
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
