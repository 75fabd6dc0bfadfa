"""swish(x) = x sigmoid(a x) and its derivatives, by x and by a, from one e^z, z = -a x, of either sign.

One formula holds left and right: E = e^z is kept multiplied by u, a small power of two, with which 1 + E
does not overflow where 1 / (1 + E) is subnormal; what vanishes is cut off in x, so that z has only to be
rounded, not compared. x + dx is one number in two parts.
"""

from kernels.intrinsics import copysign, fma, pick
from kernels.jit import scalar
from kernels.vecmath import MOST, exp_parts, growing_exp_parts, unscale

# Below this |a|, x e^z or x^2 e^z does not vanish where it is cut off, or overflows while it is divided by u.
_GENTLE = (2.0**-20, 2.0**-200)
_GENTLE_BY_A = (2.0**-8, 2.0**-200)
_LARGEST = (3.4028234663852886e38, 1.7976931348623157e308)
_MOST_INVERSE = (2.0**120, 2.0**1012)  # times MOST or LOST it is finite
_LOST = (20.0, 40.0)  # e^-z is nothing beside 1 / z from here on


@scalar
def swish(x, a):
    """x / (1 + E) (Ramachandran, Zoph & Le 2017; a = 1 is SiLU, Hendrycks & Gimpel 2016), or x where E is lost.

    q = x / (u + uE) gets what rounding the sum, the division and q itself lost.
    """
    T = type(x)
    if abs(a) < pick(x, _GENTLE):
        root, one = _roots(x, a)
        return copysign((root if a * x < 0 else x) / (T(1) + one * one) * (one if a * x < 0 else T(1)), x)
    finite, z, dz = _cut_off(x, a)
    p, scale = growing_exp_parts(z, dz)
    d, dd = _one_plus(p, scale)
    w = T(1) / d
    q = finite * w
    y = unscale(fma(fma(-q, dd, fma(-q, d, finite)), w, q))
    return x if z < -pick(x, _LOST) else copysign(y, x)


@scalar
def swish_derivative(x, y, a):
    """(1 + E (1 + a x)) w^2, w = 1 / (1 + E): only the bracket crosses zero, and 1 + a x is small there."""
    T = type(x)
    finite, z, dz = _cut_off(x, a)
    p, scale = growing_exp_parts(z, dz)
    d, dd = _one_plus(p, scale)
    w = T(1) / d
    error = fma(-w, dd, fma(-w, d, T(1)))
    slope = fma(fma(scale, p, scale), fma(a, finite, T(1)), unscale(T(1))) * w * w
    return unscale(fma(slope, error + error, slope))


@scalar
def swish_derivative_by_a(x, y, a):
    """x^2 w (1 - w), w = 1 / (1 + e^|a x|)."""
    T = type(x)
    size = abs(a)
    if size < pick(x, _GENTLE_BY_A):
        root, one = _roots(x, a)
        root = root / (T(1) + one * one)
        return root * root
    most = pick(x, MOST) / size
    magnitude = most if abs(x) > most else abs(x)
    z = size * magnitude
    p, scale = growing_exp_parts(z, fma(size, magnitude, -z))
    d, dd = _one_plus(p, scale)
    w = T(1) / d
    w = fma(w, fma(-w, dd, fma(-w, d, T(1))), w)
    return unscale(magnitude * w * magnitude * (T(1) - unscale(w)))


@scalar
def _roots(x, a):
    """(x e, e), e = e^-|a x / 2|, for an a with which x is large where e is small: nothing is cut off in x."""
    T = type(x)
    most = pick(x, _LARGEST)
    size = most if abs(x) > most else abs(x)
    slope = T(-0.5) * abs(a)
    z = slope * size
    p, scale = exp_parts(z, fma(slope, size, -z))
    one = unscale(fma(scale, p, scale))
    return (x if one > 0 else T(0)) * one, one


@scalar
def _cut_off(x, a):
    """(x, z, dz), z + dz = -a x, x cut off where x e^z vanishes and where e^z is nothing beside 1."""
    T = type(x)
    per = _inverse(abs(a))
    gone, lost = pick(x, MOST) * per, T(2) * pick(x, _LOST) * per
    low, high = (-lost, gone) if a < 0 else (-gone, lost)
    x = low if x < low else x
    x = high if x > high else x
    z = -a * x
    return x, z, fma(-a, x, -z)


@scalar
def _inverse(size):
    """1 / size, but so small that multiples of it are finite: beyond, nothing is cut off."""
    T = type(size)
    most = pick(size, _MOST_INVERSE)
    return T(1) / size if size * most > T(1) else most


@scalar
def _one_plus(p, scale):
    """(d, dd), d + dd = u + (1 + p) * scale, u = unscale(1)."""
    one = unscale(type(p)(1))
    d = fma(scale, p, scale + one)
    return d, fma(scale, p, (scale - d) + one)
