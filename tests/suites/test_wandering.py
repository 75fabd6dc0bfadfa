"""Errors of variances that are passed on, against the same recursion with one variance changed."""

import math

import numpy as np
import pytest
from scipy.special import erf

from suites.prediction import Moments, ingredients
from suites.wandering import Moved, log_slopes, moved_by, wandering

CODE = {
    "gelu": lambda x: x * (1 + erf(x / math.sqrt(2))) / 2,
    "softplus": lambda x: np.logaddexp(0, x),
    "tanh": np.tanh,
}


def test_derivatives_of_a_power_and_of_an_exponential():
    assert log_slopes(lambda q: 3 * q**1.5, 0.7) == pytest.approx([1.5, 0.0], abs=1e-9)
    assert log_slopes(math.exp, 0.7) == pytest.approx([0.7, 0.7], rel=1e-3)
    assert np.isnan(log_slopes(lambda q: 0.0, 1.0)).all()


def tried(factor, following, errors):
    """As wandering, by changing one variance after the other, where an error of each layer has such a variance."""

    def product(q, layers):
        total = 0.0
        for _ in range(layers):
            total, q = total + math.log(factor(q)), following(q)
        return total

    q, step, variance, gain = 1.0, 0.05, 0.0, 0.0
    for layer, error in enumerate(errors, start=1):
        q = following(q)
        below, at, above = (product(q * math.exp(side * step), len(errors) - layer) for side in (-1, 0, 1))
        variance += error * ((above - below) / (2 * step)) ** 2
        gain += error * (above + below - 2 * at) / step**2
    return [variance, gain]


@pytest.mark.parametrize("activation", ["gelu", "hardswish", "softplus"])
def test_what_an_error_of_each_layer_does_by_trying_it(activation):
    field, rule = ingredients(activation, "he_normal")
    moments, depth, width = Moments.of(field), 7, 50
    sw2 = rule.weight_variance(width, width)
    q, moved, errors = 1.0, [], []
    for _ in range(depth):
        moved.append(Moved.by_layer(moments, q, width))
        errors.append((moments.flatness(q) - 1) / width)
        q = sw2 * moments.value(q)
    expected = tried(moments.slope, lambda q: sw2 * moments.value(q), errors)
    assert wandering(moved) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(("activation", "weight"), [("gelu", 1.4), ("softplus", 0.5), ("tanh", 2.0)])
def test_what_an_error_of_each_block_does_by_trying_it(activation, weight):
    """Blocks x + f(x W1) W2, weight: the product of both weights' variances times their inputs."""
    moments, depth, width = Moments.of(ingredients(activation, "he_normal")[0]), 6, 50
    q, moved = 1.0, []
    for _ in range(depth):
        added = weight * moments.value(q)
        moved.append(Moved.by_block(moments, q, weight * moments.slope(q), added, width))
        q += added

    errors = [layer.own for layer in moved]  # which the networks below hold against
    expected = tried(lambda q: 1 + weight * moments.slope(q), lambda q: q + weight * moments.value(q), errors)
    assert wandering(moved) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("activation", ["gelu", "softplus", "tanh"])
def test_what_a_block_adds_to_the_variance_between_networks(activation):
    """Blocks drawn in NumPy, 4000 of 60 units: the variance of ln of the next mean square, from one that is given."""
    rng, width, draws = np.random.default_rng(5), 60, 4000
    x = rng.standard_normal(width)
    x *= math.sqrt(width) / np.linalg.norm(x)
    logs = []
    for _ in range(draws):
        W1, W2 = rng.standard_normal((2, width, width)) / math.sqrt(width)
        logs.append(math.log(np.mean((x + 2 * CODE[activation](x @ W1) @ W2) ** 2)))
    moments = Moments.of(ingredients(activation, "he_normal")[0])
    own = Moved.by_block(moments, 1.0, 4 * moments.slope(1.0), 4 * moments.value(1.0), width).own
    assert np.var(logs, ddof=1) == pytest.approx(own, rel=0.1)


@pytest.mark.parametrize(
    ("activation", "width", "depth", "batch", "networks"),
    [("swish", 40, 12, 32, 150), ("hardswish", 32, 10, 32, 150), ("gelu", 128, 20, 32, 50), ("gelu", 64, 20, 1, 150)],
)
def test_how_far_networks_are_from_a_line_of_infinite_width(activation, width, depth, batch, networks, simulated):
    """A batch follows its largest samples: by some 1.2 times less to 1.1 times more than is told; a sample by less."""
    moments, q, factors, moved = Moments.of(ingredients(activation, "he_normal")[0]), 1.0, [], []
    for _ in range(depth):
        moved.append(Moved.by_layer(moments, q, width))
        factors.append(2 * moments.slope(q))
        q = 2 * moments.value(q)
    sizes = {"depth": depth, "width": width, "batch": batch}
    mean, error = simulated.typical(simulated.layers, range(networks), name=activation, norm="", sw2=2.0, **sizes)
    found, told = mean - 0.5 * np.log10(factors).sum(), moved_by(wandering(moved), depth, batch)
    assert abs(found) < 1.1 * told + error
    assert batch == 1 or told < 1.4 * found + error


def test_what_is_not_known_is_not_told():
    assert math.isnan(moved_by(np.full(2, math.nan), 5, 8))
