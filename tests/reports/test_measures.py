"""What claims measure, on curves whose answers are known."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from reports import measures
from reports.claim import MissingError
from reports.claim_evidence import Evidence
from reports.load import Tables
from suites.schema import merge, rows

SEEDS = (0, 1, 2)


def curve(activation, value, layers=20, noise=0.0, predicted=None, **columns):
    """Rows of a plain network: value(position), and noise times the seed but at the last position."""
    cell = {"experiment": "depth", "architecture": "plain", "activation": activation, "initializer": "he_normal",
            "depth": layers, "width": 8, **columns}  # fmt: skip
    position = np.arange(layers + 1)
    lines = [
        rows(cell, seed=seed, position=position, metric="log10_gradient",
             value=value(position) + noise * seed * (position < layers))
        for seed in SEEDS
    ]  # fmt: skip
    if predicted is not None:
        lines.append(rows(cell, position=position, metric="predicted_log10_gradient", value=predicted(position)))
    return merge(lines)


def evidence(*tables):
    return Evidence(Tables(Path(), {}, {"depth": merge(list(tables))}))


def of(activation, layers=20):
    return measures.across_depth("plain", activation, "he_normal", layers)


def exponential(position):
    return 0.5 * (position - 20.0)


def test_total_per_layer_and_share():
    run = evidence(curve("tanh", exponential, noise=0.1, predicted=lambda position: 0.4 * (position - 20.0)))
    total = measures.total(of("tanh"))(run)
    half = stats.t.ppf(0.975, 2) * 0.1 / math.sqrt(3)
    assert (total.value, total.theory) == (pytest.approx(-9.9), pytest.approx(-8.0))
    assert (total.low, total.high) == (pytest.approx(-9.9 - half), pytest.approx(-9.9 + half))
    rate = measures.per_factor(of("tanh"))(run)
    assert (rate.value, rate.theory) == (pytest.approx(-0.495), pytest.approx(-0.4))
    assert measures.kept(of("tanh"))(run).value == pytest.approx(10**-9.9)


def test_an_exponential_is_straight_and_a_power_is_not():
    run = evidence(
        curve("tanh", exponential), curve("relu", lambda p: -np.log10(21.0 - p)), curve("elu", lambda p: 0.0 * p)
    )
    assert measures.straightness(of("tanh"))(run).value == pytest.approx(1)
    x, y = np.arange(21.0), -np.log10(21 - np.arange(21.0))
    assert measures.straightness(of("relu"))(run).value == pytest.approx(stats.linregress(x, y).rvalue ** 2)
    assert measures.straightness(of("relu"))(run).value < 0.9
    assert measures.straightness(of("elu"))(run).value == 0


def test_layers_within_a_factor_of_ten_of_the_last():
    run = evidence(curve("tanh", exponential, predicted=exponential), curve("relu", lambda p: 0.0 * p))
    reached = measures.reached(of("tanh"))(run)
    assert reached.value == reached.theory == 3  # 0, -0.5 and -1
    assert measures.reached(of("relu"))(run).value == 20


def test_two_networks_are_compared_seed_by_seed():
    run = evidence(
        curve("tanh", exponential, noise=0.1),
        curve("relu", lambda p: 0.1 * (p - 20.0), noise=0.1),
        curve("elu", lambda p: 0.5 * (p - 40.0) ** 1, layers=40),
    )
    gained = measures.gained(of("relu"), of("tanh"))(run)
    assert gained.value == pytest.approx(8)
    assert gained.high - gained.low == pytest.approx(0, abs=1e-9)  # the seeds' noise is the same in both
    assert math.isnan(gained.theory)
    assert measures.quickening(of("elu", 40), of("tanh"))(evidence(
        curve("tanh", exponential), curve("elu", lambda p: 0.75 * (p - 40.0), layers=40)
    )).value == pytest.approx(1.5)  # fmt: skip
    plain = evidence(curve("tanh", exponential), curve("relu", lambda p: 0.1 * (p - 20.0)))
    assert measures.recovered(of("relu"), of("tanh"))(plain).value == pytest.approx(0.8)


def test_no_decades_to_compare_with_are_no_number():
    run = evidence(curve("tanh", lambda p: 0.0 * p), curve("relu", lambda p: 0.0 * p))
    assert math.isnan(measures.recovered(of("relu"), of("tanh"))(run).value)


def test_trained_weights_are_not_taken_for_untrained_ones():
    with pytest.raises(MissingError, match="log10_gradient of plain tanh he_normal, 20 layers"):
        measures.total(of("tanh"))(evidence(curve("tanh", exponential, dataset="adding")))
