"""The mean field against closed forms, published values and mpmath's quadrature."""

import math
from itertools import islice

import mpmath
import numpy as np
import pytest

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


def test_gains():
    assert field("relu").gain() == pytest.approx(math.sqrt(2), rel=1e-12)
    assert field("relu").gain(9.0) == pytest.approx(math.sqrt(2), rel=1e-12)
    assert field("identity").gain() == pytest.approx(1, rel=1e-12)
    assert field("leaky_relu").gain() == pytest.approx(math.sqrt(2 / (1 + 0.01**2)), rel=1e-12)
    # E[erf'(z)^2] = (4/pi) / sqrt(5)
    assert field("erf").gain() == pytest.approx((4 / math.pi / math.sqrt(5)) ** -0.5, rel=1e-12)


def test_the_parameter_can_be_chosen():
    assert MeanField.of(ACTIVATIONS["leaky_relu"], 0.5).gain() == pytest.approx(math.sqrt(2 / 1.25), rel=1e-12)


def test_fixed_points():
    assert field("relu").fixed_point(1.0, 0.5) == pytest.approx(1.0, rel=1e-10)  # q = q/2 + 1/2
    assert field("relu").fixed_point(2.0, 0.0, q=3.0) == pytest.approx(3.0, rel=1e-12)
    assert field("relu").fixed_point(3.0, 0.1) == math.inf
    assert field("tanh").fixed_point(0.9, 0.0) == 0
    # At criticality q falls like 1/(2l), which plain iteration would follow for a million steps.
    assert field("tanh").fixed_point(1.0, 0.0) == pytest.approx(0, abs=1e-8)
    for name, sw2, sb2 in [("tanh", 1.5, 0.0), ("sigmoid", 4.0, 0.1), ("gelu", 1.5, 0.3)]:
        q = field(name).fixed_point(sw2, sb2)
        assert field(name).next_variance(q, sw2, sb2) == pytest.approx(q, rel=1e-10)


def test_a_variance_that_has_not_settled_is_not_a_number(monkeypatch):
    monkeypatch.setattr("kernels.critical.MOST_STEPS", 2)
    assert math.isnan(field("tanh").fixed_point(1.5, 0.0))


def test_critical_points():
    assert field("relu").critical_point()[0] == pytest.approx(2.0, rel=1e-12)
    assert all(math.isnan(value) for value in field("relu").critical_point(0.1))
    assert field("tanh").critical_point()[0] == pytest.approx(1.0, abs=1e-8)
    # Schoenholz et al. 2017, section 3: tanh at sb2 = 0.05 is critical at sw2 = 1.76.
    assert field("tanh").critical_point(0.05)[0] == pytest.approx(1.76, abs=0.005)


@pytest.mark.parametrize(("name", "sb2"), [("tanh", 0.05), ("tanh", 1.0), ("gelu", 0.05), ("sigmoid", 0.0)])
def test_a_critical_point_is_critical_and_a_fixed_point(name, sb2):
    sw2, q = field(name).critical_point(sb2)
    assert field(name).chi(q, sw2) == pytest.approx(1, rel=1e-10)
    assert field(name).next_variance(q, sw2, sb2) == pytest.approx(q, rel=1e-9)


def test_variances_follow_the_map():
    # E[relu(x)^2] = q/2
    assert list(islice(field("relu").variances(1.0, 1.0, 0.25), 3)) == pytest.approx([1.0, 0.75, 0.625], rel=1e-12)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_row_has_a_mean_field(name):
    """Doubling the nodes by adding break points changes nothing: the quadrature has converged for this row."""
    row = ACTIVATIONS[name]
    finer = tuple(np.linspace(-7.1, 7.3, 40))
    for q in (0.1, 1.0, 25.0):
        plain, split = MeanField.of(row), MeanField(field(name).f, field(name).df, (*row.kinks, *finer))
        assert plain.value_moment(q) == pytest.approx(split.value_moment(q), rel=1e-10)
        assert plain.slope_moment(q) == pytest.approx(split.slope_moment(q), rel=1e-10)
