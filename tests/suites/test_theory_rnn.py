"""The bounds of an RNN's theory: networks in plain NumPy just inside and outside, as in test_theory_edges."""

import math
from dataclasses import replace

import numpy as np
import pytest

from suites.prediction import PROMISED, ingredients
from suites.theory import PREDICTIONS
from suites.theory_rnn import Added


@pytest.mark.parametrize(
    ("name", "initializer", "sw2", "inputs", "length", "width", "batch"),
    [
        ("tanh", "lecun_normal", 1, 90, 30, 90, 6),
        ("relu", "lecun_normal", 1, 40, 6, 30, 5),
        ("gelu", "lecun_normal", 1, 60, 12, 100, 12),
        ("elu", "he_normal", 2, 70, 8, 120, 3),
        ("tanh", "xavier_normal", 1, 10, 100, 256, 8),  # as attenuate time by default, but for the batch
        ("identity", "lecun_normal", 1, 10, 150, 150, 2),  # as fast as the spectral radius
        ("tanh", "xavier_normal", 1, 10, 150, 32, 4),  # slopes that change
        ("relu", "he_normal", 2, 10, 60, 130, 2),  # slopes that stand
        ("softsign", "lecun_normal", 1, 5, 80, 100, 4),  # few inputs
        ("tanh", "lecun_normal", 1, 10, 40, 48, 1),  # with a band
        ("relu", "lecun_normal", 1, 30, 20, 64, 1),
        ("relu", "he_normal", 2, 40, 10, 29, 1),  # as few units as may be, of steep ones half
        ("elu", "he_normal", 2, 10, 15, 24, 1),
        ("relu", "he_normal", 2, 40, 60, 30, 16),
    ],
)
def test_rnn_inside(name, initializer, sw2, inputs, length, width, batch, simulated):
    sizes = {"inputs": inputs, "length": length, "width": width, "batch": batch}
    line = PREDICTIONS["rnn"](activation=name, initializer=initializer, **sizes)
    assert line.reason == ""
    entering = 2 * inputs / (inputs + width) if initializer == "xavier_normal" else sw2
    seeds = range(500, 540 if length * width < 5000 else 510)
    found, error = simulated.typical(simulated.recurrent, seeds, name=name, sw2=sw2, vx=entering, **sizes)
    expected = line.curve[0] - np.log(10) * np.nan_to_num(line.sd[0]) ** 2
    assert abs(found - expected) < PROMISED * length + 2 * error


@pytest.mark.parametrize(
    ("name", "sw2", "initializer", "inputs", "length", "width"),
    [
        ("tanh", 1, "lecun_normal", 20, 25, 40),
        ("relu", 1, "lecun_normal", 40, 20, 64),
        ("elu", 2, "he_normal", 10, 9, 90),
    ],
)
def test_band_of_an_rnn(name, sw2, initializer, inputs, length, width, simulated):
    """Single samples, at the end of the way and half of it: how far networks are apart, and where they are centred."""
    sizes = {"inputs": inputs, "length": length, "width": width, "batch": 1}
    line = PREDICTIONS["rnn"](activation=name, initializer=initializer, **sizes)
    entering = 2 * inputs / (inputs + width) if initializer == "xavier_normal" else sw2
    rngs = [np.random.default_rng(seed) for seed in range(900, 1020)]
    given = {"name": name, "sw2": sw2, "vx": entering, **sizes}
    logs = 0.5 * np.log10([simulated.recurrent(rng, **given) for rng in rngs])
    for at in (0, length // 2):
        assert 0.6 < np.std(logs[:, at], ddof=1) / line.sd[at] < 1.5
        centre = line.curve[at] - np.log(10) * line.sd[at] ** 2
        assert np.mean(logs[:, at]) == pytest.approx(centre, abs=0.01 * (length - at) + 0.2 * line.sd[at])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"inputs": 1, "width": 30, "length": 1}, "same at every step"),
        ({"width": 16, "batch": 2, "length": 3}, "few units"),
    ],
)
def test_rnn_outside(changes, reason):
    given = {"initializer": "he_normal", "inputs": 40, "width": 64, "length": 5, "batch": 8, **changes}
    assert reason in PREDICTIONS["rnn"](activation="relu" if "batch" in changes else "tanh", **given).reason


