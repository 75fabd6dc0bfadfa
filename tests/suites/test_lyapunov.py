"""Lyapunov exponents: known spectra, determinants along the trajectory, and two trajectories side by side."""

import math

import numpy as np
import pytest

from kernels import reference_recurrent
from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES
from kernels.initializers import INITIALIZERS, Initializer
from suites import lyapunov
from suites.attenuation import streams
from suites.errors import UserError
from suites.lyapunov import TRANSIENT, dimension
from suites.theory import PREDICTIONS

ROW = ACTIVATIONS["tanh"]


def spectrum(seed=0, **grid):
    (cell,) = lyapunov.cells(**{"seeds": 1, "seed": seed, "inputs": 3, **grid})
    table = lyapunov.measure(cell)
    return table[table.metric == "lyapunov_exponent"].sort_values("position").value.to_numpy(), table, cell


class Reference:
    """A naive cell with the weights and inputs of a seed: a step forward, and its Jacobian."""

    def __init__(self, cell):
        self.name, self.width = cell.architecture, cell.width
        network = ARCHITECTURES[self.name].build(ROW, INITIALIZERS[cell.initializer], cell.width)
        weights, inputs, _ = streams(cell.seed)
        self.given = [*network.init(weights, (cell.length, 0, cell.inputs), np.dtype("f8")).params.values()]
        self.x = inputs.standard_normal((2 * TRANSIENT + cell.length, 1, cell.inputs))
        self.parts = 2 if self.name == "lstm" else 1

    def run(self, way, t, state, *gradients):
        function = getattr(reference_recurrent, f"{self.name}_{way}")
        parts = np.split(state[None], self.parts, axis=1)
        return function(ROW, *gradients, self.x[t : t + 1], *self.given, *parts, None)[-self.parts :]

    def step(self, t, state):
        return np.concatenate([part[1, 0] for part in self.run("forward", t, state)])

    def jacobian(self, t, state):
        rows = []
        for unit in np.eye(len(state)):
            dh, *dc = np.split(unit[None], self.parts, axis=1)
            rows.append(np.concatenate([part[0, 0] for part in self.run("backward", t, state, dh[None], *dc)]))
        return np.array(rows)

    def trajectory(self):
        states = [np.zeros(self.width * self.parts)]
        for t in range(len(self.x)):
            states.append(self.step(t, states[-1]))
        return states


def test_orthogonal_linear_networks_have_no_growth():
    exponents, table, _ = spectrum(activations=["identity"], initializers=["orthogonal"], widths=[6], lengths=[50])
    assert exponents == pytest.approx(np.zeros(6), abs=1e-13)
    assert table[table.metric == "decades_per_step"].value.item() == pytest.approx(0, abs=1e-13)


def test_the_prediction_is_that_of_the_experiment_across_time():
    *_, table, cell = spectrum(widths=[64], lengths=[20], inputs=64)
    curve = PREDICTIONS["rnn"](**vars(cell)).curve
    assert table[table.metric == "predicted_decades_per_step"].value.item() == pytest.approx(curve[0] / 20)


def test_gaussian_linear_networks_have_the_moduli_of_the_eigenvalues():
    """Conjugate pairs turn, so that each of the two comes only as close as 1 / length; their mean is closer."""
    exponents, _, cell = spectrum(seed=3, activations=["identity"], widths=[5], lengths=[3000])
    Wx, Wh, _ = Reference(cell).given
    moduli = np.sort(np.log(np.abs(np.linalg.eigvals(Wh))))[::-1]
    assert exponents == pytest.approx(moduli, abs=5e-3)
    assert exponents.sum() == pytest.approx(np.linalg.slogdet(Wh)[1], abs=1e-10)
    assert Wx.shape == (3, 5)


