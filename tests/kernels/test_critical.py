"""The mean field against closed forms, published values and SciPy's quadrature."""

import dataclasses
import math
from itertools import islice

import numpy as np
import pytest
import scipy.integrate
import scipy.special

from kernels.activations import ACTIVATIONS
from kernels.critical import MeanField


def field(name):
    return MeanField.of(ACTIVATIONS[name])


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


def test_fixed_points_that_are_far_or_slow():
    assert field("tanh").fixed_point(1.0, 0.0) == 0.0
    # q* of weakly unstable tanh: E[tanh(x)^2] = q - 2 q^2 + ..., so sw2 (1 - 2 q*) = 1
    assert field("tanh").fixed_point(1.0002, 0.0) == pytest.approx(1e-4, rel=2e-3)
    assert field("relu").fixed_point(2.0, 0.1) == math.inf  # q grows by 0.1 a layer
    assert field("softplus").fixed_point(2.0, 0.0) == math.inf  # ever more slowly
    assert field("relu").fixed_point(1.9999999, 0.0) == 0.0
    assert field("relu").fixed_point(1.9999999, 1e-3) == pytest.approx(1e-3 / 0.00000005, rel=1e-6)
    # An unstable fixed point parts the variances that die out from those that grow for ever.
    assert field("gelu").fixed_point(2.2, 0.0, q=0.5) == 0.0
    assert field("gelu").fixed_point(2.2, 0.0, q=50.0) == math.inf


def test_the_chi_of_a_settled_network():
    assert field("relu").settled_chi(0.0, 1.5) == pytest.approx(0.75, rel=1e-12)  # both sides of the kink
    assert field("gelu").settled_chi(0.0, 2.0) == pytest.approx(0.5, rel=1e-12)
    assert field("gelu").settled_chi(math.inf, 3.0) == pytest.approx(1.5, rel=1e-5)
    assert math.isnan(field("gelu").settled_chi(math.nan, 3.0))
    assert MeanField(lambda x: x**3, lambda x: 3 * x * x).settled_chi(math.inf, 1.0) == math.inf


def test_the_slope_of_the_variance_map():
    # E[erf(x)^2] = (2/pi) asin(2q / (1 + 2q))
    q = 0.7
    exact = 2 / math.pi / math.sqrt(1 - (2 * q / (1 + 2 * q)) ** 2) * 2 / (1 + 2 * q) ** 2
    assert field("erf").slope(q, 3.0) == pytest.approx(3 * exact, rel=1e-7)


def test_critical_points():
    """(sw2, q) without biases, each from a closed form: chi = 1 at q = 0 is sw2 = 1 / f'(0)^2."""
    exact = {"relu": 2, "leaky_relu": 2 / (1 + 0.01**2), "prelu": 2 / (1 + 0.25**2), "tanh": 1, "erf": math.pi / 4}
    exact |= {"identity": 1, "softsign": 1, "hardtanh": 1, "relu6": 2, "elu": 1, "celu": 1}
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    exact["selu"] = 2 / (scale**2 * (1 + alpha**2))
    for name, sw2 in exact.items():
        (point,) = field(name).critical_points()
        assert (point.sw2, point.q, point.stable) == (pytest.approx(sw2, rel=1e-12), 0.0, True)
        assert field(name).critical_point() == point[:2]
    for name, sw2 in {"gelu": 4, "gelu_tanh": 4, "swish": 4, "hardswish": 4, "mish": 1 / 0.6**2}.items():
        (point,) = field(name).critical_points()  # where f bends upwards, variances grow away from 0
        assert (point.sw2, point.q, point.stable) == (pytest.approx(sw2, rel=1e-12), 0.0, False)
    assert field("softplus").critical_points() == []
    assert all(math.isnan(value) for value in field("softplus").critical_point())


def test_a_homogeneous_activation_is_critical_whatever_the_bias():
    """E[f'^2] is the same at every q: chi = 1 all along while q grows by sb2 a layer."""
    assert field("relu").critical_points(0.1) == [(pytest.approx(2.0, rel=1e-12), math.inf, True)]
    assert field("identity").critical_point(0.3) == (pytest.approx(1.0, rel=1e-12), math.inf)


@pytest.mark.parametrize(
    ("name", "sb2", "sw2", "q"),
    # Roberts, Yaida & Hanin 2022, The principles of deep learning theory, section 5.3.4: where, on the critical line
    # of SWISH and GELU, the variance map has slope 1, too.
    [("swish", 0.55514317, 1.98800468, 14.32017362), ("gelu", 0.17292239, 1.98305826, None)],
)
def test_half_stable_critical_points(name, sb2, sw2, q):
    (point,) = field(name).critical_points(sb2)
    assert point.sw2 == pytest.approx(sw2, rel=1e-7)
    assert field(name).slope(point.q, point.sw2) == pytest.approx(1, abs=1e-6)
    assert q is None or point.q == pytest.approx(q, rel=1e-6)
    assert not field(name).critical_points(0.9 * sb2)[0].stable
    assert field(name).critical_points(1.1 * sb2)[0].stable


