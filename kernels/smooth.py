"""Smooth activations that saturate, each with its derivative, right also where they are nearly flat.

Exponentials are of a number whose sign is known, so that nothing overflows; x + dx is one number in two
parts. Derivatives never subtract from 1 what is near it: y (1 - y) is 0 long before sigmoid' is.
"""

from kernels.intrinsics import copysign, fma, horner, pick
from kernels.jit import scalar
from kernels.vecmath import (
    EXACT,
    MOST,
    divide,
    exp_parts,
    expm1,
    expm1_parts,
    expm1_times,
    inverse,
    over_growth,
    plain_exp_parts,
    unscale,
)

_FLAT = (-40.0, -60.0)  # e^z - 1 is -1 from here on
_SELU_SCALE = (1.0507009029388428, 1.0507009873554805)  # rounded down: inf times the rest is inf too
_D_SELU_SCALE = (8.441663771738198e-08, 3.9874847667154144e-17)
_SELU_SCALE_ALPHA = (1.7580993175506592, 1.7580993408473768)
_D_SELU_SCALE_ALPHA = (2.3296717444054593e-08, 1.41535193800845e-17)
_TWO_OVER_SQRT_PI = (1.128379225730896, 1.1283791670955126)
_D_TWO_OVER_SQRT_PI = (-5.8635382771399236e-08, 1.533545961316588e-17)

# (log(1 + t) - t) / t^2 on [0, 1]; errors of log(1 + t) 2^-27.5 and 2^-56.5.
_LOG1P = (
    (
        -0.4999993145465851, 0.3333047926425934, -0.2495829313993454, 0.19694024324417114, -0.15351717174053192,
        0.10674694180488586, -0.05760939419269562, 0.020176446065306664, -0.0033124347683042288,
    ),
    (
        -0.4999999999999946, 0.3333333333323526, -0.24999999993686325, 0.19999999791559805, -0.16666662502085672,
        0.1428565893383811, -0.12499479879625609, 0.11107507434707127, -0.09981020810164072, 0.09013172271692933,
        -0.08081257539689148, 0.07035631651666545, -0.05750338180835242, 0.04230173811857518, -0.026745440022157643,
        0.013839600074606584, -0.005543612164221331, 0.0015959134918009097, -0.00029179752861330894,
        2.5333483812405872e-05,
    ),
)  # fmt: skip
# log(erfc(x)) = x (x R(x) - 2 / sqrt(pi)) up to where erf is 1: the polynomial R, by weighted least squares
# (Lawson) with coefficients rounded one after the other. Errors of erf 2^-27.8 and 2^-57.0.
_ERF_ONE = (3.95, 5.95)
_LOG_ERFC = (
    (
        -0.636619508266449, 0.01914994604885578, -0.0016717397375032306, -0.0001182577179861255,
    ),
    (
        -0.6366197723675815, 0.019128447008745966, -0.0016962059480511548, -2.5868678712207845e-05,
        2.978882203494179e-05, -2.6847241076259715e-06, -1.9667068208632434e-07, 1.9679938371555268e-07,
        3.028726950073618e-08, 1.5647036110381755e-09, 2.990515320880259e-11, 1.7046860861037417e-13,
        1.2517863059657273e-16,
    ),
)  # fmt: skip
_LOG_ERFC_ODD = (
    (
        -0.10277687013149261, 0.0001655689557082951, 0.0006352096097543836, 9.320513527200092e-06,
    ),
    (
        -0.10277260330192761, 0.0002091946434793864, 0.0005901230708101801, -6.452101256056479e-05,
        -3.5185847141686835e-06, 1.5797786578847398e-06, -2.3460394383213494e-07, -9.093015965702467e-08,
        -7.771130814132979e-09, -2.466214409417676e-10, -2.697184568664251e-12, -6.736039238566131e-15,
    ),
)  # fmt: skip


@scalar
def sigmoid(x, a):
    """w = 1 / (1 + e^|x|), or 1 - w."""
    T = type(x)
    w = over_growth(T(1), abs(x))
    return w if x < 0 else T(1) - w


@scalar
def sigmoid_derivative(x, y, a):
    """w (1 - w), w = 1 / (1 + e^|x|) <= 1/2: 1 - w loses nothing."""
    w = over_growth(type(x)(1), abs(x))
    return fma(-w, w, w)


@scalar
def sigmoid_derivative_from_output(x, y, a):
    return y * (type(y)(1) - y)


@scalar
def tanh(x, a):
    """-F / (2 + F), F = e^(-2|x|) - 1; from 20 on it is 1. 2 + F comes from the exponential, rounded once."""
    T = type(x)
    magnitude = T(20) if abs(x) > T(20) else abs(x)
    p, scale = expm1_parts(T(-2) * magnitude)
    return copysign(fma(scale, p, scale - T(1)) / fma(scale, p, scale + T(1)), x)


@scalar
def tanh_derivative(x, y, a):
    """w (2 - w), w = 2 / (1 + e^(2|x|)) = 1 - |y|: small where it matters, and exact there."""
    magnitude = abs(x)
    w = over_growth(type(x)(2), magnitude + magnitude)
    return fma(-w, w, w + w)


@scalar
def tanh_derivative_from_output(x, y, a):
    return type(y)(1) - y * y


