"""mpmath decides over the float64 references, and over the float64 kernels, which no float64 reference could judge."""

from functools import cache

import mpmath
import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.reference_activations import SELU_ALPHA, SELU_SCALE


def logistic(x):
    return 1 / (1 + mpmath.exp(-x))


def elu(x, a):
    return x if x > 0 else a * mpmath.expm1(x)


def clip(x, low, high):
    return min(max(x, low), high)


EXACT = {
    "sigmoid": lambda x, a: logistic(x),
    "tanh": lambda x, a: mpmath.tanh(x),
    "relu": lambda x, a: clip(x, 0, mpmath.inf),
    "leaky_relu": lambda x, a: x if x > 0 else a * x,
    "prelu": lambda x, a: x if x > 0 else a * x,
    "elu": elu,
    "selu": lambda x, a: mpmath.mpf("1.0507009873554804934193349852946") * elu(x, alpha()),
    "celu": lambda x, a: x if x > 0 else a * mpmath.expm1(x / a),
    "gelu": lambda x, a: x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2,
    "gelu_tanh": lambda x, a: x * logistic(2 * mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3)),
    "swish": lambda x, a: x * logistic(a * x),
    "mish": lambda x, a: x * mpmath.tanh(softplus(x)),
    "softplus": lambda x, a: softplus(x),
    "softsign": lambda x, a: x / (1 + abs(x)),
    "hardtanh": lambda x, a: clip(x, -1, 1),
    "hardsigmoid": lambda x, a: clip(x + 3, 0, 6) / mpmath.mpf(6),
    "hardswish": lambda x, a: x * clip(x + 3, 0, 6) / 6,
    "relu6": lambda x, a: clip(x, 0, 6),
    "erf": lambda x, a: mpmath.erf(x),
    "identity": lambda x, a: x,
}


def alpha():
    return mpmath.mpf("1.6732632423543772848170429916717")


def softplus(x):
    return mpmath.log1p(mpmath.exp(x)) if x < 0 else x + mpmath.log1p(mpmath.exp(-x))


def closed_form(name):
    """f(x, a) of a row in mpmath's numbers."""
    assert name in EXACT, f"the row {name!r} has no mpmath form to be judged by: add it to EXACT in {__file__}"
    return EXACT[name]


def points():
    """float64 of both signs: every fourth binade from 2^-60 to 2^12, denser around 1 and in the tails."""
    rng = np.random.default_rng(5)
    binades = rng.uniform(1, 2, 19) * 2.0 ** np.arange(-60, 13, 4)
    magnitudes = np.concatenate([binades, rng.uniform(0, 8, 30), rng.uniform(8, 38, 12), rng.uniform(38, 700, 12)])
    return np.concatenate([magnitudes, -magnitudes])


@cache
def exact(name, order):
    """f or f' at the points: the derivative by differences, in which 1 - e^-700 must differ from 1."""
    with mpmath.workdps((60, 400)[order]):
        a = ACTIVATIONS[name].a
        a = None if a is None else mpmath.mpf(a)
        function = closed_form(name)
        if order == 0:
            return [function(mpmath.mpf(float(v)), a) for v in points()]
        return [mpmath.diff(lambda t: function(t, a), mpmath.mpf(float(v)), relative=True) for v in points()]


def in_ulps(result, truth):
    """Errors of float64 results in units in the last place of the truth, subnormal ones included."""
    tiny = float(np.finfo(np.float64).smallest_subnormal)
    units = [max(abs(float(np.spacing(float(t)))), tiny) for t in truth]
    with mpmath.workdps(60):
        return np.array(
            [float(abs(mpmath.mpf(float(r)) - t) / u) for r, t, u in zip(result, truth, units, strict=True)]
        )


@pytest.fixture(params=ACTIVATIONS)
def row(request):
    return ACTIVATIONS[request.param]


@pytest.mark.parametrize("order", [0, 1], ids=["f", "df"])
def test_the_reference_is_right_to_a_few_parts_in_1e14_tails_included(row, order):
    x = points()
    reference = (row.reference, row.reference_derivative)[order](x, row.a)
    truth = exact(row.name, order)
    # the argument's rounding, x^2 2^-53 and the like, is amplified in the far tail of the normal distribution
    allowed = 40 + 2 * np.minimum(x**2, 1500) * (row.name in ("gelu", "gelu_tanh", "erf"))
    slack = 0 if row.derivative_zero is None or order == 0 else 4e-16 / np.spacing([abs(float(t)) for t in truth])
    assert np.all(in_ulps(reference, truth) <= allowed + slack)


@pytest.mark.parametrize("order", [0, 1], ids=["f", "df"])
def test_the_float64_kernel_keeps_2_ulps_forward_and_4_backward(row, order):
    x = points()
    y, dx = np.full_like(x, np.nan), np.full_like(x, np.nan)
    row.forward(y, x)
    row.backward(dx, np.ones_like(x), x, y)
    truth = exact(row.name, order)
    error = in_ulps((y, dx)[order], truth)
    if order and row.derivative_zero is not None:
        error[[abs(t) < 2**-5 and abs(v - row.derivative_zero) < 1 for t, v in zip(truth, x, strict=True)]] = 0
    assert error.max() <= (2, 4)[order], x[error.argmax()]


def test_the_constants_of_selu_are_the_fixed_point_of_mean_0_and_variance_1():
    """Klambauer et al. 2017, equations 4 and 5: E f(z) = 0 and E f(z)^2 = 1."""
    z, w = np.polynomial.legendre.leggauss(200)
    z, w = 6 * (z + 1), 6 * w
    density = w * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    negative, positive = SELU_SCALE * SELU_ALPHA * np.expm1(-z), SELU_SCALE * z
    assert np.sum(density * (negative + positive)) == pytest.approx(0, abs=1e-12)
    assert np.sum(density * (negative**2 + positive**2)) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("name", [name for name, row in ACTIVATIONS.items() if row.df_da is not None])
def test_the_reference_by_the_parameter_is_the_difference_quotient(name):
    row, x = ACTIVATIONS[name], points()
    with mpmath.workdps(400):
        a = mpmath.mpf(row.a)
        truth = [mpmath.diff(lambda t, v=v: closed_form(name)(mpmath.mpf(float(v)), t), a) for v in x]
    assert in_ulps(row.reference_df_da(x, row.a), truth).max() <= 40
