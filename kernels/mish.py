"""mish and its derivative: fractions of polynomials in E = e^x, one exponential and one division for both signs.

E overflows beyond x = 88, but from 20 on mish(x) = x. Below 0 the fractions fade away like E and keep
their relative accuracy; E is kept scaled (vecmath.exp_parts) until x has multiplied it.
"""

from kernels.intrinsics import copysign, fma
from kernels.jit import scalar
from kernels.vecmath import EXACT, cut, exp_parts_of_cut, join, unscale


@scalar
def mish(x, a):
    """x tanh(softplus(x)) (Misra 2019) = x (1 - 2 / D), D = (1 + E)^2 + 1, E = e^x.

    Far below 0 that cancels; there it is x E (1 - E (1 + E) / D), with E = (1 + p) scale rounded at the very end.
    """
    T = type(x)
    z, p, scale = _exp(x)
    E, _, D, _ = _denominator(p, unscale(scale))
    negative = x < T(-0.42)
    part = (E * (E + T(1)) if negative else T(2)) / D
    low = z * scale
    return copysign(unscale(fma(low, fma(-part, T(1) + p, p), low)) if negative else fma(-z, part, x), x)


@scalar
def mish_derivative(x, y, a):
    """1 + (4 x E (1 + E) - 2 D) / D^2, or E G / D^2, G = 4 + 4 x + E (6 + 4 x + E (4 + E)), E and D as in mish.

    G keeps its relative accuracy around its zero: what is subtracted there is exact, or small beside it.
    G' (E) dE makes up for the rounding of E, with 1.5 times the factor of G's last step for G'.
    """
    T = type(x)
    z, p, scale = _exp(x)
    E, dE, D, dD = _denominator(p, unscale(scale))
    square = fma(D, D, (D + D) * dD)
    four = T(4) * z
    rise = fma(E, E + T(4), four + T(6))
    G = fma(E, rise, fma(rise, T(1.5) * dE, four + T(4)))
    negative = x < T(-0.1)
    slope = (fma(p, G, G) if negative else fma(four, fma(E, E, E), T(-2) * D)) / square
    return unscale(slope * scale) if negative else T(1) + slope


@scalar
def _exp(x):
    """(z, p, scale), e^z = (1 + p) * scale * UNSCALE, z = x between where e^x vanishes and where mish(x) = x."""
    z = -cut(-x)
    z = type(x)(20) if z > type(x)(20) else z
    return z, *exp_parts_of_cut(z, type(x)(EXACT))


@scalar
def _denominator(p, scale):
    """(E, dE, D, dD), E + dE = (1 + p) * scale, D + dD = E^2 + 2 E + 2: the summands of D without p are exact."""
    T = type(p)
    E, dE = join(p, scale)
    twice = fma(T(2), scale, T(2))
    rest, slope = fma(scale, scale, twice), scale * fma(scale, p, twice)
    D = fma(p, slope, rest)
    return E, dE, D, fma(p, slope, rest - D)