@scalar
def softplus(x, a):
    """max(x, 0) + log(1 + E), E = e^-|x|. The small terms are added up first: near 0 all are of one size."""
    T = type(x)
    most = pick(x, MOST)
    p, scale = plain_exp_parts(-(most if abs(x) > most else abs(x)), T(EXACT))
    scale = unscale(scale)
    E = fma(scale, p, scale)
    return E + fma(E * E, horner(E, _LOG1P), T(0) if x < 0 else x)


@scalar
def softplus_derivative(x, y, a):
    return sigmoid(x, a)


@scalar
def softsign(x, a):
    """x / (1 + |x|) (Turian et al. 2009)."""
    magnitude, d, dd = _one_plus_abs(x)
    return copysign(divide(magnitude, type(x)(0), d, dd), x)


@scalar
def softsign_derivative(x, y, a):
    """1 / (1 + |x|)^2."""
    _, d, dd = _one_plus_abs(x)
    w = inverse(d, dd)
    return w * w


@scalar
def _one_plus_abs(x):
    """(|x|, d, dd), d + dd = 1 + |x|; |x| is cut off where softsign is 1 and its derivative 0."""
    one = type(x)(1)
    largest = pick(x, (2.0**76, 2.0**538))
    magnitude = largest if abs(x) > largest else abs(x)
    d = one + magnitude
    return magnitude, d, one - (d - magnitude) if magnitude > one else magnitude - (d - one)


@scalar
def erf(x, a):
    """1 - e^z, z = log(erfc(|x|)), with the relative accuracy of expm1."""
    one = pick(x, _ERF_ONE)
    magnitude = one if abs(x) > one else abs(x)
    c = -pick(x, _TWO_OVER_SQRT_PI)
    square = magnitude * magnitude  # odd and even powers apart: two short chains of operations are faster than one
    bend = fma(magnitude, horner(square, _LOG_ERFC_ODD), horner(square, _LOG_ERFC))
    rest = magnitude * fma(magnitude, bend, -pick(x, _D_TWO_OVER_SQRT_PI))
    z = fma(magnitude, c, rest)
    return copysign(expm1(z, fma(magnitude, c, -z) + rest), x)


@scalar
def erf_derivative(x, y, a):
    """2 / sqrt(pi) e^(-x^2)."""
    z = -(x * x)
    p, scale = exp_parts(z, fma(-x, x, -z))
    c = pick(x, _TWO_OVER_SQRT_PI)
    return unscale((c + fma(c, p, pick(x, _D_TWO_OVER_SQRT_PI))) * scale)


@scalar
def elu(x, a):
    """x, or a (e^x - 1) below 0, whose sign is kept where it vanishes; |a| up to 2^32."""
    T = type(x)
    bent = expm1_times(_not_positive(x, pick(x, _FLAT)), T(EXACT), a, T(0))
    return copysign(bent, -a) if x < 0 else x


@scalar
def elu_derivative(x, y, a):
    T = type(x)
    p, scale = plain_exp_parts(_not_positive(x, -pick(x, MOST)), T(EXACT))
    return T(1) if x > 0 else unscale(fma(a, p, a) * scale)


@scalar
def elu_derivative_from_output(x, y, a):
    return type(y)(1) if y > 0 else y + a


@scalar
def selu(x, a):
    """scale * elu(x, alpha) with the paper's constants as real numbers."""
    z, dz = _not_positive(x, pick(x, _FLAT)), type(x)(EXACT)
    bent = expm1_times(z, dz, pick(x, _SELU_SCALE_ALPHA), pick(x, _D_SELU_SCALE_ALPHA))
    return bent if x < 0 else fma(x, pick(x, _SELU_SCALE), x * pick(x, _D_SELU_SCALE))


@scalar
def selu_derivative(x, y, a):
    T = type(x)
    p, scale = plain_exp_parts(_not_positive(x, -pick(x, MOST)), T(EXACT))
    c = pick(x, _SELU_SCALE_ALPHA)
    return pick(x, _SELU_SCALE) if x > 0 else unscale((c + fma(c, p, pick(x, _D_SELU_SCALE_ALPHA))) * scale)


@scalar
def celu(x, a):
    """x, or a (e^(x/a) - 1) below 0, for a from 2^-100 to 2^100; its sign is kept where it vanishes."""
    z, dz = _over(x, a, pick(x, _FLAT))
    return copysign(expm1_times(z, dz, a, type(x)(0)), x) if x < 0 else x


@scalar
def celu_derivative(x, y, a):
    T = type(x)
    p, scale = plain_exp_parts(*_over(x, a, -pick(x, MOST)))
    return T(1) if x > 0 else unscale(fma(scale, p, scale))


@scalar
def _not_positive(x, least):
    """x cut off at 0 and at least; nan passes."""
    below = type(x)(0) if x > 0 else x
    return least if below < least else below


@scalar
def _over(x, a, least):
    """(z, dz), z + dz = x / a, cut off where that is 0 and least; the divisions are by the loop's constant."""
    T = type(x)
    per = T(1) / a
    d_per = fma(-a, per, T(1)) * per
    below = _not_positive(x, least * a)
    z = below * per
    return z, fma(below, per, -z) + below * d_per
