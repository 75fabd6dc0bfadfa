"""Activations x * gate(x), each with its derivative: both gelu. swish and mish have modules of their own.

Where f and f' fade away like an exponential E they keep their relative accuracy: E is kept scaled
until x has multiplied it, since E alone may round to a subnormal number.
"""

from math import log

from kernels.intrinsics import fma, horner, pick, shift_into_exponent
from kernels.jit import scalar
from kernels.normal import gelu_slope, gelu_tail
from kernels.vecmath import LN2, SHIFTER, join, minus_unscaled, near_exp, unscale

# Lost beside 1. Exponents of this size at least have no parts that are subnormal numbers, which are slow.
_TINY = 2.0**-40
# 2 sqrt(2 / pi) (1 + 0.044715 x^2) / log(2) = _EXPONENT + _EXPONENT_CUBIC x^2.
_EXPONENT = (2.3022079467773438, 2.302208198144328)
_D_EXPONENT = (2.513669699055754e-07, -2.977296208542741e-15)
_EXPONENT_CUBIC = (0.10294324159622192, 0.1029432395800235)
_D_EXPONENT_CUBIC = (-2.016198541454628e-09, -5.978177400718744e-18)
# 2 sqrt(2 / pi) (1 + 3 * 0.044715 x^2) = _GROWTH + _GROWTH_CUBIC x^2.
_GROWTH = (1.5957698822021484, 1.595769121605727)
_D_GROWTH = (-7.605964356116601e-07, 3.675065195634423e-15)
_GROWTH_CUBIC = (0.21406444907188416, 0.21406444881780073)
_D_GROWTH_CUBIC = (-2.540834209696641e-10, 1.2025242832367862e-17)
_GELU_TANH_LEAST = (-10.9, -22.0)  # x / 2^t vanishes before
_LOG2_E = (1 / log(2.0), 1 / log(2.0))
# log(2) = _LN2_HEAD + _LN2_REST; the head is so short that its multiples are exact.
_LN2_HEAD = (0.693145751953125, 0.6931471805598903)
_LN2_REST = (1.4286068203094173e-06, 5.497923018708371e-14)
# Lost beside such a multiple, and beside 1. Exponents of this size at least have no subnormal parts.
_LEAST_EXPONENT = (2.0**-40, 2.0**-70)
_DOWN = (2.0**-32, 2.0**-512)
_TANH_SHIFTER = (1.5 * 2.0**23 + 127 - 32, 1.5 * 2.0**52 + 1023 - 512)
# (2^f - 1) / f - LN2 in f on |f| <= 1/2; relative errors of 2^f 2^-32.9 and 2^-61.6.
_EXP2 = (
    (
        -1.904654299957768e-09, 0.24022650718688965, 0.055504109710454941, 0.0096180774271488190, 0.0013333405368030071,
        0.00015456357505172491, 1.5322777471737936e-05,
    ),
    (
        2.3190468138462996e-17, 0.24022650695910075, 0.05550410866482164, 0.009618129107626754, 0.0013333558146401455,
        0.00015403530396152271, 1.525273384735699e-05, 1.3215484775625652e-06, 1.0178054452529026e-07,
        7.05558781798783e-09, 4.456233082608098e-10, 2.4843231939600632e-11,
    ),
)  # fmt: skip
_GELU_MOST = (16.25, 46.0)  # e^(-x^2/2) vanishes before


@scalar
def gelu_tanh(x, a):
    """x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)) (Hendrycks & Gimpel 2016, the tanh approximation).

    x / (1 + 2^(-x k)); from 8 on it is x. 2^(-x k) = (1 + p) scale and 1 come times a small power of two,
    because 2^(-x k) exceeds the largest number before x / 2^(-x k) is 0.
    """
    T = type(x)
    least, one = pick(x, _GELU_TANH_LEAST), pick(x, _DOWN)
    z = least if x < least else T(8) if x > T(8) else x
    p, scale = _exp2(-z, *_tanh_exponent(z), pick(x, _TANH_SHIFTER))
    # scale + one first would lose the one where scale is 2^24 and p < 0
    return x if x > T(8) else z / (fma(scale, p, one) + scale) * one


