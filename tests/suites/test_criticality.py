"""What gradfade critical says, against the literature and quadrature that shares nothing with it."""

import math

import numpy as np
import pytest
import scipy.integrate

from kernels.activations import ACTIVATIONS
from suites.criticality import critical
from suites.errors import UserError


def row(name, sb2=0.0):
    (found,) = critical([name], [sb2]).itertuples()
    return found


def moments(f, df, q):
    """E[f^2] and E[f'^2], by adaptive quadrature on either side of 0."""

    def of(g):
        def weighted(z):
            return g(math.sqrt(q) * z) ** 2 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

        return sum(scipy.integrate.quad(weighted, *ends, epsabs=1e-13, limit=200)[0] for ends in [(-12, 0), (0, 12)])

    return of(f), of(df)


PLAIN = {
    "tanh": (math.tanh, lambda x: 1 / math.cosh(x) ** 2),
    "sigmoid": (lambda x: 1 / (1 + math.exp(-x)), lambda x: 0.25 / math.cosh(x / 2) ** 2),
    "relu": (lambda x: max(x, 0.0), lambda x: float(x > 0)),
    "gelu": (
        lambda x: x * math.erfc(-x / math.sqrt(2)) / 2,
        lambda x: math.erfc(-x / math.sqrt(2)) / 2 + x * math.exp(-x * x / 2) / math.sqrt(2 * math.pi),
    ),
    "softplus": (lambda x: max(x, 0) + math.log1p(math.exp(-abs(x))), lambda x: 1 / (1 + math.exp(-x))),
    "erf": (math.erf, lambda x: 2 / math.sqrt(math.pi) * math.exp(-x * x)),
}


@pytest.mark.parametrize("sb2", [0.0, 0.3])
@pytest.mark.parametrize("name", PLAIN)
def test_against_quadrature(name, sb2):
    f, df = PLAIN[name]
    found = row(name, sb2)
    assert found.gain == pytest.approx(moments(f, df, 1.0)[1] ** -0.5, rel=1e-9)
    for sw2, q, chi in ((1.0, found.lecun_variance, found.lecun_chi), (2.0, found.he_variance, found.he_chi)):
        if 0 < q < math.inf:
            value, slope = moments(f, df, q)
            assert sw2 * value + sb2 == pytest.approx(q, rel=1e-8)
            assert sw2 * slope == pytest.approx(chi, rel=1e-8)
    assert found.he_decades_per_layer == pytest.approx(math.log10(found.he_chi) / 2)
    assert found.lecun_depth_scale == (
        pytest.approx(-1 / math.log(found.lecun_chi)) if found.lecun_chi != 1 else math.inf
    )


def test_relu_and_its_like():
    relu, biased = row("relu"), row("relu", 0.5)
    assert (relu.gain, relu.critical_weight_variance) == pytest.approx((1.41421356, 2.0), rel=1e-8)
    assert relu.stable
    assert (relu.lecun_chi, relu.he_chi, relu.he_depth_scale) == (pytest.approx(0.5), pytest.approx(1.0), math.inf)
    assert (biased.critical_weight_variance, biased.critical_variance) == (pytest.approx(2.0), math.inf)
    assert (biased.lecun_variance, biased.he_variance) == (pytest.approx(1.0), math.inf)
    assert row("prelu").critical_weight_variance == pytest.approx(2 / (1 + 0.25**2), rel=1e-12)
    assert row("identity").gain == pytest.approx(1.0, rel=1e-12)


def test_selu_with_lecun_is_a_fixed_point_of_variance_one():
    """Klambauer et al. 2017; its gradient grows all the same, by 7 % in square."""
    found = row("selu")
    assert found.lecun_variance == pytest.approx(1.0, rel=1e-12)
    assert found.lecun_chi == pytest.approx(1.0715749924557991, rel=1e-9)


def test_what_has_no_critical_point_says_so():
    found = row("softplus")
    assert found.critical_points == 0
    assert math.isnan(found.critical_weight_variance)
    assert found.stable is None or found.stable != found.stable
    assert not row("gelu").stable
    assert row("sigmoid").critical_variance > 40  # far in its tails


def test_rows_are_of_every_activation_and_bias():
    table = critical(list(ACTIVATIONS), [0.0, 0.1, 0.0])
    assert len(table) == 2 * len(ACTIVATIONS)
    assert not table.gain.isna().any()
    stable = table[table.stable.fillna(False).astype(bool) & np.isfinite(table.critical_variance)]
    assert len(stable) > 20


@pytest.mark.parametrize("sb2", [-0.1, math.inf, math.nan])
def test_an_impossible_bias_is_refused(sb2):
    with pytest.raises(UserError, match="a bias variance must be"):
        critical(["tanh"], [sb2])
