"""Predicted spectra against closed forms and against matrices drawn in NumPy alone."""

import math

import numpy as np
import pytest
from scipy.special import erf
from threadpoolctl import threadpool_limits

from suites import spectrum_theory
from suites.spectrum_theory import FAR_APART, predicted


def test_linear_and_relu_networks_by_hand():
    """Products of Gaussian matrices have a spread of L; ReLU's mask adds mu2/mu1^2 - 1 = 1 per layer."""
    for activation, initializer, mean, spread in (
        ("identity", "lecun_normal", 0.0, 10.0),
        ("identity", "orthogonal", 0.0, 0.0),
        ("relu", "he_normal", 0.0, 20.0),
        ("relu", "xavier_uniform", -10 * math.log10(2), 20.0),
        ("relu", "orthogonal", -10 * math.log10(2), 10.0),
    ):
        found = predicted("plain", activation, initializer, 10, 1000)
        assert found.log10_mean == pytest.approx(mean, abs=1e-12)
        assert found.spread == pytest.approx(spread, abs=1e-10)


def test_residual_blocks_of_relu_by_hand():
    """c = s1 s2 / 2 = 1: mean 2 per block, spread (2c + c^2 (mu2/mu1^2 + 1)) / (1 + c)^2 = 5/4."""
    found = predicted("residual", "relu", "he_normal", 8, 1000)
    assert found.log10_mean == pytest.approx(8 * math.log10(2), rel=1e-12)
    assert found.spread == pytest.approx(8 * 5 / 4, rel=1e-10)


def simulated(rng, f, df, depth, width, orthogonal, residual):
    """log10 of the mean of s^2, and its spread, of one network in NumPy alone."""

    def draw(gain):
        W = rng.standard_normal((width, width))
        return gain * (np.linalg.qr(W)[0] if orthogonal else W / math.sqrt(width))

    x, J = rng.standard_normal(width), np.eye(width)
    for layer in range(depth):
        W = draw(1.0)
        if layer == 0:
            x /= np.sqrt(np.mean((W @ x) ** 2))
        z = W @ x
        step = df(z)[:, None] * W
        if residual:
            V = draw(1.0)
            x, J = x + V @ f(z), J + V @ step @ J
        else:
            x, J = f(z), step @ J
    s2 = np.linalg.svd(J, compute_uv=False) ** 2
    return math.log10(s2.mean()), s2.var() / s2.mean() ** 2


@threadpool_limits.wrap(limits=1, user_api="blas")
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("orthogonal", [False, True])
def test_tanh_off_criticality_against_numpy(orthogonal, residual):
    """20 networks of 64 units: the transient matters, chi is below 1 throughout."""
    rng = np.random.default_rng(3)
    networks = [simulated(rng, np.tanh, lambda z: 1 / np.cosh(z) ** 2, 6, 64, orthogonal, residual) for _ in range(20)]
    mean, spread = np.mean(networks, axis=0)
    error = np.std(networks, axis=0, ddof=1) / math.sqrt(20)
    found = predicted(
        "residual" if residual else "plain", "tanh", "orthogonal" if orthogonal else "lecun_normal", 6, 64
    )
    assert abs(mean - found.log10_mean) < 4 * error[0] + 0.01
    assert abs(spread - found.spread) < 4 * error[1] + 0.03 * found.spread
    if not residual:
        measured = np.std(networks, axis=0, ddof=1)[0] * math.log(10)
        assert measured / 2 < found.apart < 2 * measured


def test_what_networks_of_one_orthogonal_layer_are_apart():
    """The mean of f'^2 over 64 units on a sphere: orthogonal weights keep the size of what they multiply."""
    z = np.random.default_rng(4).standard_normal((20_000, 64))
    z /= np.sqrt(np.mean(z**2, axis=1, keepdims=True))
    measured = np.std(np.log(np.mean(np.cosh(z) ** -4, axis=1)))
    assert predicted("plain", "tanh", "orthogonal", 1, 64).apart == pytest.approx(measured, rel=0.05)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_mean_through_layernorm_of_linear_layers(depth):
    """By hand: of w directions of a layer two are lost, and 1 over the variance of w units has mean w / (w - 3)."""
    w = 300
    expected = math.log(1 - 2 / w) + (depth - 1) * math.log((w - 2) / (w - 3))
    found = predicted("layernorm", "identity", "lecun_normal", depth, w).log10_mean * math.log(10)
    assert found == pytest.approx(expected, abs=depth * 10 / w**2)


