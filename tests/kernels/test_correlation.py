"""Expectations over pairs: closed forms of ReLU and erf, sums over the sphere against draws."""

import math

import numpy as np
import pytest

from kernels.correlation import gaussian_pair, normalised_pair


def relu(x):
    return np.maximum(x, 0)


def step(x):
    return (x > 0) * 1.0


@pytest.mark.parametrize("rho", [0.0, 0.01, 0.3, 0.9, 0.999, 1 - 1e-9, 1.0])
def test_relu_has_the_arc_cosine_kernels(rho):
    """Cho & Saul 2009, of degree 1 and 0."""
    angle = math.acos(rho)
    assert gaussian_pair(relu, 2.0, rho, (0.0,)) == pytest.approx((math.sin(angle) + rho * (math.pi - angle)) / math.pi)
    assert gaussian_pair(step, 2.0, rho, (0.0,)) == pytest.approx(0.5 * (1 - angle / math.pi))


@pytest.mark.parametrize(("q", "rho"), [(0.1, 0.5), (1.0, 0.0), (3.0, 0.95)])
def test_erf_has_the_arc_sine_kernel(q, rho):
    """Williams 1997: E[erf(x) erf(y)] = 2/pi arcsin(2 q rho / (1 + 2 q))."""
    erf = np.vectorize(math.erf)
    assert gaussian_pair(erf, q, rho) == pytest.approx(2 / math.pi * math.asin(2 * q * rho / (1 + 2 * q)), abs=1e-9)


def test_kinks_may_be_anywhere():
    """A ramp from -1 to 1 is the integral of its slope: of independent samples E[g]^2 is 0, of one E[g^2]."""
    ramp = lambda x: np.clip(x, -1, 1)  # noqa: E731
    assert gaussian_pair(ramp, 4.0, 0.0, (-1.0, 1.0)) == pytest.approx(0, abs=1e-12)
    x = np.linspace(-20, 20, 2_000_001)
    expected = np.trapezoid(ramp(x) ** 2 * np.exp(-x * x / 8) / math.sqrt(8 * math.pi), x)
    assert gaussian_pair(ramp, 4.0, 1.0, (-1.0, 1.0)) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("kinks", [(), (-6.0, 0.3, 6.0)])  # 6 is out of reach in the smaller ones
@pytest.mark.parametrize("batch", [6, 7, 33, 5000])
def test_moments_of_a_normalised_batch(batch, kinks):
    """A sphere of radius sqrt(B) in B - 1 dimensions: E x^2 = 1, E x^4 = 3 (B - 1)/(B + 1), E xy = -1/(B - 1)."""
    x, y, weights = normalised_pair(batch, kinks)
    assert weights.sum() == pytest.approx(1)
    for values, expected in [
        (x, 0), (x * x, 1), (y * y, 1), (x * y, -1 / (batch - 1)), (x**4, 3 * (batch - 1) / (batch + 1)),
    ]:  # fmt: skip
        assert weights @ values == pytest.approx(expected, abs=3e-5)


def test_a_normalised_batch_against_draws():
    rng = np.random.default_rng(3)
    z = rng.standard_normal((200_000, 7))
    z -= z.mean(1, keepdims=True)
    z /= z.std(1, keepdims=True)
    x, y, weights = normalised_pair(7, (0.0, 0.5))
    for g in (relu, lambda v: (v > 0.5) * 1.0):
        drawn = g(z[:, 0]) * g(z[:, 1])
        assert weights @ (g(x) * g(y)) == pytest.approx(drawn.mean(), abs=4 * drawn.std() / math.sqrt(len(drawn)))
