"""Sums over softmax of random logits: exact where the logits are equal or one, against draws elsewhere."""

import math

import numpy as np
import pytest

from suites.attending import softmax_sums


@pytest.mark.parametrize("steps", [1, 2, 5, 1000])
def test_equal_logits_are_uniform(steps):
    assert softmax_sums(0.0, steps) == pytest.approx((1 / steps, (1 - 1 / steps) / steps), abs=1e-12)


def test_one_step_has_all():
    assert softmax_sums(3.0, 1) == pytest.approx((1, 0), abs=1e-9)


def test_many_steps_have_the_moments_of_the_logits():
    """E[sum P^2] of n steps is E[e^(2 l)] / E[e^l]^2 / n = e^variance / n to leading order."""
    kept, sloped = softmax_sums(0.5, 10**6)
    assert kept == pytest.approx(math.exp(0.5) / 10**6, rel=1e-5)
    assert sloped == pytest.approx(kept, rel=1e-5)


@pytest.mark.parametrize(("variance", "steps"), [(1.0, 2), (1.0, 16), (4.0, 40)])
def test_against_draws(variance, steps):
    p = np.exp(np.random.default_rng(1).standard_normal((40_000, steps)) * math.sqrt(variance))
    p /= p.sum(1, keepdims=True)
    squares = (p * p).sum(1)
    slopes = (p * p * (1 - 2 * p + squares[:, None])).sum(1)
    for found, drawn in zip(softmax_sums(variance, steps), (squares, slopes), strict=True):
        assert found == pytest.approx(drawn.mean(), abs=4 * drawn.std() / 200)
