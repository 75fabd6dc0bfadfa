"""The tail of the normal distribution and the slope of x * Phi(x), without their factor e^(-x^2/2), for GELU and erf.

Both are polynomials in u = (x - c) / (x + c), which takes x in [0, inf) to [-1, 1) where they are smooth;
fitted with Sollya's fpminimax (relative error) on x in [0, 14.5] and [0, 39], where the factor
e^(-x^2/2) that they lack vanishes. c is chosen for a low degree.
"""

from kernels.intrinsics import fma, horner, pick
from kernels.jit import scalar
from kernels.vecmath import reciprocal

_C = (3.5, 5.0)

# (x + c) Phi(-x) e^(x^2/2); relative errors 2^-25.1 and 2^-55.0.
_TAIL = (
    (
        0.7444160580635071, -0.5655617117881775, 0.3154255151748657, -0.1160534992814064, 0.017402583733201027,
        0.0064941938035190105, -0.0031633044127374887, -0.0004921744111925364, 0.000408687541494146,
        0.00010271449718857184,
    ),
    (
        0.769193049750063, -0.6653825028900566, 0.495305615969975, -0.31353315667131354, 0.16502036617042637,
        -0.06911863870600732, 0.02079506679927019, -0.002993376775080816, -0.0007978693934406967,
        0.0005448991024434619, -5.937575152269325e-05, -4.976300099432261e-05, 1.6681272270828105e-05,
        3.981485502544198e-06, -2.7693126975190598e-06, -3.3777543405667376e-07, 4.3300877266161683e-07,
        4.370239773838419e-08, -6.554790138884013e-08, -1.0305660357399202e-08, 7.251737143023403e-09,
        2.0511561564164754e-09,
    ),
)  # fmt: skip
# (Phi(-x) - x phi(x)) e^(x^2/2) / (x0 - x); relative errors 2^-25.9 and 2^-54.2. x0 is the zero of the numerator.
_SLOPE = (
    (
        0.4693795442581177, -0.11131652444601059, 0.058328818529844284, -0.022017860785126686, 0.004695977084338665,
        0.0002443895791657269, -0.0004318828578107059, 2.114301605615765e-05, 3.668933641165495e-05,
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
def normal_tail(x):
    """Phi(-x) e^(x^2/2) for x >= 0."""
    u, y, error = _map(x)
    return fma(y, error, y) * horner(u, _TAIL)


@scalar
def gelu_tail(x):
    """x Phi(-x) e^(x^2/2) for x >= 0."""
    part = x / (x + pick(x, _C))
    return part * horner(fma(type(x)(2), part, type(x)(-1)), _TAIL)


@scalar
def gelu_slope(x):
    """gelu'(-x) e^(x^2/2) for x >= 0, with a small relative error also around its zero x0."""
    u, _, _ = _map(x)
    slope = horner(u, _SLOPE)
    return fma(slope, pick(x, _ZERO) - x, slope * pick(x, _D_ZERO))


@scalar
def _map(x):
    """(u, y, error): 1 / (x + c) = y (1 + error), u = 1 - 2 c / (x + c)."""
    c, one = pick(x, _C), type(x)(1)
    d = x + c
    y = reciprocal(d)
    error = fma(-y, d, one) - y * (x - (d - c))
    part = (c + c) * y
    return fma(-part, error, fma(-(c + c), y, one)), y, error
