"""Errors of variances that are passed on, against the same recursion with one variance changed."""

import math

import numpy as np
import pytest

from suites.prediction import Moments, ingredients
from suites.wandering import Moved, log_slopes, moved_by, wandering


def test_derivatives_of_a_power_and_of_an_exponential():
    assert log_slopes(lambda q: 3 * q**1.5, 0.7) == pytest.approx([1.5, 0.0], abs=1e-9)
    assert log_slopes(math.exp, 0.7) == pytest.approx([0.7, 0.7], rel=1e-3)
    assert np.isnan(log_slopes(lambda q: 0.0, 1.0)).all()


@pytest.mark.parametrize("activation", ["gelu", "hardswish", "softplus"])
def test_what_an_error_of_each_layer_does_by_trying_it(activation):
    """The first and second derivative of ln of the product of later factors, by changing one variance."""
    field, rule = ingredients(activation, "he_normal")
    moments, depth, width, step = Moments.of(field), 7, 50, 0.05
    sw2 = rule.weight_variance(width, width)

    def product(q, layers):
        total = 0.0
        for _ in range(layers):
            total, q = total + math.log(moments.slope(q)), sw2 * moments.value(q)
        return total

    q, moved, variance, gain = 1.0, [], 0.0, 0.0
    for layer in range(depth):
        own = (moments.flatness(q) - 1) / width
        moved.append(Moved(log_slopes(moments.slope, q), log_slopes(moments.value, q), own))
        q = sw2 * moments.value(q)
        below, at, above = (product(q * math.exp(side * step), depth - layer - 1) for side in (-1, 0, 1))
        variance += own * ((above - below) / (2 * step)) ** 2
        gain += own * (above + below - 2 * at) / step**2
    assert wandering(moved) == pytest.approx([variance, gain], rel=0.02)


def test_a_batch_follows_its_largest_samples():
    steady = np.array([0.1, -5.0])
    assert moved_by(steady, 10, 1) == pytest.approx(0.1 / (8 * math.log(10)))
    assert moved_by(steady, 40, 8) == pytest.approx(0.1 / math.log(10))
    assert moved_by(np.array([0.1, 0.3]), 1, 8) == pytest.approx(1.6 / (4 * math.log(10)))
    assert math.isnan(moved_by(np.full(2, math.nan), 5, 8))
