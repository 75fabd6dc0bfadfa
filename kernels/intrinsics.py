"""The few machine operations that Python cannot spell, each with its meaning in plain Python.

In a kernel these become single instructions that LLVM vectorises; outside of one, the Python body
runs, so that scalar functions built on them can be evaluated and tested without compiling: with
np.float32 numbers as the float32 kernels do, with any others as the float64 kernels do.

A pair is (value for float32, value for float64): what differs between the two in otherwise equal code.
"""

import math
from fractions import Fraction
from typing import Any

import numpy as np
from llvmlite import ir

from kernels.jit import intrinsic, overload, types

_BITS = {types.float32: 32, types.float64: 64}
MANTISSA_BITS = (23, 52)
# Subtracting a number's bits from these gives the bits of its reciprocal within 5.1 %: the exponents
# negate, and -m is a chord of 1/m. The offset centres the error of the chord.
_RECIPROCAL_BITS = (0x7EF31000, 0x7FDE620000000000)


def pick(x: Any, pair: tuple[Any, Any]) -> Any:
    """The number of a pair that belongs to the type of x, in that type."""
    return type(x)(pair[_is_double(x)])


def horner(x: Any, pair: tuple[tuple[float, ...], tuple[float, ...]]) -> Any:
    """The polynomial in x with the coefficients, lowest first, of a pair."""
    *rest, total = (type(x)(c) for c in pair[_is_double(x)])
    for coefficient in reversed(rest):
        total = fma(total, x, coefficient)
    return total


def fma(x: Any, y: Any, z: Any) -> Any:
    """x * y + z, rounded once."""
    T = type(x)
    if not (math.isfinite(x) and math.isfinite(y) and math.isfinite(z)):
        return T(x * y + z)
    exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
    if exact == 0:
        return T(x * y + z)
    if T is not np.float32:
        return T(float(exact))
    return T(_round_to_odd(exact))


def _round_to_odd(exact: Fraction) -> float:
    """exact as a float whose last bit tells that it is not: rounding that to float32 rounds exact once."""
    near = float(exact)
    if Fraction(near) != exact and not (np.float64(near).view(np.int64) & 1):
        return float(np.nextafter(near, math.inf if exact > Fraction(near) else -math.inf))
    return near


def shift_into_exponent(t: Any) -> Any:
    """The number whose bits are those of t, moved up past the mantissa: 2**(i - bias) where i ends the bits of t."""
    return _from_bits(_to_bits(t) << MANTISSA_BITS[_is_double(t)], t)


def estimate_reciprocal(x: Any) -> Any:
    """1 / x within 5.1 % for x from 2**-125 to 2**125 (float32)."""
    return _from_bits(_RECIPROCAL_BITS[_is_double(x)] - _to_bits(x), x)


def copysign(x: Any, sign: Any) -> Any:
    """|x| with the sign of sign."""
    return type(x)(math.copysign(x, sign))


def load(x: Any, i: int) -> Any:
    """x[i] of a 1-D array that no store of the loop reaches, or only at the same index."""
    return x[i]


def store(y: Any, i: int, value: Any) -> None:
    """y[i] = value, where y is one of the loaded arrays itself or apart from all of them."""
    y[i] = value


def address(x: Any) -> int:
    """Where the first element of an array lies in memory."""
    return x.ctypes.data


def _is_double(x: Any) -> bool:
    return type(x) is not np.float32


def _to_bits(x: Any) -> int:
    return int(np.float64(x).view(np.uint64) if _is_double(x) else x.view(np.uint32))


def _from_bits(bits: int, like: Any) -> Any:
    if _is_double(like):
        return type(like)(np.uint64(bits % 2**64).view(np.float64))
    return np.uint32(bits % 2**32).view(np.float32)


@intrinsic
def _pick(typing: Any, x: Any, pair: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        which = _index(x)
        value = builder.extract_value(args[1], which)
        return context.cast(builder, value, pair.types[which], x)

    return x(x, pair), generate


@intrinsic
def _horner(typing: Any, x: Any, pair: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        coefficients = builder.extract_value(args[1], _index(x))
        values = [
            context.cast(builder, builder.extract_value(coefficients, i), types.float64, x)
            for i in range(pair.types[_index(x)].count)
        ]
        total = values.pop()
        while values:
            total = builder.fma(total, args[0], values.pop())
        return total

    return x(x, pair), generate


@intrinsic
def _fma(typing: Any, x: Any, y: Any, z: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return x(x, x, x), generate


@intrinsic
def _shift_into_exponent(typing: Any, t: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        integer = ir.IntType(_BITS[t])
        bits = builder.bitcast(args[0], integer)
        return builder.bitcast(builder.shl(bits, integer(MANTISSA_BITS[_index(t)])), args[0].type)

    return t(t), generate


@intrinsic
def _estimate_reciprocal(typing: Any, x: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        integer = ir.IntType(_BITS[x])
        bits = builder.sub(integer(_RECIPROCAL_BITS[_index(x)]), builder.bitcast(args[0], integer))
        return builder.bitcast(bits, args[0].type)

    return x(x), generate


@intrinsic
def _copysign(typing: Any, x: Any, sign: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = args[0].type
        function = builder.module.declare_intrinsic("llvm.copysign", [kind], ir.FunctionType(kind, [kind, kind]))
        return builder.call(function, args)

    return x(x, x), generate


def _index(kind: Any) -> int:
    return int(kind == types.float64)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index])


def _scope(builder: Any) -> Any:
    """LLVM's alias scope of all loads. Without it a loop whose output is its input runs scalar, 10x slower."""
    module = builder.module
    domain = module.add_metadata([ir.MetaDataString(module, "gradfade")])
    scope = module.add_metadata([ir.MetaDataString(module, "loads"), domain])
    return module.add_metadata([scope])


@intrinsic
def _load(typing: Any, x: Any, i: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = builder.load(_pointer(context, builder, signature.args[0], args[0], args[1]))
        value.set_metadata("alias.scope", _scope(builder))
        return value

    return x.dtype(x, types.intp), generate


@intrinsic
def _store(typing: Any, y: Any, i: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
        builder.store(args[2], pointer).set_metadata("noalias", _scope(builder))
        return context.get_dummy_value()

    return types.void(y, types.intp, y.dtype), generate


@intrinsic
def _address(typing: Any, x: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.ptrtoint(data, context.get_value_type(types.intp))

    return types.intp(x), generate


overload(pick, strict=False)(lambda x, pair: lambda x, pair: _pick(x, pair))
overload(horner, strict=False)(lambda x, pair: lambda x, pair: _horner(x, pair))
overload(fma, strict=False)(lambda x, y, z: lambda x, y, z: _fma(x, y, z))
overload(shift_into_exponent, strict=False)(lambda t: lambda t: _shift_into_exponent(t))
overload(estimate_reciprocal, strict=False)(lambda x: lambda x: _estimate_reciprocal(x))
overload(copysign, strict=False)(lambda x, sign: lambda x, sign: _copysign(x, sign))
overload(load, strict=False)(lambda x, i: lambda x, i: _load(x, i))
overload(store, strict=False)(lambda y, i, value: lambda y, i, value: _store(y, i, value))
overload(address, strict=False)(lambda x: lambda x: _address(x))
