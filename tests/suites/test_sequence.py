"""Across time: against a naive float64 recurrence, against theory, and beyond the range of floating point."""

import math

import numpy as np
import pytest
from scipy.special import stdtrit

from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES
from kernels.critical import MeanField
from kernels.initializers import INITIALIZERS
from suites import attenuation, sequence
from suites.attenuation import streams
from suites.errors import UserError
from suites.prediction import spread

SMALL = {"lengths": [6], "widths": [12], "inputs": 4, "batch": 5, "seeds": 2}


def values(table, metric, seed=None):
    """The values of a metric along the steps."""
    table = table[table.metric == metric]
    table = table if seed is None else table[table.seed == seed]
    return table.sort_values("position").value.to_numpy()


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
@pytest.mark.parametrize(("dtype", "accuracy"), [("float32", 1e-5), ("float64", 1e-12)])
def test_against_a_naive_recurrence(activation, dtype, accuracy):
    (cell,) = sequence.cells(activations=[activation], initializers=["he_normal"], dtypes=[dtype], seed=7, **SMALL)
    table = sequence.measure(cell)
    rng, inputs, injected = streams(7)
    Wx = rng.standard_normal((4, 12), dtype=np.float32).astype(np.float64) * math.sqrt(2 / 4)
    Wh = rng.standard_normal((12, 12), dtype=np.float32).astype(np.float64) * math.sqrt(2 / 12)
    row, h, z = ACTIVATIONS[activation], [np.zeros((5, 12))], []
    for x in inputs.standard_normal((6, 5, 4)):
        z.append(x @ Wx + h[-1] @ Wh)
        h.append(row.reference(z[-1], row.a))
    g = injected.standard_normal((5, 12))
    norms = [np.log10(np.linalg.norm(g))]
    for point in z[::-1]:
        g = (g * row.reference_derivative(point, row.a)) @ Wh.T
        norms.append(np.log10(np.linalg.norm(g)))
    norms = np.array(norms[::-1])
    assert values(table, "log10_gradient_norm", 7) == pytest.approx(norms, abs=accuracy)
    assert values(table, "log10_gradient", 7) == pytest.approx(norms - norms[-1], abs=accuracy)
    assert values(table, "forward_variance", 7) == pytest.approx([a.var() for a in h], rel=accuracy * 10)
    assert (table["inputs"] == 4).all()
    assert (table["length"] == 6).all()


@pytest.mark.parametrize("architecture", ["transformer_pre", "transformer_post"])
def test_a_causal_transformer_against_finite_differences(architecture):
    size = {"lengths": [3], "widths": [4], "batch": 2, "seeds": 1, "seed": 5, "depths": [2]}
    (cell,) = sequence.cells(architectures=[architecture], activations=["gelu"], dtypes=["float64"], **size)
    table = sequence.measure(cell)
    weights, inputs, injected = streams(5)
    network = ARCHITECTURES[architecture].build(ACTIVATIONS["gelu"], INITIALIZERS["xavier_normal"], 4, 2, causal=True)
    state = network.init(weights, (4, 2, 4), np.dtype("float64"))
    x, g = inputs.standard_normal((4, 2, 4)), injected.standard_normal((2, 4))

    def loss(x):
        return float(np.sum(g * network.forward(state, x)[-1]))

    gradient = np.empty_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = 1e-5
        gradient[i] = (loss(x + step) - loss(x - step)) / 2e-5
    norms = np.log10(np.linalg.norm(gradient.reshape(4, -1), axis=1))
    assert values(table, "log10_gradient_norm") == pytest.approx(norms, abs=1e-6)
    assert values(table, "forward_variance") == pytest.approx([y.var() for y in network.forward(state, x)], rel=1e-12)
    assert (table["depth"] == 2).all()
    assert (table["length"] == 3).all()
    assert table["inputs"].isna().all()