@pytest.mark.parametrize(
    ("name", "initializer", "sw2", "inputs", "length", "width"),
    [("identity", "lecun_normal", 1, 40, 100, 32), ("softsign", "he_normal", 2, 1, 40, 128)],
)
def test_rnn_outside_is_further_off(name, initializer, sw2, inputs, length, width, simulated):
    """Beside the line of independent weights and many inputs, which is not drawn."""
    sizes = {"inputs": inputs, "length": length, "width": width, "batch": 8}
    assert "same at every step" in PREDICTIONS["rnn"](activation=name, initializer=initializer, **sizes).reason
    line = PREDICTIONS["rnn"](activation=name, initializer=initializer, **{**sizes, "inputs": 10**6, "width": 10**6})
    found, error = simulated.typical(simulated.recurrent, range(40), name=name, sw2=sw2, vx=sw2, **sizes)
    gap, error = (found - line.curve[0]) / length, error / length
    assert error < PROMISED / 4
    assert abs(gap) + 2 * error > PROMISED


def mean_square(q):
    """E[erf(x)^2] of x ~ N(0, q)."""
    return 2 / math.pi * np.arcsin(2 * q / (1 + 2 * q))


def slope(q):
    """E[erf'(x)^2]."""
    return 4 / math.pi / np.sqrt(1 + 4 * q)


def added_to_erf(hidden, entering, inputs, length, width=10**8):
    """Of so many units, whose weights of h and of x have such variances; and where q settles."""
    field, rule = ingredients("erf", "lecun_normal")
    rule = replace(rule, variance=lambda fan_in, fan_out: (entering if fan_in == inputs else hidden) / fan_in)
    q = entering
    for _ in range(300):
        q = hidden * mean_square(q) + entering
    return Added.of(field, rule, q, length, width, inputs), q


@pytest.mark.parametrize("inputs", [15, 40])
def test_units_of_few_inputs_differ_at_all_times(inputs):
    """A unit's weights of x stay: E[f'(u)^2 f'(v)^2] / E[f'^2]^2, u and v at two times, is 1 + Var over Mean^2.

    Of 10 steps and n units a gradient's ways meet once 10^2 / 2n times.
    """
    units = 10**5
    (few, q), (many, _) = (added_to_erf(1.0, 1.0, inputs, 10, width) for width in (units, 10**9))
    standing = (few.by_steps - many.by_steps)[-1] / (10**2 / (2 * units))
    of_units = slope(q - 1 + np.random.default_rng(0).chisquare(inputs, 200_000) / inputs)
    assert standing == pytest.approx(of_units.var() / of_units.mean() ** 2, rel=0.15)


@pytest.mark.parametrize(("hidden", "entering", "inputs"), [(0.8, 0.05, 200), (0.5, 1.0, 800)])
def test_what_the_sizes_of_few_inputs_add(hidden, entering, inputs):
    """The mean of a product of slopes where |x|^2 differs from step to step: leading order tells half at least."""
    length, networks, before = 200, 20_000, 30
    added, q = added_to_erf(hidden, entering, inputs, length)
    rng, now, logs = np.random.default_rng(0), np.full(networks, q), np.zeros(networks)
    for step in range(before + length):
        now = hidden * mean_square(now) + entering * rng.chisquare(inputs, networks) / inputs
        logs += np.log(slope(now) / slope(q)) * (step >= before)
    simulated = np.log(np.mean(np.exp(logs)))
    assert simulated / 2 < added.largest * 2 * math.log(10) < 1.1 * simulated


def test_the_same_linear_weights_at_every_step():
    """The mean of |W^16|^2 over 64 units is more than 1, of independent weights; leading order tells half at least."""
    rng, squares = np.random.default_rng(2), []
    for _ in range(2000):
        power = rng.standard_normal((64, 64)) / 8
        for _ in range(4):
            power = power @ power
        squares.append(np.mean(power**2) * 64)
    sizes = {"length": 16, "width": 64, "inputs": 10, "batch": 1}
    line = PREDICTIONS["rnn"](activation="identity", initializer="lecun_normal", **sizes)
    simulated = 0.5 * np.log10(np.mean(squares))
    assert simulated / 2 < line.curve[0] < 1.1 * simulated
