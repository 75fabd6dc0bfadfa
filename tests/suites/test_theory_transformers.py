"""Predictions of Transformers: blocks in plain NumPy, depth 1 to 12, and the limits of uniform attention."""

import math

import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.critical import MeanField
from kernels.initializers import INITIALIZERS
from suites.theory import PREDICTIONS
from suites.theory_transformers import FeedForward, attention

# initialiser -> fan_in times the variance of attention's weights and of both of the feed-forward network's
VARIANCES = {
    "he_normal": {"s": 1, "s1": 2, "s2": 1},
    "lecun_normal": {"s": 1, "s1": 1, "s2": 1},
    "xavier_normal": {"s": 1, "s1": 0.4, "s2": 1.6},
}


@pytest.mark.parametrize("pre", [False, True])
@pytest.mark.parametrize(
    ("activation", "initializer", "depth", "tokens"),
    [
        ("relu", "he_normal", 12, 4),
        ("tanh", "lecun_normal", 5, 3),
        ("swish", "xavier_normal", 3, 9),
        ("sigmoid", "he_normal", 4, 1),
        ("relu", "xavier_normal", 1, 16),
    ],
)
def test_simulated_blocks(pre, activation, initializer, depth, tokens, simulated):
    sizes = {"depth": depth, "width": 128, "batch": 4, "tokens": tokens}
    variances = VARIANCES[initializer]
    found, error = simulated.over_seeds(simulated.transformer, 6, name=activation, pre=pre, **variances, **sizes)
    architecture = f"transformer_{'pre' if pre else 'post'}"
    prediction = PREDICTIONS[architecture](activation=activation, initializer=initializer, **sizes)
    # Tokens of 128 features are correlated by 1/sqrt(128) to begin with, which theory takes for 0.
    assert (np.abs(prediction.curve - found) < 4 * error + 0.005 * np.arange(depth, -1, -1) + 0.01).all()


def test_relu_behind_layernorm_without_attention_doubles_nothing():
    """Tokens that hardly attend to others, too_small: post-norm has (1 + c)/(1 + v), and c = v of ReLU."""
    sizes = {"depth": 3, "width": 4, "tokens": 8}
    curve = PREDICTIONS["transformer_post"](activation="relu", initializer="too_small", **sizes).curve
    assert curve == pytest.approx(np.zeros(4), abs=1e-6)


@pytest.mark.parametrize("tokens", [1, 2, 16])
def test_attention_to_tokens_that_are_all_the_same_is_uniform(tokens):
    """rho = 1: what is passed on is one token's, times s^2; gradients of queries and keys are 0."""
    passed = attention(INITIALIZERS["lecun_normal"], 64, tokens)(1.0)
    assert passed.variance == passed.covariance == pytest.approx(1)
    for kappa in (0.0, 0.3, 1.0):
        c, both = (start + slope * kappa for start, slope in (passed.back_variance, passed.back_covariance))
        assert c == pytest.approx(1 / tokens + (1 - 1 / tokens) * kappa)
        if tokens > 1:
            assert both == pytest.approx(c)


def test_the_feed_forward_network_has_the_formulas_of_relu():
    """s1 = 2, s2 = 1: v = c = 1, r = [sin t + rho (pi - t)]/pi, r' = kappa (1 - t/pi), t = arccos rho."""
    feed = FeedForward(MeanField.of(ACTIVATIONS["relu"]), INITIALIZERS["he_normal"], 64)
    for rho in (0.0, 0.37, 1.0):
        passed, t = feed(rho), math.acos(rho)
        assert passed.variance == pytest.approx(1)
        assert passed.covariance == pytest.approx((math.sin(t) + rho * (math.pi - t)) / math.pi)
        assert passed.back_variance == (pytest.approx(1), 0)
        assert passed.back_covariance == (0, pytest.approx(1 - t / math.pi))