@pytest.mark.parametrize(
    ("activation", "initializer"),
    [("tanh", "xavier_normal"), ("relu", "he_normal"), ("sigmoid", "framework_default"), ("gelu", "orthogonal")],
)
def test_theory_holds(activation, initializer):
    """Within the 99.9 % t-interval and the finite width: beta/4 as across depth, and T^2/width as W is the same."""
    size = {"lengths": [12], "widths": [256], "batch": 16, "seeds": 12}
    (cell,) = sequence.cells(activations=[activation], initializers=[initializer], seed=100, **size)
    table = sequence.measure(cell)
    first = table[table.position == 0]
    measured = first[first.metric == "log10_gradient"].value
    (predicted,) = first[first.metric == "predicted_log10_gradient"].value
    beta = 12 * spread(MeanField.of(ACTIVATIONS[activation]), 1.0) / 256
    finite_width = (beta / 4 + 12**2 / 256 / 2) / math.log(10)
    assert abs(measured.mean() - predicted) < stdtrit(11, 0.9995) * measured.sem() + finite_width


def test_beyond_float32():
    """200 steps of sigmoid lose over 100 decades, which takes several injections."""
    grid = {"activations": ["sigmoid"], "lengths": [200], "widths": [32], "batch": 4, "seeds": 1}
    table, double = (sequence.measure(sequence.cells(**grid, dtypes=[dtype])[0]) for dtype in ("float32", "float64"))
    assert values(table, "float32_gradient")[0] == -math.inf
    assert values(table, "log10_gradient")[0] < -100
    assert values(table, "log10_gradient") == pytest.approx(values(double, "log10_gradient"), abs=1e-3)
    assert np.array_equal(values(double, "log10_gradient"), values(double, "float64_gradient"))


def test_an_explosion_beyond_float32():
    grid = {"activations": ["tanh"], "initializers": ["saturating"], "widths": [64], "batch": 8, "seeds": 6}
    totals = []
    for dtype in ("float32", "float64"):
        rows = sequence.measure(sequence.cells(**grid, lengths=[300], dtypes=[dtype])[0])
        totals.append(rows[(rows.metric == "log10_gradient") & (rows.position == 0)].value)
    single, double = totals
    assert single.min() > 38.6  # beyond the range of float32
    # Chaotic: float32 and float64 follow different trajectories of the same growth, so only their means agree.
    error = math.sqrt(single.var() / len(single) + double.var() / len(double))
    assert abs(single.mean() - double.mean()) < 4 * error


def test_a_gradient_that_is_gone_is_minus_infinity():
    """hardtanh saturated on every unit has slope exactly 0, which no rescaling brings back."""
    grid = {"activations": ["hardtanh"], "initializers": ["saturating"], "widths": [4], "batch": 1, "lengths": [60]}
    table = sequence.measure(sequence.cells(**grid, seeds=4)[0])
    first = table[(table.metric == "log10_gradient") & (table.position == 0)].value
    assert (first == -math.inf).any()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"lengths": [0]}, "length must be a whole number of 1 or more, got 0"),
        ({"inputs": -2}, "inputs must be"),
        ({"widths": [8, 0]}, "width must be a whole number of 1 or more, got 0"),
        ({"widths": []}, "at least one width is needed"),
        ({"dtypes": ["float32", "float16"]}, "dtype must be float32 or float64, got 'float16'"),
        ({"trained": -1}, "trained must be a whole number of 0 or more, got -1"),
        ({"trained": 5, "inputs": 10}, "inputs must be 2 where weights are trained, on the adding problem, got 10"),
        ({"trained": 5, "lengths": [9, 1]}, "length must be a whole number of 2 or more, got 1"),
        ({"architectures": ["plain"]}, "unknown architecture across time 'plain'; valid: .*rnn"),
    ],
)
def test_a_wrong_grid_is_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        sequence.cells(**wrong)


def test_defaults_are_the_contracts():
    (cell,) = sequence.cells()
    assert (cell.architecture, cell.length, cell.width, cell.inputs, cell.batch, cell.seeds) == (
        "rnn",
        100,
        256,
        10,
        32,
        8,
    )