def test_theory_is_silent_where_it_does_not_hold():
    assert math.isnan(predicted("batchnorm", "relu", "he_normal", 5, 64).spread)
    assert math.isnan(predicted("plain", "relu", "constant", 5, 64).spread)
    assert math.isnan(predicted("layernorm", "tanh", "he_normal", 3, 2).log10_mean)  # two directions are lost of two
    deep = predicted("plain", "identity", "lecun_normal", 64, 64)
    assert math.isnan(deep.spread)
    assert deep.apart == pytest.approx(math.sqrt(2 * sum(range(2, 66))) / 64, rel=1e-12)
    assert predicted("plain", "identity", "lecun_normal", 64, 640).spread == pytest.approx(64)
    # the variance of gelu's pre-activations with He is unstable: networks of 128 units have nothing in common
    assert math.isnan(predicted("plain", "gelu", "he_normal", 16, 128).spread)


def normalised(rng, f, df, depth, width):
    """ln of the mean of s^2, and 1 + its spread, of one network with LayerNorm in NumPy alone."""
    x, J = rng.standard_normal(width), np.eye(width)
    for layer in range(depth):
        W = rng.standard_normal((width, width)) / math.sqrt(width)
        z = W @ x
        if layer == 0:
            z /= np.sqrt(np.mean(z**2))
        z, step = z - z.mean(), W - W.mean(0)
        sd = np.sqrt(np.mean(z**2) + 1e-5)
        z = z / sd
        step = (step - np.outer(z, z @ step) / width) / sd
        x, J = f(z), df(z)[:, None] * (step @ J)
    s2 = np.linalg.svd(J, compute_uv=False) ** 2
    return math.log(s2.mean()), 1 + s2.var() / s2.mean() ** 2


@threadpool_limits.wrap(limits=1, user_api="blas")
@pytest.mark.parametrize(
    ("activation", "f", "df"),
    [
        ("relu", lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0),
        ("hardtanh", lambda x: np.clip(x, -1, 1), lambda x: (abs(x) < 1) * 1.0),
        ("erf", erf, lambda x: 2 / math.sqrt(math.pi) * np.exp(-x * x)),
    ],
)
def test_layernorm_against_numpy(activation, f, df):
    """Mean, what networks are apart by, and spread: the divisor of few units counts in all three."""
    rng = np.random.default_rng(11)
    networks = np.array([normalised(rng, f, df, 4, 64) for _ in range(150)])
    found = predicted("layernorm", activation, "lecun_normal", 4, 64)
    mean, one_and_spread = networks.mean(axis=0)
    error = networks.std(axis=0, ddof=1) / math.sqrt(150)
    centre = found.log10_mean * math.log(10) - found.apart**2 / 2
    assert abs(mean - centre) < 3 * error[0] + 4 * 0.01 * math.log(10)
    assert abs(one_and_spread / (1 + found.spread) - 1) < 3 * error[1] / one_and_spread + 0.06
    assert networks[:, 0].std(ddof=1) == pytest.approx(found.apart, rel=0.25)


@threadpool_limits.wrap(limits=1, user_api="blas")
@pytest.mark.parametrize(
    ("orthogonal", "residual", "depth", "width", "drawn"),
    [
        (False, False, 10, 40, True),
        (False, True, 8, 30, True),
        (True, True, 12, 24, True),
        (False, False, 40, 40, False),
    ],
)
def test_the_bound_on_what_networks_are_apart(orthogonal, residual, depth, width, drawn, monkeypatch):
    """1 + spread is less than theory's by exp(-apart^2 / 2) at most: a sixth where it speaks, more beyond."""
    names = ("residual" if residual else "plain", "identity", "orthogonal" if orthogonal else "lecun_normal")
    assert math.isfinite(predicted(*names, depth, width).spread) == drawn
    monkeypatch.setattr(spectrum_theory, "FAR_APART", math.inf)
    found, rng = predicted(*names, depth, width), np.random.default_rng(8)
    networks = [simulated(rng, lambda z: z, np.ones_like, depth, width, orthogonal, residual) for _ in range(80)]
    mean, spread = np.mean(networks, axis=0)
    error = np.std(networks, axis=0, ddof=1) / math.sqrt(80)
    assert abs(mean - found.log10_mean + found.apart**2 / 2 / math.log(10)) < 0.02 * 2 * depth + 3 * error[0]
    if drawn:
        assert np.std(networks, axis=0, ddof=1)[0] * math.log(10) == pytest.approx(found.apart, rel=0.25)
    ratio, doubt = (1 + spread) / (1 + found.spread), 2 * error[1] / (1 + found.spread)
    assert ratio > math.exp(-(found.apart**2) / 2) - doubt
    assert ratio < (1.06 if drawn else math.exp(-(FAR_APART**2) / 2)) + doubt
