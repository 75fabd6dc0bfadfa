"""Predictions across time: a vanilla RNN by hand, gated cells against cells in plain NumPy."""

import math

import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.critical import MeanField
from kernels.initializers import INITIALIZERS
from suites.theory import PREDICTIONS
from suites.theory_rnn import Added, meeting_twice

N = 256


def curve(architecture, **sizes):
    prediction = PREDICTIONS[architecture](**{"batch": 32, "activation": "tanh", "width": N, "inputs": 10, **sizes})
    assert prediction.reason == ""
    assert np.isnan(prediction.sd).all()
    return prediction.curve


def test_rnn_adds_the_inputs_variance_at_every_step():
    """By hand over two steps: q_1 = s, q_2 = sw2 E[tanh(z_1)^2] + s."""
    field = MeanField.of(ACTIVATIONS["tanh"])
    s = 10 * 2 / (10 + N)  # xavier over 10 inputs
    q = s + field.value_moment(s)
    expected = 0.5 * math.log10(field.slope_moment(s) * field.slope_moment(q))
    found = curve("rnn", initializer="xavier_normal", length=2)
    assert found[0] == pytest.approx(expected)
    assert found[2] == 0


def test_rnn_framework_default_draws_everything_by_the_hidden_size():
    field = MeanField.of(ACTIVATIONS["tanh"])
    q = 10 / (3 * N) + 1 / (3 * N)
    found = curve("rnn", initializer="framework_default", length=1)
    assert found[0] == pytest.approx(0.5 * math.log10(field.slope_moment(q) / 3))


RNNS = [  # activation, initializer, sw2, variance of x Wx, inputs, length, width
    ("tanh", "lecun_normal", 1, 1, 64, 30, 64),
    ("relu", "xavier_normal", 1, 20 / 266, 10, 30, 256),
    ("identity", "lecun_normal", 1, 1, 5, 20, 200),
    ("softsign", "lecun_normal", 1, 1, 40, 25, 100),
    ("sigmoid", "lecun_normal", 1, 1, 100, 15, 160),
    ("tanh", "xavier_normal", 1, 200 / 228, 100, 40, 128),
]


@pytest.mark.parametrize(("activation", "initializer", "sw2", "vx", "inputs", "length", "width"), RNNS)
def test_simulated_rnn(activation, initializer, sw2, vx, inputs, length, width, simulated):
    sizes = {"inputs": inputs, "length": length, "width": width, "batch": 8}
    found, error = simulated.over_seeds(simulated.recurrent, 24, name=activation, sw2=sw2, vx=vx, **sizes)
    predicted = curve("rnn", activation=activation, initializer=initializer, **sizes)
    assert (np.abs(predicted - found) < 4 * error + 0.05).all()


@pytest.mark.parametrize(
    ("activation", "initializer", "length", "width", "inputs"),
    [
        ("identity", "lecun_normal", 200, 64, 10),
        ("identity", "lecun_normal", 30, 32, 10),
        ("tanh", "framework_default", 200, 64, 10),
        ("softsign", "he_normal", 50, 128, 1),
    ],
)
def test_rnn_is_silent_where_the_same_weights_count(activation, initializer, length, width, inputs):
    """Where simulated networks gain 0.02 to 0.06 decades per step more than with independent weights."""
    sizes = {"inputs": inputs, "length": length, "width": width, "batch": 8}
    reason = PREDICTIONS["rnn"](activation=activation, initializer=initializer, **sizes).reason
    assert reason.startswith("that its weights are the same at every step")


@pytest.mark.parametrize(("r", "length"), [(1.0, 9), (0.7, 12), (0.3, 7)])
def test_ways_that_meet_twice_are_counted_one_by_one(r, length):
    """a X b Y a Z b beside a Z b Y a X b: r^(x + y + z), but r^(2 x) where X and Z are as long: Y keeps its place."""
    found = meeting_twice(r, length)
    for steps in range(length + 1):
        ways = 0.0
        for x in range(1, steps + 1):
            for y in range(steps + 1):
                for z in range(1, steps - x - y + 1):
                    ways += (steps - x - y - z + 1) * r ** (2 * x if x == z else x + y + z)
        assert found[steps] == pytest.approx(ways, rel=1e-12, abs=1e-12)


