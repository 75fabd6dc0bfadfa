"""Activations made of straight lines, each with its derivative; slopes at the kinks are PyTorch's.

A condition that is false for NaN sends NaN to the piece that returns it.
"""

from kernels.intrinsics import fma, pick
from kernels.jit import scalar
from kernels.vecmath import add_smaller

_SIXTH = (0.1666666716337204, 1 / 6)
_D_SIXTH = (-4.967053879312289e-09, 9.25185853854297e-18)


@scalar
def _unless_nan(slope, x):
    """Two selections: of three pieces, LLVM makes twice as many operations on masks."""
    return slope if x == x else x


@scalar
def identity(x, a):
    return x


@scalar
def identity_derivative(x, y, a):
    return _unless_nan(type(x)(1), x)


@scalar
def relu(x, a):
    return type(x)(0) if x < 0 else x


@scalar
def relu_derivative(x, y, a):
    T = type(x)
    return _unless_nan(T(1) if x > 0 else T(0), x)


@scalar
def leaky_relu(x, a):
    return x if x > 0 else a * x


@scalar
def leaky_relu_derivative(x, y, a):
    T = type(x)
    return _unless_nan(T(1) if x > 0 else a, x)


@scalar
def leaky_relu_derivative_by_a(x, y, a):
    return type(x)(0) if x > 0 else x


@scalar
def relu6(x, a):
    T = type(x)
    return T(0) if x < 0 else T(6) if x > 6 else x


@scalar
def relu6_derivative(x, y, a):
    T = type(x)
    return _unless_nan(T(1) if 0 < x < 6 else T(0), x)


@scalar
def hardtanh(x, a):
    T = type(x)
    return T(-1) if x < -1 else T(1) if x > 1 else x


@scalar
def hardtanh_derivative(x, y, a):
    T = type(x)
    return _unless_nan(T(1) if abs(x) < 1 else T(0), x)


@scalar
def hardsigmoid(x, a):
    """(x + 3) / 6 between 0 and 1 (Courbariaux et al. 2015, with PyTorch's slope 1/6)."""
    T = type(x)
    inside = T(-3) if x < -3 else T(3) if x > 3 else x
    s, ds = add_smaller(T(3), inside, T(0))
    return fma(s, pick(x, _SIXTH), fma(s, pick(x, _D_SIXTH), ds * pick(x, _SIXTH)))


@scalar
def hardsigmoid_derivative(x, y, a):
    T = type(x)
    return _unless_nan(pick(x, _SIXTH) if abs(x) < 3 else T(0), x)


@scalar
def hardswish(x, a):
    T = type(x)
    return (T(-3) if x < -3 else x) * hardsigmoid(x, a)


@scalar
def hardswish_derivative(x, y, a):
    """(2 x + 3) / 6 between 0 and 1."""
    T = type(x)
    s = fma(T(2), x, T(3))
    return T(0) if x <= -3 else T(1) if x >= 3 else fma(s, pick(x, _SIXTH), s * pick(x, _D_SIXTH))
