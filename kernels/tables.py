"""One compiled loop over many arrays: a table of where they are, made once, in place of a call for each.

A call from Python costs as much time as a thousand elements or more, and the biases of a network are smaller.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kernels.intrinsics import address
from kernels.jit import intrinsic, kernel, types

Array = np.ndarray[Any, Any]


def table(*columns: Sequence[Array]) -> Array:
    """(1 + columns, rows) int64: the sizes of each row's arrays, which are alike, and where those of a column begin.

    The arrays are of one dtype and C-contiguous. The table does not keep them alive.
    """
    return np.array(
        [[array.size for array in columns[0]], *([_where(array) for array in column] for column in columns)]
    )


def check_all_apart(arrays: Sequence[Array], name: Callable[[int], str]) -> None:
    """ValueError where two of these C-contiguous arrays share memory; name(i) is what the i-th is called."""
    i, j = _overlap(np.array([[array.nbytes for array in arrays], [_where(array) for array in arrays]], np.int64))
    if i >= 0:
        raise ValueError(f"{name(j)} must not share memory with {name(i)}")


@kernel()
def _overlap(spans):
    """(i, j), i > j, of the first two of (sizes, places) in bytes that share memory, (-1, -1) of none."""
    sizes, places = spans[0], spans[1]
    for i in range(sizes.size):
        for j in range(i):
            both = sizes[i] > 0 and sizes[j] > 0
            if both and places[i] < places[j] + sizes[j] and places[j] < places[i] + sizes[i]:
                return i, j
    return -1, -1


@kernel()
def _where(x):
    """address(x), which Python itself takes several times as long to tell."""
    return address(x)


@intrinsic
def array_at(typing: Any, like: Any, where: Any, size: Any) -> Any:
    """The 1-D array of that many elements at that address, of the type of like."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(like)(context, builder, args[0])
        array.data = builder.inttoptr(args[1], array.data.type)
        array.meminfo, array.parent = array.meminfo.type(None), array.parent.type(None)
        array.nitems, array.shape = args[2], builder.insert_value(array.shape, args[2], 0)
        return array._getvalue()

    return like(like, types.intp, types.intp), generate
