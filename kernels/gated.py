"""Activations x * gate(x), each with its derivative: swish, both gelu, mish.

gate(x) + gate(-x) = 1 for all but mish, so f'(x) + f'(-x) = 1: both sides come from the negative one,
where f and f' fade away like E = e^-|z| and keep their relative accuracy. There E is kept scaled
(vecmath.exp_parts) until x has multiplied it, since E alone may round to a subnormal number.
"""

from kernels.intrinsics import copysign, fma, pick
from kernels.jit import scalar
from kernels.normal import gelu_slope, gelu_tail
from kernels.vecmath import (
    EXACT,
    add_smaller,
    exp_parts,
    exp_parts_of_cut,
    join,
    minus_unscaled,
    quotient,
    reciprocal,
    unscale,
    vanishes,
)

_GELU_TANH = (1.5957691669464111, 1.5957691216057308)  # 2 sqrt(2 / pi)
_D_GELU_TANH = (-4.534068054340423e-08, -9.96930880911092e-17)
_CUBIC = (0.044714998453855515, 0.044715)
_D_CUBIC = (1.5461444347053543e-09, 2.1960211427085595e-18)
_GELU_MOST = (16.25, 46.0)  # e^(-x^2/2) vanishes before
_LARGEST = (3.4028234663852886e38, 1.7976931348623157e308)
_DEEP = (-40.0, -350.0)


@scalar
def swish(x, a):
    """x sigmoid(a x); a = 1 is SiLU. x E / (1 + E) or x / (1 + E), E = e^-|a x|."""
    T = type(x)
    p, scale = exp_parts(*_minus_abs(x, a))
    E = fma(scale, p, scale)
    negative = a * x < 0
    largest = pick(x, _LARGEST)
    finite = copysign(largest if abs(x) > largest else abs(x), x)
    quotient = (finite * E if negative else x) / (T(1) + unscale(E))
    return unscale(quotient) if negative else quotient


@scalar
def swish_derivative(x, y, a):
    """s = E (1 + E - v) / (1 + E)^2 or 1 - s, E = e^-v, v = |a x|."""
    T = type(x)
    z, dz = _minus_abs(x, a)
    p, scale = exp_parts(z, dz)
    E = fma(scale, p, scale)
    normal = unscale(E)
    w = T(1) / (T(1) + normal)
    rise = T(0) if vanishes(z) else (T(1) + z) + normal
    slope = unscale(rise * (w * w) * E)
    return slope if a * x < 0 else T(1) - slope


@scalar
def swish_derivative_by_a(x, y, a):
    """x^2 E / (1 + E)^2, E = e^-|a x|."""
    z, dz = _minus_abs(x, a)
    p, normal, scale, factor = _scaled_exp(z, dz)
    root = type(x)(0) if vanishes(z) else x
    square = _inverse_square(p, normal)
    return (root * (root * (fma(p, square, square) * scale))) * factor


@scalar
def gelu_tanh(x, a):
    """x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)) (Hendrycks & Gimpel 2016, the tanh approximation)."""
    z, dz, _, _ = _cubic(x)
    return _gate(x, z, dz, x < 0)


@scalar
def gelu_tanh_derivative(x, y, a):
    z, dz, v, dv = _cubic(x)
    return _gate_slope(z, dz, v, dv, x < 0)


@scalar
def gelu(x, a):
    """x Phi(x) (Hendrycks & Gimpel 2016), Phi(-|x|) = e^(-x^2/2) times a polynomial."""
    T = type(x)
    most = pick(x, _GELU_MOST)
    magnitude = most if abs(x) > most else abs(x)
    p, scale = exp_parts_of_cut(*_minus_half_square(magnitude))
    t = gelu_tail(magnitude)
    return minus_unscaled(T(0) if x < 0 else x, fma(p, t, t) * scale)


@scalar
def gelu_derivative(x, y, a):
    T = type(x)
    z, dz = _minus_half_square(x)
    p, scale = exp_parts(z, dz)
    slope = gelu_slope(T(0) if vanishes(z) else abs(x))
    slope = unscale(fma(p, slope, slope) * scale)
    return slope if x < 0 else T(1) - slope


@scalar
def mish(x, a):
    """x tanh(softplus(x)) (Misra 2019) = x E (2 + E) / (2 + E (2 + E)), or x (1 + 2 E) / (1 + 2 E + 2 E^2)."""
    T = type(x)
    z = -abs(x)
    p, normal, scale, factor = _scaled_exp(z, T(EXACT))
    negative = x < 0
    t, dt, d, dd = _mish_denominator(*join(p, normal), negative)
    n, dn = join(p, scale)
    dn = fma(n, t, -(n * t)) + fma(n, dt, dn * t) if negative else dt
    n = n * t if negative else t
    q, dq = quotient(n, dn, d, dd)
    return _times(x, z, q, dq, factor, negative)


