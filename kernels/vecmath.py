"""exp, division and log1p as scalar functions that LLVM turns into SIMD.

No branches, no calls, no tables: every function is a chain of fused multiply-adds, and one body serves
float32 and float64, which differ by pairs of constants. What a later step needs more exactly than its
type holds is an unevaluated sum x + dx of two numbers. NaN passes through. Polynomials were fitted with
Sollya's fpminimax, coefficients in the type they are used in.
"""

from math import log

from kernels.intrinsics import estimate_reciprocal, fma, horner, pick, shift_into_exponent
from kernels.jit import by_dtype, scalar

# The dz of an exact z. LLVM drops "x + -0.0" but must keep "x + 0.0".
EXACT = -0.0

# e^z = e^r * scale * _UNSCALE, where scale = 2^n * 2^64 (float32), 2^n * 2^512 (float64) has no subnormal
# value down to _LOWEST, and is 0 there. The last bits of z * log2(e) + _SHIFTER are the exponent of scale.
_LOWEST = (-132.5, -1064.0)
_UNSCALE = (2.0**-64, 2.0**-512)
_SHIFTER = (1.5 * 2.0**23 + 127 + 64, 1.5 * 2.0**52 + 1023 + 512)
_PLAIN_SHIFTER = (1.5 * 2.0**23 + 127, 1.5 * 2.0**52 + 1023)  # the same without UNSCALE
_LOG2_E = (1 / log(2.0), 1 / log(2.0))
_LN2 = (0.6931471824645996, 0.6931471805599453)
_D_LN2 = (-1.9046542121259336e-09, 2.3190468138462996e-17)

# In place of 1 in Newton's step: reciprocals are too large by 2^-21 to 2^-16.9 (float32), 2^-31.2 to 2^-30.9.
_ABOVE = (1 + 2.0**-17, 1 + 2.0**-31)

# (e^r - 1 - r) / r^2 on |r| <= ln(2)/2; relative errors of e^r - 1 2^-30.4 and 2^-60.7.
_EXP = (
    (
        0.5, 0.1666666716337204, 0.041666511446237564, 0.008333177305758, 0.0013930501881986856,
        0.00019972329027950764,
    ),
    (
        0.5, 0.1666666666666667, 0.04166666666666668, 0.008333333333325896, 0.0013888888888876985,
        0.00019841269875410617, 2.4801587342422164e-05, 2.7557254823865368e-06, 2.7557257005698655e-07,
        2.510541135511895e-08, 2.0920349971430065e-09,
    ),
)  # fmt: skip
# (2 atanh(s) / s - 2) / s^2 in s^2 on [0, 1/9]; errors of 2 atanh(s) / s 2^-31.7 and 2^-57.6.
_ATANH = (
    (
        0.6666666865348816, 0.3999954164028168, 0.2859780490398407, 0.2164023071527481, 0.23492710292339325,
    ),
    (
        0.6666666666666666, 0.40000000000012625, 0.2857142856736375, 0.22222222702387717, 0.18181789912701898,
        0.15385561314788543, 0.13314239274344103, 0.12000478939890881, 0.08802661058519307, 0.16161668653806985,
    ),
)  # fmt: skip


@scalar
def vanishes(z):
    """Whether e^z is 0 even when multiplied by numbers of the size of z; nan is not."""
    return z < pick(z, _LOWEST)


@scalar
def cut(magnitude):
    """magnitude, or where e^-magnitude vanishes the least at which it does."""
    most = -pick(magnitude, _LOWEST)
    return most if magnitude > most else magnitude


@scalar
def _reduce(z, dz):
    """(r, scale), e^(z + dz) = e^r * scale * UNSCALE and |r| <= ln(2)/2, for z <= 0 where e^z does not vanish."""
    shifter = pick(z, _SHIFTER)
    shifted = fma(z, pick(z, _LOG2_E), shifter)
    n = shifted - shifter
    # Exact: a small multiple of both last places. Only the next step rounds.
    r = fma(n, -pick(z, _LN2), z)
    return fma(n, -pick(z, _D_LN2), r + dz), shift_into_exponent(shifted)


@scalar
def exp_parts_of_cut(z, dz):
    """(p, scale), e^(z + dz) = (1 + p) * scale * UNSCALE and |p| < 0.42, for z <= 0 that is cut off."""
    r, scale = _reduce(z, dz)
    return fma(r * r, horner(r, _EXP), r), scale


