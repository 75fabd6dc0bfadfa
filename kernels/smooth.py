"""Smooth activations that saturate, each with its derivative, right also where they are nearly flat.

E stands for an exponential of a number that is not positive, so that nothing overflows; x + dx is one
number in two parts. Derivatives never subtract from 1: y (1 - y) is 0 long before sigmoid' is.
"""

from kernels.intrinsics import copysign, fma, horner, pick
from kernels.jit import scalar
from kernels.normal import normal_tail
from kernels.vecmath import (
    EXACT,
    add_smaller,
    cut,
    divide,
    exp_nonpositive,
    exp_parts,
    exp_parts_of_cut,
    expm1,
    inverse,
    log1p_parts,
    one_minus_exp,
    unscale,
)

_LARGEST = (3.4028234663852886e38, 1.7976931348623157e308)
_SELU_SCALE = (1.0507010221481323, 1.0507009873554805)
_D_SELU_SCALE = (-3.479265231476347e-08, 3.9874847667154144e-17)
_SELU_SCALE_ALPHA = (1.7580993175506592, 1.7580993408473768)
_D_SELU_SCALE_ALPHA = (2.3296717444054593e-08, 1.41535193800845e-17)
_TWO_OVER_SQRT_PI = (1.128379225730896, 1.1283791670955126)
_D_TWO_OVER_SQRT_PI = (-5.8635382771399236e-08, 1.533545961316588e-17)
_SQRT_2 = (1.4142135623730951, 1.4142135623730951)

# erf(x) / x = _ERF_CENTRE + v R(v), v = x^2 - 1/2, |v| <= 1/2: the polynomial R; errors 2^-28.0 and 2^-59.7.
_ERF_CENTRE = (0.9654687643051147, 0.9654687386698673)
_D_ERF_CENTRE = (-2.5635246814204038e-08, 4.2566798032558066e-17)
_ERF = (
    (
        -0.2810721695423126, 0.07940998673439026, -0.01828375644981861, 0.0034802351146936417,
        -0.0005641300231218338, 7.871454727137461e-05,
    ),
    (
        -0.2810721780454342, 0.07940998675593483, -0.018283884489154578, 0.0034802744966655388,
        -0.0005611894220785167, 7.829649525593462e-05, -9.614809029569562e-06, 1.0536449422032694e-06,
        -1.0420232327954715e-07, 9.387667954468825e-09, -7.818488115831541e-10, 5.953761311680592e-11,
    ),
)  # fmt: skip


@scalar
def sigmoid(x, a):
    """1 / (1 + E) or E / (1 + E), E = e^-|x|."""
    T = type(x)
    p, scale = exp_parts_of_cut(-cut(abs(x)), T(EXACT))
    scale = unscale(scale)
    E = fma(scale, p, scale)
    return (E if x < 0 else T(1)) / (T(1) + E)


@scalar
def sigmoid_derivative(x, y, a):
    """y (1 - y) below 1, where nothing cancels that matters, else E y^2, E = e^-x."""
    T = type(x)
    p, scale = exp_parts_of_cut(-cut(abs(x)), T(EXACT))
    square = y * y
    return y * (T(1) - y) if x < 1 else unscale(fma(p, square, square) * scale)


@scalar
def sigmoid_derivative_from_output(y, a):
    return y * (type(y)(1) - y)


@scalar
def tanh(x, a):
    """F / (F + 2), F = e^(2|x|) - 1; from 20 on it is 1."""
    T = type(x)
    magnitude = T(20) if abs(x) > T(20) else abs(x)
    F = expm1(magnitude + magnitude)
    return copysign(F / (F + T(2)), x)


@scalar
def tanh_derivative(x, y, a):
    """E (1 + |y|)^2, E = e^(-2|x|), since 1 + |y| = 2 / (1 + E)."""
    T = type(x)
    p, scale = exp_parts_of_cut(-cut(abs(x) + abs(x)), T(EXACT))
    root = T(1) + abs(y)
    square = root * root
    return unscale(fma(p, square, square) * scale)


@scalar
def tanh_derivative_from_output(y, a):
    return type(y)(1) - y * y


