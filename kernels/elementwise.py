"""The checked public face of one activation function: a row of ACTIVATIONS and what it can do."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from numbers import Real
from typing import Any, Literal

import numpy as np

from kernels import channels, loops, passes
from kernels.checks import alike, check_apart, check_dtype, check_input, check_output
from kernels.loops import ALL_IF_SMALL

Scalar = Callable[..., Any]
Array = np.ndarray[Any, Any]
_ndarray = np.ndarray

LANES = 64  # columns that a sum over everything runs in, so that it is vector code


@dataclass(frozen=True, kw_only=True)
class Activation:
    """One activation: scalar functions, their float64 references, and what is promised of them.

    f(x, a) and df(x, y, a), with y = f(x, a), are plain Python functions; compiled loops over them
    are made at first use. df_from_output(x, y, a) is the cheaper derivative that frameworks use, which
    ignores x, where one exists: it loses the saturated tails. df_da(x, y, a) is the derivative by a, of a learnable
    parameter; learns, whether layers train it, one per channel. reference and its derivatives take (x, a)
    in float64 and share no code with f. kinks are where the derivative jumps; joints, where else f or df
    changes from one formula to another: accuracy is tested there and one unit in the last place either side,
    and with tested_a beside a.
    ulp and ulp_derivative bound the errors in float32; trade says what bounds above 1, or 2 of the derivative, buy.

    In the methods arrays are float32 or float64, of any one shape, C-contiguous; an output may be the
    very array of an input, not overlap it otherwise. a is a number, or an array of one number per
    channel (last axis), apart from the outputs. TypeError or ValueError name the argument before
    anything is written.
    """

    name: str
    f: Scalar
    df: Scalar
    reference: Callable[[Array, Any], Array]
    reference_derivative: Callable[[Array, Any], Array]
    paper: str
    ulp: float
    ulp_derivative: float
    trade: str = ""
    a: float | None = None
    tested_a: tuple[float, ...] = ()
    kinks: tuple[float, ...] = ()
    joints: tuple[float, ...] = ()
    derivative_zero: float | None = None
    saves: Literal["x", "y", "xy", ""] = "x"
    df_from_output: Scalar | None = None
    df_da: Scalar | None = None
    learns: bool = False
    reference_df_da: Callable[[Array, Any], Array] | None = None

    def forward(self, y: Array, x: Array, a: Any = None) -> None:
        """y = f(x, a); y may be x."""
        try:
            quick = a is None and type(y) is type(x) is _ndarray and x.ndim == 1
            if quick and self._forward(y, x, self._default, 0, ALL_IF_SMALL):
                return
        except TypeError:
            pass
        if not alike(y, x):
            _check_alike({"y": y}, {"x": x})
        parameter = self._default if a is None else self._parameter(a, x, y=y)
        if type(parameter) is np.ndarray:
            apart = channels.forward(self.f)(_rows(y), _rows(x), parameter)
        else:
            apart = passes.run(loops.forward, (self.f,), (y,), (x,), parameter)
        if not apart:
            raise ValueError("y must be x itself or not overlap it")

    def backward(self, dx: Array, dy: Array, x: Array, y: Array, a: Any = None, da: Array | None = None) -> None:
        """dx = dy * f'(x), given y = f(x, a); dx may be dy.

        da, where given, gets the gradient of a learnable a, summed over everything that shares it; it
        has the shape of a: () or (1,) for one number, (channels,) for one per channel, and is apart from
        every other array. The sums are float64, in a buffer of one number per channel or of LANES.
        """
        try:
            quick = a is None and da is None and type(dx) is type(dy) is type(x) is type(y) is _ndarray and x.ndim == 1
            if quick and self._backward(dx, dy, x, y, self._default, 0, ALL_IF_SMALL):
                return
        except TypeError:
            pass
        if not (alike(dx, dy) and alike(dx, x) and alike(dx, y)):
            _check_alike({"dx": dx}, {"x": x, "dy": dy, "y": y})
        parameter = self._default if a is None else self._parameter(a, x, dx=dx)
        if da is not None and not any(loops.partly_overlaps(dx, array) for array in (dy, x, y)):
            check_apart("da", da, dx=dx, dy=dy, x=x, y=y, a=a)
            self._parameter_gradient(da, dy, x, y, parameter)
        if type(parameter) is np.ndarray:
            loop = channels.backward(self.df)
            apart = loop(_rows(dx), _rows(dy), _rows(x), _rows(y), parameter)
        else:
            apart = passes.run(loops.backward, (self.df,), (dx,), (dy, x, y), parameter)
        if not apart:
            raise ValueError("dx must be dy, x or y itself or not overlap it")

    @cached_property
    def from_output(self) -> "Activation":
        """The row as frameworks compute it, whose derivative comes from y alone: saturated tails are lost.

        ValueError where there is no such derivative.
        """
        if self.df_from_output is None:
            raise ValueError(f"{self.name} has no derivative from its output alone")
        return replace(self, df=self.df_from_output, saves="y")

    def backward_from_output(self, dx: Array, dy: Array, y: Array, a: Any = None) -> None:
        """dx = dy * f'(x) as frameworks compute it, from y alone; dx may be dy. Saturated tails are lost."""
        self.from_output.backward(dx, dy, y, y, a)

    def forward_backward(self, y: Array, dx: Array, dy: Array, x: Array, a: Any = None) -> None:
        """y = f(x, a) and dx = dy * f'(x) in one pass; y or dx may be x or dy, but not each other."""
        try:
            quick = a is None and type(y) is type(dx) is type(dy) is type(x) is _ndarray and x.ndim == 1
            if quick and self._forward_backward(y, dx, dy, x, self._default, 0, ALL_IF_SMALL):
                return
        except TypeError:
            pass
        if not (alike(y, dx) and alike(y, dy) and alike(y, x)):
            _check_alike({"y": y, "dx": dx}, {"x": x, "dy": dy})
        parameter = self._default if a is None else self._parameter(a, x, y=y, dx=dx)
        if type(parameter) is np.ndarray:
            loop = channels.forward_backward(self.f, self.df)
            apart = loop(_rows(y), _rows(dx), _rows(dy), _rows(x), parameter)
        else:
            apart = passes.run(loops.forward_backward, (self.f, self.df), (y, dx), (dy, x), parameter)
        if not apart:
            raise ValueError("y and dx must not overlap, and be x or dy themselves or not overlap them")

    # The loops as they are called before any check: they take 1-D arrays of the right types alone, raise TypeError
    # for others, which takes 100 us, and refuse different sizes. What they did not do, the checks explain, or
    # it is done after them.

    @cached_property
    def _forward(self) -> Any:
        return loops.forward(self.f, False)

    @cached_property
    def _backward(self) -> Any:
        return loops.backward(self.df, False)

    @cached_property
    def _forward_backward(self) -> Any:
        return loops.forward_backward(self.f, self.df, False)

    @cached_property
    def _default(self) -> float:
        return self.a or 0.0

    def _parameter(self, a: Any, x: Array, **outputs: Array) -> Any:
        """a as a float, or as an array of one number per channel, apart from the outputs."""
        if self.a is None:
            raise ValueError(f"{self.name} takes no parameter a")
        if isinstance(a, np.ndarray) and a.size != 1:
            check_input("a", a, x.dtype, x.shape[-1] if x.ndim else 1)
            for name, output in outputs.items():
                check_apart(name, output, a=a)
            return a
        number = a.item() if isinstance(a, np.ndarray) else a
        if isinstance(number, bool) or not isinstance(number, Real):
            raise TypeError(f"a must be a number or a numpy.ndarray of one per channel, got {a!r}")
        return float(number)

    def _parameter_gradient(self, da: Array, dy: Array, x: Array, y: Array, parameter: Any) -> None:
        if self.df_da is None:
            raise ValueError(f"{self.name} has no learnable parameter for da")
        loop = channels.parameter_gradient(self.df_da)
        if type(parameter) is np.ndarray:
            check_output("da", da, x.dtype, parameter.size)
            loop(da, np.empty(da.size), _rows(dy), _rows(x), _rows(y), parameter)
            return
        check_output("da", da, x.dtype, *(() if np.ndim(da) == 0 else (1,)))
        rows, rest = divmod(x.size, LANES)
        sums, a = np.zeros((2, LANES)), np.full(LANES, parameter, x.dtype)
        for total, part, shape in (
            (sums[0], slice(rows * LANES), (rows, LANES)),
            (sums[1, :rest], slice(rows * LANES, None), (1, rest)),
        ):
            loop(total, total, *(passes.flat(array)[part].reshape(shape) for array in (dy, x, y)), a[: total.size])
        da[...] = sums.sum()


def _check_alike(outputs: dict[str, Any], inputs: dict[str, Any]) -> None:
    """Raise unless all arrays have the dtype and shape of the first input."""
    name, first = next(iter(inputs.items()))
    dtype = check_dtype(name, first)
    for name, array in outputs.items():
        check_output(name, array, dtype, *first.shape)
    for name, array in inputs.items():
        check_input(name, array, dtype, *first.shape)


def _rows(array: Array) -> Array:
    """A view as (rows, channels)."""
    return array.reshape(prod(array.shape[:-1]), array.shape[-1])
