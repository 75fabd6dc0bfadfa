"""Evidence is a number where one can be worked out by hand, infinite where nothing passes, and never an error."""

import math

import numpy as np
import pytest

from suites.cause_evidence import expected, lost_to_bends, normalised, off_critical, own_loss
from suites.interventions import subject
from suites.schema import rows

# Slope 0 everywhere: of a step, and of what is 0 itself. Squares. The last one's variance rounding loses beside 1e18.
OWN = """
def step(x):
    return type(x)(1) if x > 0 else type(x)(0)


def step_derivative(x):
    return type(x)(0)


step_kinks = (0.0,)


def nothing(x):
    return x * type(x)(0)


def nothing_derivative(x):
    return type(x)(0)


def square(x):
    return x * x


def square_derivative(x):
    return type(x)(2) * x


def lifted(x):
    return type(x)(1e9) + x


def lifted_derivative(x):
    return type(x)(1)
"""


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """named(name): how an activation of OWN is called, in one file, whose functions are compiled once."""
    path = tmp_path_factory.mktemp("own") / "flat.py"
    path.write_text(OWN)
    return lambda name: f"{path}:{name}"


def cell(activation, architecture="plain", n=3, **more):
    """A small configuration across depth, or across time of a cell."""
    names = {"architecture": architecture, "activation": activation, "initializer": "xavier_normal", **more}
    return subject("time" if architecture == "rnn" else "depth", n, **{"width": 8, "batch": 2, "seeds": 2} | names)


def left(*decades):
    """The measured rows of a configuration whose seeds have so many decades, and weights of variance 1."""
    seeds = range(len(decades))
    return rows({"weight_variance": 1.0}, metric="log10_gradient", position=0, seed=seeds, value=decades)


@pytest.mark.parametrize("architecture", ["plain", "rnn", "layernorm", "batchnorm"])
@pytest.mark.parametrize("name", ["step", "nothing"])
def test_a_slope_that_is_0_everywhere_takes_all_of_the_gradient(named, architecture, name):
    subject = cell(named(name), architecture)
    assert own_loss(subject, left(-math.inf, -math.inf)) == 1.0
    assert normalised(subject, left(-math.inf)) == pytest.approx(
        math.inf if architecture.endswith("norm") else math.nan, nan_ok=True
    )


@pytest.mark.parametrize(("name", "measured", "evidence"), [
    ("nothing", -math.inf, 1.0), ("nothing", -3.0, math.nan), ("square", -math.inf, math.nan),
])  # fmt: skip
def test_elsewhere_it_is_evidence_where_nothing_is_left(named, name, measured, evidence):
    """The candidate and the output of an LSTM pass it; a GRU's state goes past it."""
    assert own_loss(cell(named(name), "residual"), left(measured)) == pytest.approx(evidence, nan_ok=True)


def test_where_theory_is_silent_of_norms_on_the_path_the_measured_decades_are_evidence():
    """A LayerNorm of one unit leaves nothing, and theory is of more; at 64 units it has a curve."""
    evidence = expected("transformer_post")
    assert evidence(cell("tanh", "transformer_post", width=1), left(-math.inf)) == math.inf
    assert evidence(cell("tanh", "transformer_post", width=1), left(3.0, 5.0)) == 4.0
    assert evidence(cell("tanh", "transformer_post", n=4, width=64), left(1e9)) < 3
    assert math.isnan(evidence(cell("tanh", "transformer_pre"), left(-math.inf)))


@pytest.mark.parametrize(("initializer", "scale", "entering"), [
    ("framework_default", 1 / 3, 12 / 64 / 3 + 1 / 3 / 64), ("critical", 1.0, 1.0), ("saturating", 1024.0, 1024.0),
])  # fmt: skip
def test_an_rnns_weights_are_off_by_the_chi_beside_its_input(initializer, scale, entering):
    """Against the fixed point in plain NumPy: what h and 12 inputs of variance 1 give, by Riemann sums."""
    x = np.linspace(-12, 12, 400_001)
    density = np.exp(-x * x / 2) / np.exp(-x * x / 2).sum()
    q = entering
    for _ in range(60):
        q = scale * density @ np.tanh(np.sqrt(q) * x) ** 2 + entering
    chi = scale * density @ np.cosh(np.clip(np.sqrt(q) * x, -300, 300)) ** -4
    found = cell("tanh", "rnn", n=60, width=64, inputs=12, initializer=initializer)
    assert off_critical(found, left(-9.0)) == pytest.approx(abs(math.log10(chi)), abs=1e-6)


@pytest.mark.parametrize(("architecture", "n"), [("rnn", 400), ("lstm", 9)])
def test_elsewhere_they_are_off_by_the_critical_variance(architecture, n):
    """Where pre-activations overflow float64, and with gates; rows have weights of variance 1, and relu's is 2."""
    found = subject("time", n, architecture=architecture, activation="relu", initializer="saturating", width=8, seeds=1)
    assert off_critical(found, left(-3.0)) == pytest.approx(math.log10(2))


def test_a_variance_that_rounding_hides_is_no_evidence(named):
    assert math.isnan(normalised(cell(named("lifted"), "batchnorm", dtype="float64"), left(-3.0)))


@pytest.mark.parametrize("measured", [2.0, -0.1])
def test_decades_at_weights_that_keep_the_variance_over_those_measured(named, measured):
    """x^2 has E[f'^2] = 4 and E[f^2] = 3: 3 layers gain 1.5 log10(4/3)."""
    found = own_loss(cell(named("square")), left(measured))
    assert found == pytest.approx(1.5 * math.log10(4 / 3) / measured, rel=1e-9)


@pytest.mark.parametrize("measured", [1e9, -math.inf, math.nan])
def test_where_no_critical_point_is_stable_that_is_evidence_whatever_is_measured(measured):
    assert own_loss(cell("gelu"), left(measured)) == 1.0


@pytest.mark.parametrize(("architecture", "squared"), [("layernorm", 1.0), ("batchnorm", np.pi / (np.pi - 1))])
def test_relu_in_normalised_layers(architecture, squared):
    """E[f'^2] and E[f^2] are 1/2 both, Var f is 1/2 - 1/(2 pi) (Yang et al. 2019)."""
    found = cell("relu", architecture, n=10)
    assert normalised(found, left(2.0)) == pytest.approx(5 * math.log10(squared), abs=1e-9)
    assert own_loss(found, left(2.0)) == pytest.approx(0, abs=1e-9)


def test_all_that_is_lost_is_lost_to_bends_where_a_gradient_is_0():
    """The tangent of hardtanh at 0 is the identity, which loses nothing at weights of variance 1."""
    base = cell("hardtanh")
    assert lost_to_bends(base, left(-math.inf, -3.0)) == 1.0
    assert lost_to_bends(base, left(-3.0, -2.0)) == pytest.approx(1.0)
    assert lost_to_bends(base, left(3.0, 2.0)) == pytest.approx(-1.0)
    assert math.isnan(lost_to_bends(base, left(math.nan)))
    assert math.isnan(lost_to_bends(cell("relu"), left(-math.inf)))  # flat where it is not steepest: dead_units tells