def test_the_same_linear_weights_have_their_exact_moments():
    """E|W^t v|^2 = N [(1 + 1/N) ... (1 + (t + 1)/N) - (1 - 1/N) ...] / ((t + 1)(t + 2)) of complex Gaussian W."""
    field, rule, steps = MeanField.of(ACTIVATIONS["identity"]), INITIALIZERS["lecun_normal"], np.arange(1, 62)
    for width in (2000, 4000):
        exact = width * (np.prod(1 + steps / width) - np.prod(1 - steps / width)) / (61 * 62)
        more = Added.of(field, rule.of(ACTIVATIONS["identity"]), 61.0, 60, width, 10**9)
        assert more.by_steps[60] == pytest.approx(math.log(exact), rel=0.1)


def test_a_gaussian_matrix_has_the_spectral_radius_that_bounds_a_line():
    """Linear networks of two widths whose ways meet without end."""
    field, rule = MeanField.of(ACTIVATIONS["identity"]), INITIALIZERS["lecun_normal"].of(ACTIVATIONS["identity"])
    rng = np.random.default_rng(4)
    for width, networks in ((12, 400), (100, 60)):
        weights = rng.standard_normal((networks, width, width)) / math.sqrt(width)
        radii = np.log10(np.abs(np.linalg.eigvals(weights)).max(axis=1))
        bound = Added.of(field, rule, 61.0, 1000, width, 10**9).largest / 1000
        error = radii.std(ddof=1) / math.sqrt(networks)
        assert -2 * error < bound - radii.mean() < 0.006 + 2 * error


def test_orthogonal_linear_weights_keep_the_norm_however_long():
    found = curve("rnn", activation="identity", initializer="orthogonal", length=3000)
    assert found == pytest.approx(np.zeros(3001), abs=1e-12)


def test_critical_weights_are_those_of_the_activation():
    """erf' = 2/sqrt(pi) at 0, so weights of variance pi/4."""
    s = math.pi / 4
    moment = MeanField.of(ACTIVATIONS["erf"]).slope_moment(s)
    found = curve("rnn", activation="erf", initializer="critical", length=1)
    assert found[0] == pytest.approx(0.5 * math.log10(s * moment), abs=1e-8)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_without_input_the_rate_is_the_spectral_radius(cell):
    """Gates at sigmoid(0): f + i o sw of an LSTM, z + (1 - z) r sw of a GRU; ways of n steps are fewer by sqrt(n)."""
    found = curve(cell, initializer="xavier_normal", length=1000, width=10**9)
    assert (found[600] - found[500]) / 100 == pytest.approx(-math.log10(0.5 + 0.25), abs=1e-3)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize(
    ("activation", "initializer", "inputs", "sw2", "keep"),
    [
        ("tanh", "xavier_normal", 10, 1, 0.0),
        ("tanh", "forget_one", 64, 1, 1.0),
        ("softsign", "he_normal", 10, 2, 0.0),
        ("relu", "xavier_normal", 10, 1, 0.0),
    ],
)
def test_simulated_cells(cell, activation, initializer, inputs, sw2, keep, simulated):
    width, length = 128, 20
    vx = {"he_normal": 2.0}.get(initializer, 2 * inputs / (inputs + width))
    sizes = {"length": length, "width": width, "batch": 8}
    found, error = simulated.over_seeds(
        simulated.gated, 24, cell=cell, name=activation, sw2=sw2, vx=vx, keep=keep, take=0.0, **sizes
    )
    predicted = curve(cell, activation=activation, initializer=initializer, inputs=inputs, **sizes)
    assert (np.abs(predicted - found) < 3 * error + 0.003 * np.arange(length, -1, -1) + 0.02).all()


@pytest.mark.parametrize(("cell", "sign"), [("lstm", -1), ("gru", 0)])
def test_simulated_chrono(cell, sign, simulated):
    """Biases ln U[1, T - 1] of the gate that keeps, of an LSTM minus that of the one that takes."""
    width, length, inputs = 128, 30, 20
    keep = np.log(np.random.default_rng(5).permutation(np.linspace(1, length - 1, width)))
    biases = {"keep": keep, "take": sign * keep}
    sizes = {"length": length, "width": width, "batch": 8}
    vx = 2 * inputs / (inputs + width)
    found, error = simulated.over_seeds(simulated.gated, 8, cell=cell, name="tanh", sw2=1, vx=vx, **biases, **sizes)
    predicted = curve(cell, initializer="chrono", inputs=inputs, **sizes)
    assert (np.abs(predicted - found) < 4 * error + 0.02).all()