@scalar
def mish_derivative(x, y, a):
    """E G / (2 + 2 E + E^2)^2, or H / (1 + 2 E + 2 E^2)^2, with polynomials G and H in E, reverses of each other."""
    T = type(x)
    z = -abs(x)
    p, normal, scale, factor = _scaled_exp(z, T(EXACT))
    negative = x < 0
    E, dE = join(p, normal)
    _, _, d, dd = _mish_denominator(E, dE, negative)
    w = reciprocal(d)
    error = fma(-w, d, T(1)) - w * dd
    square = w * w
    square = fma(square + square, error, square)
    point = T(0) if vanishes(z) else x
    c0 = fma(T(4), point, T(4))
    c1 = fma(T(4), point, T(6))
    G = fma(fma(E + T(4), E, c1), E, fma(c1, dE, c0))
    H = fma(fma(fma(c0, E, c1), E, T(4)), E, T(1))
    G = G * square
    return (fma(p, G, G) * scale) * factor if negative else H * square


@scalar
def _mish_denominator(E, dE, negative):
    """(t, dt, d, dd): 2 + E and 2 + E t, or 1 + 2 E and t + 2 E^2."""
    T = type(E)
    t, dt = add_smaller(T(2), E, dE) if negative else add_smaller(T(1), T(2) * E, T(2) * dE)
    factor = t if negative else T(2) * E
    product = factor * E
    d, dd = add_smaller(T(2) if negative else t, product, (T(0) if negative else dt))
    return t, dt, d, dd + fma(factor, E, -product)


@scalar
def _scaled_exp(z, dz):
    """(p, normal, scale, factor): e^(z + dz) = (1 + p) * normal = (1 + p) * scale * factor, scale not subnormal."""
    p, scale = exp_parts(z, dz)
    one = type(z)(1)
    deep = z < pick(z, _DEEP)
    return p, unscale(scale), scale if deep else unscale(scale), unscale(one) if deep else one


@scalar
def _inverse_square(p, scale):
    """1 / (1 + E)^2, E = (1 + p) * scale."""
    one = type(p)(1)
    w = reciprocal(one + fma(scale, p, scale))
    part = w * scale
    error = fma(-part, p, (one - w) - part)
    square = w * w
    return fma(square + square, error, square)


@scalar
def _gate(x, z, dz, negative):
    """x E / (1 + E), or x / (1 + E), E = e^(z + dz)."""
    T = type(x)
    p, normal, scale, factor = _scaled_exp(z, dz)
    E, dE = join(p, normal)
    n, dn = join(p, scale)
    y = reciprocal(T(1) + E)
    n, dn = (n, dn) if negative else (T(1), T(0))
    q = n * y
    dq = (fma(-q, E, n - q) + fma(-q, dE, dn)) * y
    return _times(x, z, q, dq, factor, negative)


@scalar
def _times(x, z, q, dq, factor, negative):
    """x * (q + dq) for a gate that is 1 or, if negative, n * factor, and 1 or 0 where e^z vanishes."""
    T = type(x)
    finite = T(0) if vanishes(z) else x
    product = copysign(fma(finite, q, finite * dq), x)  # -0 q - 0 dq would be +0 for dq < 0
    return product * factor if negative else x if vanishes(z) else product


@scalar
def _gate_slope(z, dz, v, dv, negative):
    """s = E (1 + E - v) / (1 + E)^2 or 1 - s; 1 + E - v crosses zero, so its parts are added up exactly."""
    T = type(z)
    p, normal, scale, factor = _scaled_exp(z, dz)
    E, dE = join(p, normal)
    v = T(0) if vanishes(z) else v
    dv = T(0) if vanishes(z) else dv
    slope = (((T(1) - v) + E) + (dE - dv)) * _inverse_square(p, normal)
    slope = (fma(p, slope, slope) * scale) * factor
    return slope if negative else T(1) - slope


@scalar
def _minus_abs(x, a):
    """(z, dz), z + dz = -|a x|."""
    magnitude, slope = abs(x), -abs(a)
    z = slope * magnitude
    return z, fma(slope, magnitude, -z)


@scalar
def _minus_half_square(x):
    """(z, dz), z + dz = -x^2 / 2."""
    half = type(x)(-0.5) * x
    z = half * x
    return z, fma(half, x, -z)


@scalar
def _cubic(x):
    """(z, dz, v, dv): z + dz = -2 sqrt(2 / pi) |x + 0.044715 x^3|, v + dv its derivative times -x."""
    T = type(x)
    magnitude = abs(x)
    linear = pick(x, _GELU_TANH) * magnitude
    d_linear = fma(pick(x, _GELU_TANH), magnitude, -linear) + pick(x, _D_GELU_TANH) * magnitude
    square = magnitude * magnitude
    d_square = fma(magnitude, magnitude, -square)
    cubic, d_cubic = pick(x, _CUBIC), pick(x, _D_CUBIC)
    rise = cubic * square
    d_rise = fma(cubic, square, -rise) + fma(cubic, d_square, d_cubic * square)
    z, dz = _product(-linear, -d_linear, rise, d_rise, T(1))
    v, dv = _product(linear, d_linear, T(3) * rise, T(3) * d_rise, T(1))
    return z, dz, v, dv


@scalar
def _product(x, dx, y, dy, c):
    """(x + dx) * (c + y + dy) in two parts."""
    s = c + y
    ds = (y - (s - c) if y < c else c - (s - y)) + dy
    p = x * s
    return p, fma(x, s, -p) + fma(x, ds, dx * s)
