"""Sums and maxima along a loop in any order, which several vectors of partial results can then run at once.

In order, as a plain += is kept, a loop over numbers is one long chain of scalar operations.
"""

from typing import Any

import numpy as np
from llvmlite import ir

from kernels.intrinsics import load
from kernels.jit import intrinsic, overload, scalar


def add(total: Any, term: Any) -> Any:
    """total + term, in a sum over a loop whose order does not matter."""
    return total + term


def larger(x: Any, y: Any) -> Any:
    """The larger of two numbers; nan or either of them where one is nan."""
    return max(x, y)


@scalar
def total(x):
    """The sum of x (n,), in float64."""
    result = 0.0
    for i in range(x.size):
        result = add(result, np.float64(load(x, i)))
    return result


@scalar
def largest(x):
    """The largest of x (n,); -inf of none, any of them or nan where one is nan."""
    result = x.dtype.type(float("-inf"))
    for i in range(x.size):
        result = larger(result, load(x, i))
    return result


@intrinsic
def _add(typing: Any, total: Any, term: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fadd(*args, flags=("reassoc", "nsz"))

    return total(total, total), generate


@intrinsic
def _larger(typing: Any, x: Any, y: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = args[0].type
        function = builder.module.declare_intrinsic("llvm.maxnum", [kind], ir.FunctionType(kind, [kind, kind]))
        return builder.call(function, args, fastmath=("nnan", "nsz"))

    return x(x, x), generate


overload(add, strict=False)(lambda total, term: lambda total, term: _add(total, term))
overload(larger, strict=False)(lambda x, y: lambda x, y: _larger(x, y))
