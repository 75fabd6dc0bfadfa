"""Moments of an activation of Gaussians, and the limits of chi, against closed forms and mpmath's quadrature."""

import dataclasses
import math

import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.special

from kernels.activations import ACTIVATIONS
from kernels.critical import MeanField, expectation


def field(name):
    return MeanField.of(ACTIVATIONS[name])


def by_mpmath(g, q, kinks):
    """E[g(x)], x ~ N(0, q), split at the kinks and where functions bend."""
    sigma = mpmath.sqrt(q)
    points = sorted({*kinks, *(s * sigma * k for k in (0.1, 1, 2, 4, 8, 13) for s in (-1, 1)), -8, -2, 0, 2, 8})
    points = [p for p in points if abs(p) <= 13 * sigma]
    return mpmath.quad(lambda x: g(x) * mpmath.npdf(x, 0, sigma), points)


MPMATH = {
    "sigmoid": (lambda x: 1 / (1 + mpmath.exp(-x)), lambda x: 1 / (2 + 2 * mpmath.cosh(x))),
    "tanh": (mpmath.tanh, lambda x: mpmath.sech(x) ** 2),
    "gelu": (lambda x: x * mpmath.ncdf(x), lambda x: mpmath.ncdf(x) + x * mpmath.npdf(x)),
    "relu6": (lambda x: min(max(x, 0), 6), lambda x: mpmath.mpf(0 < x < 6)),
    "elu": (lambda x: x if x > 0 else mpmath.expm1(x), lambda x: mpmath.mpf(1) if x > 0 else mpmath.exp(x)),
}


@pytest.mark.parametrize("q", [1e-6, 0.01, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("name", MPMATH)
def test_moments_against_mpmath(name, q):
    f, df = MPMATH[name]
    kinks = ACTIVATIONS[name].kinks
    assert field(name).value_moment(q) == pytest.approx(float(by_mpmath(lambda x: f(x) ** 2, q, kinks)), rel=1e-9)
    assert field(name).slope_moment(q) == pytest.approx(float(by_mpmath(lambda x: df(x) ** 2, q, kinks)), rel=1e-9)
    assert field(name).slope_moment(q, 4) == pytest.approx(float(by_mpmath(lambda x: df(x) ** 4, q, kinks)), rel=1e-9)


@pytest.mark.parametrize("q", [1e-12, 1.0, 1e12])
def test_moments_of_a_gaussian(q):
    assert expectation(np.ones_like, q) == pytest.approx(1, rel=1e-12)
    assert expectation(lambda x: x**2, q) == pytest.approx(q, rel=1e-12)
    assert expectation(lambda x: x**4, q) == pytest.approx(3 * q * q, rel=1e-12)
    assert expectation(lambda x: (x > 0.5).astype(float), q, (0.5,)) == pytest.approx(
        0.5 * math.erfc(0.5 / math.sqrt(2 * q)), rel=1e-10
    )


def test_the_variance_zero_is_a_point():
    assert expectation(lambda x: x + 3, 0.0) == 3


@pytest.mark.parametrize("q", [-1.0, math.inf, math.nan])
def test_an_impossible_variance_is_refused(q):
    with pytest.raises(ValueError, match="q must be a finite variance"):
        expectation(np.square, q)


def as_own(f, df):
    """The mean field of an activation that declares nothing."""
    return MeanField.of(
        dataclasses.replace(
            ACTIVATIONS["identity"], reference=lambda x, a: f(x), reference_derivative=lambda x, a: df(x), kinks=()
        )
    )


@pytest.mark.parametrize("q", [1e-6, 0.01, 1.0, 100.0, 1e6])
@pytest.mark.parametrize("a", [1e-4, 0.01, 1.0, 100.0, 1e4])
def test_moments_on_any_scale(a, q):
    """erf(a x) and clip(a x), whose kinks nobody declares, in closed form."""
    smooth = as_own(lambda x: scipy.special.erf(a * x), lambda x: 2 * a / math.sqrt(math.pi) * np.exp(-((a * x) ** 2)))
    value = 2 / math.pi * math.asin(2 * a * a * q / (1 + 2 * a * a * q))
    assert smooth.value_moment(q) == pytest.approx(value, rel=1e-9)
    assert smooth.slope_moment(q) == pytest.approx(4 * a * a / math.pi / math.sqrt(1 + 4 * a * a * q), rel=1e-11)
    hard = as_own(lambda x: np.clip(a * x, -1, 1), lambda x: a * (np.abs(a * x) < 1))
    assert hard.slope_moment(q) == pytest.approx(a * a * math.erf(1 / (a * math.sqrt(2 * q))), rel=1e-11)


@pytest.mark.parametrize("q", [0.01, 1.0, 30.0, 1000.0])
def test_moments_of_what_oscillates(q):
    snake = as_own(lambda x: x + np.sin(x) ** 2, lambda x: 1 + np.sin(2 * x))
    assert snake.slope_moment(q) == pytest.approx(1.5 - math.exp(-8 * q) / 2, rel=1e-12)


LIMITS = {  # f, f' and E[f'^2] as q goes to 0 and to infinity: of any function the mean of both sides' f'^2
    "elu": (lambda x: np.maximum(x, 0) + np.expm1(np.minimum(x, 0)), lambda x: np.exp(np.minimum(x, 0)), 1, 0.5),
    "softplus": (lambda x: np.logaddexp(0, x), lambda x: 1 / (1 + np.exp(-x)), 0.25, 0.5),
    "wide softplus": (
        lambda x: 1e4 * np.logaddexp(0, x / 1e4), lambda x: 1 / (1 + np.exp(-x / 1e4)), 0.25, 0.5,
    ),
    "kink": (lambda x: np.where(x > 0, 2 * x, x), lambda x: np.where(x > 0, 2.0, 1.0), 2.5, 2.5),
    "steep": (lambda x: np.tanh(100 * x), lambda x: 100 / np.cosh(np.minimum(100 * abs(x), 300)) ** 2, 1e4, 0),
    "cube": (lambda x: x**3, lambda x: 3 * x * x, 0, math.inf),
    "snake": (lambda x: x + np.sin(x) ** 2, lambda x: 1 + np.sin(2 * x), 1, 1.5),
    "x log": (lambda x: x * np.log1p(abs(x)), lambda x: np.log1p(abs(x)) + abs(x) / (1 + abs(x)), 0, math.inf),
    "square root": (lambda x: np.sqrt(abs(x)) * np.sign(x), lambda x: abs(x) ** -0.25, math.inf, 0),
    "exp": (np.exp, np.exp, 1, math.inf),
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITS)
def test_limits_are_the_limits(name):
    """Of 1 exactly that: a network at criticality has no depth scale of millions of layers, but an infinite one."""
    f, df, still, far = LIMITS[name]
    own = as_own(f, df)
    for q, limit in ((0.0, still), (math.inf, far)):
        assert own.settled_chi(q, 1.0) == pytest.approx(limit, rel=1e-12)
        assert (own.settled_chi(q, 1.0) == 0) == (limit == 0)
        if 0 < limit < math.inf:
            assert own.settled_chi(q, 1 / limit) == 1
            assert own.settled_chi(q, 1 / limit * (1 + 1e-11)) != 1


def test_chi_is_exactly_one_only_where_it_is():
    elu = field("elu")
    assert elu.settled_chi(1e12, 2.0) == pytest.approx(1 + 2e-6 / math.sqrt(8 * math.pi), rel=1e-9)
    assert elu.settled_chi(1e12, 2.0) > 1
    assert field("leaky_relu").settled_chi(math.inf, 2.0) == pytest.approx(1.0001, rel=1e-12)