@scalar
def gelu_tanh_derivative(x, y, a):
    """s = E (1 + E - v) / (1 + E)^2 or 1 - s, E = e^-|z|, v = x dz/dx; 1 + E - v crosses zero: its parts are exact."""
    T = type(x)
    most = -pick(x, _GELU_TANH_LEAST)
    magnitude = most if abs(x) > most else abs(x)
    p, scale = _exp2(-magnitude, *_tanh_exponent(magnitude), pick(x, SHIFTER))
    normal = unscale(scale)
    E, dE = join(p, normal)
    k, dk = _even(magnitude, _GROWTH, _D_GROWTH, _GROWTH_CUBIC, _D_GROWTH_CUBIC)
    v = magnitude * k
    dv = fma(magnitude, dk, fma(magnitude, k, -v))
    rise = E + ((T(1) - v) + (dE - dv))
    square, d_square = _inverse_square(p, normal)
    slope = rise * square
    rest = fma(rise, d_square, fma(rise, square, -slope))
    slope = unscale((slope + fma(p, slope, rest)) * scale)
    return slope if x < 0 else T(1) - slope


@scalar
def gelu(x, a):
    """x Phi(x) (Hendrycks & Gimpel 2016) = max(x, 0) - |x| Phi(-|x|); the latter fades away like e^(-x^2/2)."""
    T = type(x)
    magnitude, p, scale = _normal_decay(x)
    t, dt = gelu_tail(magnitude)
    return minus_unscaled(T(0) if x < 0 else x, (fma(p, t, dt) + t) * scale)


@scalar
def gelu_derivative(x, y, a):
    T = type(x)
    magnitude, p, scale = _normal_decay(x)
    slope = gelu_slope(magnitude)
    slope = unscale(fma(p, slope, slope) * scale)
    return slope if x < 0 else T(1) - slope


@scalar
def _inverse_square(p, scale):
    """(s, ds), s + ds = 1 / (1 + E)^2, E = (1 + p) * scale."""
    one = type(p)(1)
    w = one / (one + fma(scale, p, scale))
    part = w * scale
    error = fma(-part, p, (one - w) - part)
    square = w * w
    return square, fma(square + square, error, fma(w, w, -square))


@scalar
def _normal_decay(x):
    """(magnitude, p, scale), e^(-magnitude^2/2) = (1 + p) * scale * UNSCALE, magnitude = |x| or where that vanishes.

    magnitude^2 / 2 = -n log(2) - r is rounded only where little is left of it, in r.
    """
    T = type(x)
    most = pick(x, _GELU_MOST)
    magnitude = most if abs(x) > most else abs(x)
    half, shift = T(0.5) * magnitude, pick(x, SHIFTER)
    shifted = fma(half, -pick(x, _LOG2_E) * magnitude, shift)
    n = shifted - shift
    r = fma(-half, magnitude, fma(n, -pick(x, _LN2_HEAD), pick(x, _LEAST_EXPONENT)))
    return magnitude, near_exp(fma(n, -pick(x, _LN2_REST), r)), shift_into_exponent(shifted)


@scalar
def _tanh_exponent(x):
    """(k, dk), 2^(x (k + dk)) = e^(2 sqrt(2 / pi) (x + 0.044715 x^3))."""
    return _even(x, _EXPONENT, _D_EXPONENT, _EXPONENT_CUBIC, _D_EXPONENT_CUBIC)


@scalar
def _even(x, a, da, b, db):
    """(k, dk), k + dk = a + da + (b + db) x^2, from pairs, a so short that a - k is exact."""
    a, b = pick(x, a), pick(x, b)
    square = fma(x, x, type(x)(_TINY))
    d_square = fma(x, x, -square)
    k = fma(b, square, a)
    return k, fma(b, d_square, fma(pick(x, db), square, pick(x, da))) + fma(b, square, a - k)


@scalar
def _exp2(x, k, dk, shifter):
    """(p, scale), 2^(x (k + dk)) = (1 + p) * scale, times the power of two that the shifter adds to scale."""
    shifted = fma(x, k, shifter)
    f = fma(x, dk, fma(x, k, shifter - shifted))
    return fma(f, pick(x, LN2), f * horner(f, _EXP2)), shift_into_exponent(shifted)