@scalar
def softplus(x, a):
    """max(x, 0) + log1p(e^-|x|)."""
    T = type(x)
    E, dE = exp_nonpositive(-abs(x), T(EXACT))
    log, d_log = log1p_parts(E, dE)
    positive = T(0) if x < 0 else x
    larger, smaller = (log, positive) if positive < log else (positive, log)
    s, ds = add_smaller(larger, smaller, d_log)
    # Far out the formula is E or x, but E / 2 may be rounded to a subnormal number, and inf - inf is nan.
    return x if x > 1000 else E if x < -50 else s + ds


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
    """x P(x^2) below 1, else 1 - erfc(|x|), erfc(x) = 2 Phi(-sqrt(2) x)."""
    T = type(x)
    magnitude = T(10) if abs(x) > T(10) else abs(x)
    square = magnitude * magnitude
    v = square - T(0.5)
    bend = fma(v, horner(v, _ERF), pick(x, _D_ERF_CENTRE))
    small = fma(magnitude, pick(x, _ERF_CENTRE), magnitude * bend)
    p, scale = exp_parts(-square, T(EXACT))
    tail = normal_tail(pick(x, _SQRT_2) * magnitude)
    large = fma(T(-2) * unscale(scale), fma(p, tail, tail), T(1))
    return copysign(large if magnitude > T(1) else small, x)


@scalar
def erf_derivative(x, y, a):
    """2 / sqrt(pi) e^(-x^2)."""
    z = -(x * x)
    p, scale = exp_parts(z, fma(-x, x, -z))
    c = pick(x, _TWO_OVER_SQRT_PI)
    return unscale((c + fma(c, p, pick(x, _D_TWO_OVER_SQRT_PI))) * scale)


@scalar
def elu(x, a):
    """x, or a (e^x - 1) below 0."""
    T = type(x)
    u, du = one_minus_exp(x if x < 0 else T(0), T(EXACT))
    return -fma(a, u, a * du) if x < 0 else x


@scalar
def elu_derivative(x, y, a):
    T = type(x)
    p, scale = exp_parts(T(0) if x > 0 else x, T(EXACT))
    return T(1) if x > 0 else unscale(fma(a, p, a) * scale)


@scalar
def elu_derivative_from_output(y, a):
    return type(y)(1) if y > 0 else y + a


@scalar
def selu(x, a):
    """scale * elu(x, alpha) with the paper's constants as real numbers."""
    T = type(x)
    u, du = one_minus_exp(x if x < 0 else T(0), T(EXACT))
    c, dc = pick(x, _SELU_SCALE_ALPHA), pick(x, _D_SELU_SCALE_ALPHA)
    largest = pick(x, _LARGEST)
    linear = fma(x, pick(x, _SELU_SCALE), (largest if x > largest else x) * pick(x, _D_SELU_SCALE))
    return -fma(c, u, fma(c, du, dc * u)) if x < 0 else copysign(linear, x)


@scalar
def selu_derivative(x, y, a):
    T = type(x)
    p, scale = exp_parts(T(0) if x > 0 else x, T(EXACT))
    c = pick(x, _SELU_SCALE_ALPHA)
    return pick(x, _SELU_SCALE) if x > 0 else unscale((c + fma(c, p, pick(x, _D_SELU_SCALE_ALPHA))) * scale)


@scalar
def celu(x, a):
    """x, or a (e^(x/a) - 1) below 0, for a > 0."""
    u, du = one_minus_exp(*_over(x, a))
    return -fma(a, u, a * du) if x < 0 else x


@scalar
def celu_derivative(x, y, a):
    T = type(x)
    p, scale = exp_parts(*_over(x, a))
    return T(1) if x > 0 else unscale(fma(scale, p, scale))


@scalar
def _over(x, a):
    """(z, dz), z + dz = min(x, 0) / a; the divisions are by the loop's constant."""
    T = type(x)
    per = T(1) / a
    d_per = fma(-a, per, T(1)) * per
    below = T(0) if x > 0 else x
    z = below * per
    return z, fma(below, per, -z) + below * d_per
