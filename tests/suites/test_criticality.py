"""What gradfade critical says, against the literature and quadrature that shares nothing with it."""

import math
from itertools import pairwise

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


OWN = """
import math

def f(x, a):
    return {f}

def f_derivative(x, y, a):
    T = type(x)
    return {df}

f_a = {a}
f_kinks = {kinks}
"""
SCALED = {  # f, f' as Numba compiles them, and as Python computes them; kinks, in units of 1/a
    "tanh": ("math.tanh(a * x)", "a * (T(1) - y * y)",
             lambda x: math.tanh(x), lambda x: 1 / math.cosh(min(abs(x), 300)) ** 2, ()),
    "softsign": ("a * x / (type(x)(1) + abs(a * x))", "a / (T(1) + abs(a * x)) ** 2",
                 lambda x: x / (1 + abs(x)), lambda x: (1 + abs(x)) ** -2, ()),
    "clipped": ("max(type(x)(-1), min(type(x)(1), a * x))", "a if abs(a * x) < T(1) else T(0)",
                lambda x: max(-1, min(1, x)), lambda x: float(abs(x) < 1), (-1, 1)),
    "bump": ("a * x * math.exp(-a * a * x * x / type(x)(2))",
             "a * (T(1) - a * a * x * x) * math.exp(-a * a * x * x / T(2))",
             lambda x: x * math.exp(-x * x / 2), lambda x: (1 - x * x) * math.exp(-x * x / 2), ()),
}  # fmt: skip


@pytest.mark.parametrize("a", [0.01, 100.0])
@pytest.mark.parametrize("kind", SCALED)
def test_ones_own_on_any_scale(tmp_path, kind, a):
    """f(a x) at N(0, q) is f at N(0, a^2 q): the gain, fixed points and chi by SciPy, of the function itself."""
    f_text, df_text, f, df, kinks = SCALED[kind]
    path = tmp_path / "own.py"
    path.write_text(OWN.format(f=f_text, df=df_text, a=a, kinks=tuple(kink / a for kink in kinks)))
    found = row(f"{path}:f", 0.0)
    ends = sorted({-13.0, *(side * 10.0**power for power in range(-4, 2) for side in (-1, 1)), 0.0, 13.0})

    def moment(g, q):
        """E[g(sqrt(q) z)^2]."""
        places = sorted({*ends, *(kink / math.sqrt(q) for kink in kinks if abs(kink) < 13 * math.sqrt(q))})

        def weighted(z):
            return g(math.sqrt(q) * z) ** 2 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

        return sum(scipy.integrate.quad(weighted, *part, epsabs=1e-14, limit=200)[0] for part in pairwise(places))

    assert found.gain == pytest.approx((a * a * moment(df, a * a)) ** -0.5, rel=1e-9)
    assert (found.critical_weight_variance, found.critical_variance) == (pytest.approx(a**-2, rel=1e-9), 0.0)
    for sw2, q, chi in ((1.0, found.lecun_variance, found.lecun_chi), (2.0, found.he_variance, found.he_chi)):
        assert (q == 0) == (a < 1)
        if q:
            assert sw2 * moment(f, a * a * q) == pytest.approx(q, rel=1e-8)
        assert chi == pytest.approx(sw2 * a * a * (moment(df, a * a * q) if q else 1), rel=1e-8)
