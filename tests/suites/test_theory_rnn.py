"""The bounds of an RNN's theory: networks in plain NumPy just inside and outside, as in test_theory_edges."""

import numpy as np
import pytest

from suites.prediction import PROMISED
from suites.theory import PREDICTIONS


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