def test_sizes_make_a_grid_of_which_a_cell_has_no_depth():
    names = {"architectures": ["rnn", "transformer_pre"]}
    cells = sequence.cells(**names, lengths=[3, 5, 3], widths=[4, 8], depths=[1, 2], dtypes=["float64", "float32"])
    found = {(c.architecture, c.length, c.width, c.depth, c.inputs, c.dtype) for c in cells}
    shared = [(length, width) for length in (3, 5) for width in (4, 8)]
    assert found == {
        ("rnn", *size, None, 10, dtype) for size in shared for dtype in ("float32", "float64")
    } | {
        ("transformer_pre", *size, depth, None, dtype)
        for size in shared for depth in (1, 2) for dtype in ("float32", "float64")
    }  # fmt: skip
    assert len(cells) == len(found)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def test_against_a_naive_lstm():
    """Gradients of h and c at every step, by hand; h's and c's shares apart."""
    (cell,) = sequence.cells(architectures=["lstm"], dtypes=["float64"], seed=7, **SMALL)
    table = sequence.measure(cell)
    rng, inputs, injected = streams(7)
    Wx, Wh = (
        np.hstack([rng.standard_normal((n, 12), dtype=np.float32).astype(np.float64) for _ in range(4)])
        * math.sqrt(2 / (n + 12))
        for n in (4, 12)
    )
    h, c, kept = np.zeros((5, 12)), np.zeros((5, 12)), []
    for x in inputs.standard_normal((6, 5, 4)):
        i, f, g, o = np.split(x @ Wx + h @ Wh, 4, axis=1)
        i, f, g, o, before = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o), c
        c = f * c + i * g
        h = o * np.tanh(c)
        kept.append((i, f, g, o, before, c))
    dh, dc, norms, cell_norms = injected.standard_normal((5, 12)), np.zeros((5, 12)), [], []
    for i, f, g, o, before, after in kept[::-1]:
        dc = dc + dh * o * (1 - np.tanh(after) ** 2)
        norms.append(np.log10(np.linalg.norm(dh)))
        cell_norms.append(np.log10(np.linalg.norm(dc)))
        di, df, dg, do = dc * g * i * (1 - i), dc * before * f * (1 - f), dc * i * (1 - g**2), dh * np.tanh(after)
        dh = np.hstack([di, df, dg, do * o * (1 - o)]) @ Wh.T
        dc = dc * f
    norms = np.array([np.log10(np.linalg.norm(dh)), *norms[::-1]])
    cell_norms = np.array([np.log10(np.linalg.norm(dc)), *cell_norms[::-1]])
    assert values(table, "log10_gradient_norm", 7) == pytest.approx(norms, abs=1e-11)
    assert values(table, "log10_cell_gradient", 7) == pytest.approx(cell_norms - norms[-1], abs=1e-11)


@pytest.mark.parametrize("architecture", ["lstm", "gru"])
@pytest.mark.parametrize("initializer", ["xavier_normal", "chrono", "forget_one"])
def test_gated_cells_beyond_float32(architecture, initializer):
    """400 steps lose more than float32 has, which takes several injections, of the cell state's gradient too."""
    grid = {
        "architectures": [architecture],
        "initializers": [initializer],
        "lengths": [400],
        "widths": [16],
        "batch": 4,
    }
    table, double = (
        sequence.measure(sequence.cells(**grid, seeds=1, dtypes=[dtype])[0]) for dtype in ("float32", "float64")
    )
    if initializer == "xavier_normal":
        assert values(table, "float32_gradient")[0] == -math.inf
        assert values(table, "log10_gradient")[0] < -45
    metrics = ["log10_gradient", *(["log10_cell_gradient"] if architecture == "lstm" else [])]
    for metric in metrics:
        assert values(table, metric) == pytest.approx(values(double, metric), abs=2e-3)
    assert np.array_equal(values(double, "log10_gradient"), values(double, "float64_gradient"))
    assert ("log10_cell_gradient" in set(table.metric)) == (architecture == "lstm")


@pytest.mark.parametrize("architecture", ["rnn", "lstm", "gru"])
def test_both_passes_are_equal_whatever_the_cell(monkeypatch, architecture):
    """Begun anew at every step, with exact powers of two, the gradient is the plain one."""
    (cell,) = sequence.cells(architectures=[architecture], dtypes=["float64"], **SMALL)
    whole = sequence.measure(cell)
    monkeypatch.setattr(attenuation, "MARGIN", 1023)
    table = sequence.measure(cell)
    for metric in set(whole.metric):
        assert values(table, metric, 0) == pytest.approx(values(whole, metric, 0), abs=1e-9, nan_ok=True), metric
