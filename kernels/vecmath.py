"""exp, expm1 and division as scalar functions that LLVM turns into SIMD.

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
# value down to _LOWEST, and is 0 there. The last bits of z * log2(e) + SHIFTER are the exponent of scale.
_LOWEST = (-132.5, -1064.0)
_UNSCALE = (2.0**-64, 2.0**-512)
SHIFTER = (1.5 * 2.0**23 + 127 + 64, 1.5 * 2.0**52 + 1023 + 512)
_PLAIN_SHIFTER = (1.5 * 2.0**23 + 127, 1.5 * 2.0**52 + 1023)  # for scale = 2^n
_DOWN_SHIFTER = (1.5 * 2.0**23 + 127 - 64, 1.5 * 2.0**52 + 1023 - 512)  # for scale = 2^n * UNSCALE
# From here on e^-z vanishes, also when multiplied by z^2; e^z * UNSCALE does not overflow, multiplied by z.
MOST = (125.0, 1040.0)
_LOG2_E = (1 / log(2.0), 1 / log(2.0))
LN2 = (0.6931471824645996, 0.6931471805599453)
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
# The same with a small error of e^r alone, 2^-28.0 and 2^-57.5: one coefficient less.
_PLAIN_EXP = (
    (0.49999991059303284, 0.166665181517601, 0.04166858270764351, 0.008368962444365025, 0.0013817790895700455),
    (
        0.5000000000000013, 0.166666666666667, 0.04166666666651137, 0.008333333333307201, 0.0013888888947954708,
        0.00019841269917413232, 2.480148905212355e-05, 2.7557216260019283e-06, 2.7631577485187046e-07,
        2.511787752086867e-08,
    ),
)  # fmt: skip
# The same once more, errors of e^r - 1 2^-26.1 and 2^-55.5.
_EXPM1 = (
    (0.4999999701976776, 0.1666654348373413, 0.041667502373456955, 0.008366544730961323, 0.0013864580541849136),
    (
        0.5000000000000006, 0.16666666666666594, 0.04166666666657363, 0.008333333333386247, 0.0013888888932386467,
        0.0001984126972717471, 2.480150442249484e-05, 2.755739946519753e-06, 2.762634173944759e-07,
        2.5056550381395583e-08,
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
def _split(z, shift):
    """(r, n, 2^n): z = n log(2) + r up to n * _D_LN2, |r| <= ln(2)/2, 2^n as the shift scales it; z of any sign."""
    shifted = fma(z, pick(z, _LOG2_E), shift)
    n = shifted - shift
    # The remainder is exact: a small multiple of both last places. What the caller adds to it rounds.
    return fma(n, -pick(z, LN2), z), n, shift_into_exponent(shifted)


@scalar
def exp_parts_of_cut(z, dz):
    """(p, scale), e^(z + dz) = (1 + p) * scale * UNSCALE and |p| < 0.42, for z <= 0 that is cut off."""
    r, n, scale = _split(z, pick(z, SHIFTER))
    r = fma(n, -pick(z, _D_LN2), r + dz)
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
def near_exp(r):
    """p, e^r = 1 + p for |r| <= ln(2)/2: 1 + p has the small error, not p."""
    return fma(r * r, horner(r, _PLAIN_EXP), r)


@scalar
def plain_exp_parts(z, dz):
    """exp_parts_of_cut in an operation less, for -MOST <= z <= 0: 1 + p has the small error, not p."""
    r, n, scale = _split(z, pick(z, SHIFTER))
    r = fma(n, -pick(z, _D_LN2), r + dz)
    return near_exp(r), scale


@scalar
def growing_exp_parts(z, dz):
    """(p, scale), e^(z + dz) * UNSCALE = (1 + p) * scale, for z from -40 (float32), -300 to MOST."""
    r, n, scale = _split(z, pick(z, _DOWN_SHIFTER))
    r = r + fma(n, -pick(z, _D_LN2), dz)
    return near_exp(r), scale


@scalar
def shift_under(top):
    """The shift for shifted_exp of numbers from top - MOST to top, |top| < 2 MOST, of whose powers none underflows."""
    _, n, _ = _split(top, pick(top, SHIFTER))
    return pick(top, SHIFTER) - n


@scalar
def shifted_exp(z, shift):
    """e^z times the power of two that makes e^top, of shift_under(top), 1 / UNSCALE within 42 %."""
    r, n, scale = _split(z, shift)
    return fma(scale, near_exp(fma(n, -pick(z, _D_LN2), r)), scale)


@scalar
def over_growth(k, z):
    """k / (1 + e^z) for z >= 0, k of a few units; rounded once where that is subnormal.

    1 is added to p * 2^n first, not to 2^n: from 2^24 (2^53) on that would drop it.
    """
    most = pick(z, MOST)
    r, n, scale = _split(most if z > most else z, pick(z, _DOWN_SHIFTER))
    r = fma(n, -pick(z, _D_LN2), r)
    one = pick(z, _UNSCALE)
    return k * one / (fma(scale, fma(r * r, horner(r, _EXP), r), one) + scale)


@scalar
def expm1_parts(z):
    """(p, 2^n), e^z = (1 + p) * 2^n, p with a small relative error, which e^z - 1 then has too; -60 <= z <= 0."""
    r, _, scale = _split(z, pick(z, _PLAIN_SHIFTER))  # n * _D_LN2 matters only where e^z is lost beside 1
    return fma(r * r, horner(r, _EXPM1), r), scale


@scalar
def expm1(z, dz):
    """e^(z + dz) - 1, with a small relative error also near 0; -60 <= z <= 0."""
    r, _, scale = _split(z, pick(z, _PLAIN_SHIFTER))
    p = r + fma(r * r, horner(r, _EXP), dz)
    return fma(scale, p, scale - type(z)(1))


@scalar
def expm1_times(z, dz, c, dc):
    """(c + dc) (e^(z + dz) - 1), rounded about once: small terms are added up first; -60 <= z <= 0."""
    r, _, scale = _split(z, pick(z, _PLAIN_SHIFTER))
    gap = scale - type(z)(1)
    rest = fma(c, fma(r * r, horner(r, _EXP), dz), dc * r)
    return fma(gap, c, fma(scale * r, c, fma(scale, rest, gap * dc)))


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