def test_units_that_do_not_meet_have_their_own_exponents(monkeypatch):
    """Diagonal weights: the mean of log |w (1 - h^2)| of each unit."""
    diagonal = Initializer(
        name="diagonal",
        unit=lambda rng, i, o: np.diag(np.linspace(0.3, 1.7, o)) if i == o else np.ones((i, o)),
        variance=lambda i, o: 1.0,
        paper="this test",
    )
    monkeypatch.setitem(INITIALIZERS, "diagonal", diagonal)
    exponents, _, cell = spectrum(initializers=["diagonal"], widths=[4], lengths=[100])
    states = np.array(Reference(cell).trajectory())[TRANSIENT + 1 : TRANSIENT + 101]
    expected = np.log(np.linspace(0.3, 1.7, 4) * (1 - states**2)).mean(axis=0)
    assert exponents == pytest.approx(np.sort(expected)[::-1], abs=0.01)
    assert exponents.sum() == pytest.approx(expected.sum(), abs=1e-9)


@pytest.mark.parametrize("architecture", ["rnn", "lstm", "gru"])
def test_exponents_sum_to_the_mean_log_determinant(architecture):
    exponents, _, cell = spectrum(seed=7, architectures=[architecture], widths=[5], lengths=[60])
    reference = Reference(cell)
    states = reference.trajectory()
    steps = range(TRANSIENT, TRANSIENT + 60)
    logs = [np.linalg.slogdet(reference.jacobian(t, states[t]))[1] for t in steps]
    assert len(exponents) == (10 if architecture == "lstm" else 5)
    assert (np.diff(exponents) <= 0).all()
    assert exponents.sum() == pytest.approx(np.mean(logs), abs=1e-9)


@pytest.mark.parametrize(
    ("architecture", "initializer"), [("rnn", "he_normal"), ("lstm", "forget_one"), ("gru", "chrono")]
)
def test_the_largest_is_how_two_trajectories_part(architecture, initializer):
    """Benettin's way, forward: a small difference, made small again at every step."""
    grid = {"architectures": [architecture], "initializers": [initializer], "widths": [6], "lengths": [400]}
    exponents, table, cell = spectrum(seed=5, **grid)
    reference, small, growth = Reference(cell), 1e-7, []
    one = np.zeros(cell.width * reference.parts)
    other = one + small / math.sqrt(len(one))
    for t in range(TRANSIENT + cell.length):
        one, other = reference.step(t, one), reference.step(t, other)
        distance = np.linalg.norm(other - one)
        growth.append(math.log(distance / small))
        other = one + (other - one) * small / distance
    assert exponents[0] == pytest.approx(np.mean(growth[TRANSIENT:]), abs=0.02)
    measured = table[table.metric == "decades_per_step"].value.item()
    assert measured == pytest.approx(exponents[0] / math.log(10), abs=0.02)


def test_chaos_has_positive_exponents_and_its_gradient_explodes():
    exponents, table, _ = spectrum(initializers=["saturating"], widths=[64], lengths=[300])
    assert exponents[0] > 0.1
    assert 1 < dimension(exponents) < 64
    measured = table[table.metric == "decades_per_step"].value.item()
    assert measured == pytest.approx(exponents[0] / math.log(10), abs=0.05)


def test_a_dead_direction_is_minus_infinity():
    """ReLU: a unit that is off takes a direction away."""
    exponents, *_ = spectrum(activations=["relu"], widths=[4], lengths=[20])
    assert exponents[-1] == -np.inf
    assert np.isfinite(exponents[0])


@pytest.mark.parametrize(
    ("exponents", "expected"),
    [
        ([-0.1, -2.0], 0),
        ([0.5, -1.0], 1.5),
        ([0.5, 0.0, -2.0, -3.0], 2.25),
        ([0.3, -0.1, -np.inf], 2),
        ([0.2, -0.1], 2),
        ([np.nan, -1.0], np.nan),
    ],
)
def test_the_dimension_of_a_spectrum(exponents, expected):
    assert dimension(np.array(exponents)) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"architectures": ["rnn", "transformer_pre"]}, "transformer_pre is no recurrent cell"),
        ({"lengths": [0]}, "length must be a whole number of 1 or more, got 0"),
        ({"initializers": ["chrono"]}, "chrono sets the biases of gates, and rnn has none"),
    ],
)
def test_a_wrong_grid_is_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        lyapunov.cells(**wrong)
