"""The tail of the normal distribution and the slope of x * Phi(x), without their factor e^(-x^2/2), for GELU.

Both are polynomials in x / (x + c), which takes x in [0, inf) to [0, 1) where they are smooth; fitted with
Sollya's fpminimax on x in [0, 13.4] and [0, 39], beyond which the factor e^(-x^2/2) that they lack is
subnormal or 0. Their variables are shifted, the last step of Horner's chain being the smaller; c has few bits.
"""

from kernels.intrinsics import fma, horner, pick
from kernels.jit import by_dtype, scalar

_C = (3.375, 5.0)
_CENTRE = 0.769193049750063
# (x + c) Phi(-x) e^(x^2/2) = 1 + _TAIL(x / (x + c) - 1/2) with a relative error of 2^-27.5 in float32;
# in float64 = _CENTRE + u _TAIL(u), u = (x - c) / (x + c), 2^-55.0.
_TAIL = (
    (
        -0.25891971588134766, -1.1059844493865967, 1.1815032958984375, -0.7870743274688721,
        0.13951973617076874, 0.2503856122493744, -0.14425477385520935, -0.10878198593854904,
        0.08016086369752884, 0.07017844170331955,
    ),
    (
        -0.6653825028900566, 0.495305615969975, -0.31353315667131354, 0.16502036617042637, -0.06911863870600732,
        0.02079506679927019, -0.002993376775080816, -0.0007978693934406967, 0.0005448991024434619,
        -5.937575152269325e-05, -4.976300099432261e-05, 1.6681272270828105e-05, 3.981485502544198e-06,
        -2.7693126975190598e-06, -3.3777543405667376e-07, 4.3300877266161683e-07, 4.370239773838419e-08,
        -6.554790138884013e-08, -1.0305660357399202e-08, 7.251737143023403e-09, 2.0511561564164754e-09,
    ),
)  # fmt: skip
_SLOPE_C = (4.0, 5.0)
# (Phi(-x) - x phi(x)) e^(x^2/2) / (x0 - x) = _SLOPE((x - c) / (x + c)), x0 the zero of the numerator; relative
# errors 2^-25.9 and 2^-54.2.
_SLOPE = (
    (
        0.4622112512588501, -0.1033659502863884, 0.060462553054094315, -0.028082165867090225, 0.009509637020528316,
        -0.0017941358964890242, -0.00017616202239878476, 0.00018862441356759518, 1.7079517419915646e-05,
    ),
    (
        0.45143549526340543, -0.08979658026980372, 0.060487813553868716, -0.03553512146915691, 0.017807831556948858,
        -0.007334310928944225, 0.002302183722735805, -0.0004405306259779127, -1.5195768988439587e-05,
        4.064700106757916e-05, -9.201182004615833e-06, -1.9928548255129203e-06, 1.3601793730446917e-06,
        2.170586575228275e-08, -1.6874423926547438e-07, 1.2007332407190816e-08, 2.1687729652354622e-08,
        -2.056329132505781e-09, -2.709793878226134e-09, 1.235168058081617e-10, 2.0514408733642264e-10,
    ),
)  # fmt: skip
_ZERO = (0.7517915368080139, 0.7517915246935645)
_D_ZERO = (-1.211444945855772e-08, -1.4956759177009883e-17)


@scalar
def _gelu_tail32(x):
    """dt is what the rounding of t left, and what those of x + c and of part did to t.

    An error e / (x + c) of part moves t by e t'(x) / (1 - part), of which half will do: the square of a line in part.
    """
    c = pick(x, _C)
    part = x / (x + c)
    bend = horner(part - type(x)(0.5), _TAIL)
    t = fma(part, bend, part)
    e = fma(-part, x, fma(-part, c, x))
    root = fma(type(x)(-0.7415), part, type(x)(0.5575))
    return t, fma(e * root, root, fma(part, bend, part - t))


@scalar
def _gelu_tail64(x):
    """dt is what four roundings left: those of t = part * h, of h, of u, by which h falls about 1.5 times as
    fast as its last step says, and of part. Here it takes the fourth power of a line in part.
    """
    T = type(x)
    c, centre = pick(x, _C), T(_CENTRE)
    d = x + c
    part = x / d
    u = fma(T(2), part, T(-1))
    bend = horner(u, _TAIL)
    h = fma(bend, u, centre)
    t = part * h
    e = fma(-part, x - (d - c), fma(-part, d, x))
    root = fma(T(-1.261), part, T(0.8409))
    square = root * root
    du = fma(T(2), part, T(-1) - u)
    dh = fma(T(1.5) * bend, du, fma(bend, u, centre - h))
    dt = fma(part, dh, fma(part, h, -t))
    return t, fma(e * square, square, dt)


# (t, dt), t + dt = x Phi(-x) e^(x^2/2) for x >= 0, in float32 with fewer operations.
gelu_tail = by_dtype(_gelu_tail32, _gelu_tail64)


@scalar
def gelu_slope(x):
    """gelu'(-x) e^(x^2/2) for x >= 0, with a small relative error also around its zero x0."""
    T = type(x)
    slope = horner(fma(T(2), x / (x + pick(x, _SLOPE_C)), T(-1)), _SLOPE)
    return fma(slope, pick(x, _ZERO) - x, slope * pick(x, _D_ZERO))