@scalar
def exp_parts(z, dz):
    """exp_parts_of_cut for any z <= 0."""
    return exp_parts_of_cut(*_cut_off(z, dz))


@scalar
def _cut_off(z, dz):
    """(z, dz), or (least z, 0) where e^z vanishes."""
    gone = vanishes(z)
    return pick(z, _LOWEST) if gone else z, type(z)(EXACT) if gone else dz


@scalar
def unscale(x):
    """x * UNSCALE, rounded once where that is subnormal."""
    return x * pick(x, _UNSCALE)


@scalar
def minus_unscaled(y, x):
    """y - x * UNSCALE, rounded once."""
    return fma(x, -pick(x, _UNSCALE), y)


@scalar
def join(p, scale):
    """(E, dE), E + dE = (1 + p) * scale."""
    E = fma(scale, p, scale)
    return E, fma(scale, p, scale - E)


@scalar
def exp_nonpositive(z, dz):
    """(E, dE), E + dE = e^(z + dz) for z <= 0."""
    p, scale = exp_parts(z, dz)
    return join(p, unscale(scale))


@scalar
def one_minus_exp(z, dz):
    """(u, du), u + du = 1 - e^(z + dz) for z <= 0, with a small relative error also near 0."""
    r, scale = _reduce(*_cut_off(z, dz))
    scale = unscale(scale)
    tail = (r * r) * horner(r, _EXP)
    p = r + tail
    one = type(z)(1)
    gap = one - scale
    u = fma(-scale, p, gap)
    return u, fma(-scale, p, gap - u) - fma(scale, tail - (p - r), scale - (one - gap))


@scalar
def expm1(z):
    """F = e^z - 1 for 0 <= z <= 40, with a small relative error also near 0, for use in F / (F + 2)."""
    shifter = pick(z, _PLAIN_SHIFTER)
    shifted = fma(z, pick(z, _LOG2_E), shifter)
    r = fma(shifted - shifter, -pick(z, _LN2), z)  # what _D_LN2 would add is lost beside an F / (F + 2) near 1
    scale = shift_into_exponent(shifted)
    return fma(scale, fma(r * r, horner(r, _EXP), r), scale - type(z)(1))


@scalar
def add_smaller(x, y, dy):
    """(s, ds), s + ds = x + y + dy, where |y| <= |x| or x = 0 (Dekker 1971: fast two-sum)."""
    s = x + y
    return s, (y - (s - x)) + dy


@scalar
def _reciprocal32(d):
    y = estimate_reciprocal(d)
    e = fma(-d, y, pick(d, _ABOVE))
    return fma(y, fma(fma(e, e, e), e, e), y)


@scalar
def _reciprocal64(d):
    y = _reciprocal32(d)
    return fma(y, fma(-d, y, pick(d, _ABOVE)), y)


# 1/d within 2^-16.9 or 2^-30.9, for 2^-125 < d < 2^125; a Newton step on a quotient squares the error.
# On Intel cores a division costs as much as 18 FMAs, this and the step about 8.
reciprocal = by_dtype(_reciprocal32, _reciprocal64)


@scalar
def quotient(x, dx, d, dd):
    """(q, dq), q + dq = (x + dx) / (d + dd)."""
    y = reciprocal(d)
    q = x * y
    return q, (fma(-q, d, x) + fma(-q, dd, dx)) * y


@scalar
def divide(x, dx, d, dd):
    """(x + dx) / (d + dd), rounded about once."""
    q, dq = quotient(x, dx, d, dd)
    return q + dq


@scalar
def inverse(d, dd):
    """1 / (d + dd), rounded about once."""
    return divide(type(d)(1), type(d)(0), d, dd)


@scalar
def over_one_plus(x, dx, t, dt):
    """(q, dq), q + dq = (x + dx) / (1 + t + dt), 0 <= t <= 1, x = 1 or t: x - q is exact, since q >= x / 2."""
    y = reciprocal(type(x)(1) + t)
    q = x * y
    return q, (fma(-q, t, x - q) + fma(-q, dt, dx)) * y


@scalar
def log1p_parts(t, dt):
    """(s, ds), s + ds = log(1 + t + dt) = 2 atanh(t / (2 + t)) for t in [0, 1]."""
    half = type(t)(0.5)
    q, dq = over_one_plus(half * t, half * dt, half * t, half * dt)
    s = q + dq
    ds = dq - (s - q)
    square = s * s
    return s + s, fma(s * square, horner(square, _ATANH), ds + ds)