@pytest.mark.parametrize(("name", "sb2"), [("tanh", 0.05), ("tanh", 0.5), ("sigmoid", 0.0), ("elu", 0.1)])
def test_critical_points_against_quadrature_of_scipy(name, sb2):
    """chi = 1 and q = q' at the point, by adaptive quadrature of other formulas, and nothing else nearby is."""
    f, df = {
        "tanh": (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
        "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda x: 0.25 / np.cosh(x / 2) ** 2),
        "elu": (lambda x: max(x, 0) + math.expm1(min(x, 0)), lambda x: 1.0 if x > 0 else math.exp(x)),
    }[name]
    sw2, q = field(name).critical_point(sb2)

    def moment(g):
        sigma = math.sqrt(q)

        def weighted(z):
            return g(sigma * z) ** 2 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

        return sum(scipy.integrate.quad(weighted, *ends, epsabs=1e-13, limit=200)[0] for ends in [(-10, 0), (0, 10)])

    assert sw2 * moment(df) == pytest.approx(1, rel=1e-9)
    assert sw2 * moment(f) + sb2 == pytest.approx(q, rel=1e-9)


def test_tanh_with_biases_is_as_published():
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


def test_kinks_that_are_not_declared_are_found():
    def shrink(x, a):
        return np.where(np.abs(x) > a, x - a * np.sign(x), 0.0)

    own = dataclasses.replace(
        ACTIVATIONS["identity"], name="shrink", a=0.3, reference=shrink, reference_derivative=lambda x, a: np.abs(x) > a
    )
    # E[f'^2] is the chance that |x| > 0.3
    assert MeanField.of(own).slope_moment(2.0) == pytest.approx(math.erfc(0.3 / 2), rel=1e-12)
    assert MeanField.of(own, 0.7).slope_moment(2.0) == pytest.approx(math.erfc(0.7 / 2), rel=1e-12)


PLAIN = {  # f and f' as somebody may write them, and sw2 critical at sb2 = 0.1
    "cube": (lambda x: x**3, lambda x: 3 * x * x, 1 / (27 * (0.1 / (1 - 15 / 27)) ** 2)),
    "math.exp": (np.vectorize(math.exp), np.vectorize(math.exp), math.exp(-2 * 1.1)),  # it raises OverflowError
    "exp": (np.exp, np.exp, math.exp(-2 * 1.1)),
    "constant": (np.ones_like, np.zeros_like, math.nan),
    "sine": (np.sin, np.cos, None),
    "wave": (lambda x: x * np.exp(-x * x / 2), lambda x: (1 - x * x) * np.exp(-x * x / 2), None),
    "undefined": (np.sqrt, lambda x: 0.5 / np.sqrt(x), math.nan),
    "shifted": (lambda x: x + 5, np.ones_like, 1.0),
}


@pytest.mark.parametrize("name", PLAIN)
def test_any_function_gets_an_answer(name):
    """Whatever overflows, grows, oscillates or is constant: numbers, infinities or NaN, and no warning."""
    f, df, sw2 = PLAIN[name]
    own = MeanField(f, df)
    if sw2 is not None:
        assert own.critical_point(0.1)[0] == pytest.approx(sw2, rel=1e-9, nan_ok=True)
    for variance in (0.1, 1.0, 2.0, 1000.0):
        for sb2 in (0.0, 0.3):
            q = own.fixed_point(variance, sb2)
            assert math.isnan(q) or q == math.inf or own.next_variance(q, variance, sb2) == pytest.approx(q, rel=1e-6)
            assert not own.settled_chi(q, variance) < 0
    assert own.gain() > 0 or math.isnan(own.gain())


def test_a_map_that_falls_settles():
    """The variance map of a bump falls like 1/sqrt(q), no map faster: it overshoots and settles all the same."""
    bump = MeanField(lambda x: 8 * x * (np.abs(x) < 1), lambda x: 8.0 * (np.abs(x) < 1), (-1.0, 1.0))
    q = bump.fixed_point(1.0, 0.0)
    assert -0.5 < bump.slope(q, 1.0) < -0.3
    assert next(islice(bump.variances(1.0, 1.0, 0.0), 200, None)) == pytest.approx(q, rel=1e-9)


def test_the_gain_of_a_constant_is_infinite():
    assert MeanField(np.ones_like, np.zeros_like).gain() == math.inf
