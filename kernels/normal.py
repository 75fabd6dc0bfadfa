"""The tail of the normal distribution and the slope of x * Phi(x), without their factor e^(-x^2/2), for GELU and erf.

Both are polynomials in u = (x - c) / (x + c), which takes x in [0, inf) to [-1, 1) where they are smooth;
fitted with Sollya's fpminimax (relative error) on x in [0, 13.4] and [0, 39], beyond which the factor
e^(-x^2/2) that they lack is subnormal or 0. c has few bits, so that x + c - c is exact, and a low degree.
"""

from kernels.intrinsics import fma, horner, pick
from kernels.jit import scalar
from kernels.vecmath import reciprocal

_C = (4.0, 5.0)

# (x + c) Phi(-x) e^(x^2/2) = _CENTRE + u * _TAIL(u); relative errors 2^-27.0 and 2^-55.0.
_CENTRE = (0.7552851438522339, 0.769193049750063)
_TAIL = (
    (
        -0.607896625995636, 0.38713663816452026, -0.18652257323265076, 0.06040656566619873, -0.0075300042517483234,
        -0.0035254298709332943, 0.0015744260745123029, 0.00020150671480223536, -0.00012081036402378231,
    ),
    (
        -0.6653825028900566, 0.495305615969975, -0.31353315667131354, 0.16502036617042637, -0.06911863870600732,
        0.02079506679927019, -0.002993376775080816, -0.0007978693934406967, 0.0005448991024434619,
        -5.937575152269325e-05, -4.976300099432261e-05, 1.6681272270828105e-05, 3.981485502544198e-06,
        -2.7693126975190598e-06, -3.3777543405667376e-07, 4.3300877266161683e-07, 4.370239773838419e-08,
        -6.554790138884013e-08, -1.0305660357399202e-08, 7.251737143023403e-09, 2.0511561564164754e-09,
    ),
)  # fmt: skip
# (Phi(-x) - x phi(x)) e^(x^2/2) / (x0 - x); relative errors 2^-25.9 and 2^-54.2. x0 is the zero of the numerator.
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
_ROOT = (0.8409, 0.8409)
_SLOPE_OF_ROOT = (-1.051, -1.261)


@scalar
def normal_tail(x):
    """Phi(-x) e^(x^2/2) for x >= 0."""
    c, one = pick(x, _C), type(x)(1)
    d = x + c
    y = reciprocal(d)
    error = fma(-y, d, one) - y * (x - (d - c))
    part = (c + c) * y
    u = fma(-part, error, fma(-(c + c), y, one))
    return fma(y, error, y) * fma(horner(u, _TAIL), u, pick(x, _CENTRE))


@scalar
def gelu_tail(x):
    """(t, dt), t + dt = x Phi(-x) e^(x^2/2) for x >= 0.

    dt is what four roundings left: those of t = part * h, of h, of u, by which h falls about 1.5 times as
    fast as its last step says, and of part = x / (x + c). The last enters u too: an error e / (x + c) of
    part moves t by e t'(x) / (1 - part). The fourth power of a line in part comes close to that quotient,
    from 1/2 at 0 on as long as it matters.
    """
    T = type(x)
    c, centre = pick(x, _C), pick(x, _CENTRE)
    d = x + c
    part = x / d
    u = fma(T(2), part, T(-1))
    bend = horner(u, _TAIL)
    h = fma(bend, u, centre)
    t = part * h
    e = fma(-part, x - (d - c), fma(-part, d, x))
    root = fma(pick(x, _SLOPE_OF_ROOT), part, pick(x, _ROOT))
    square = root * root
    du = fma(T(2), part, T(-1) - u)
    dh = fma(T(1.5) * bend, du, fma(bend, u, centre - h))
    dt = fma(part, dh, fma(part, h, -t))
    return t, fma(e * square, square, dt)


@scalar
def gelu_slope(x):
    """gelu'(-x) e^(x^2/2) for x >= 0, with a small relative error also around its zero x0."""
    T = type(x)
    slope = horner(fma(T(2), x / (x + pick(x, _C)), T(-1)), _SLOPE)
    return fma(slope, pick(x, _ZERO) - x, slope * pick(x, _D_ZERO))
