"""What every public entry point checks before compiled code runs: Numba does not check bounds."""

from numbers import Integral
from typing import Any

import numpy as np

DTYPES: dict[str, np.dtype[Any]] = {"float32": np.dtype(np.float32), "float64": np.dtype(np.float64)}
_FLOAT32, _FLOAT64 = DTYPES.values()
_ndarray = np.ndarray


def alike(y: Any, x: Any) -> bool:
    """Whether both are writeable C-contiguous arrays of one shape and one of the dtypes: a quick yes.

    No may also mean that it takes the checks below to find out, for example of read-only inputs.
    """
    return (
        type(y) is _ndarray
        and type(x) is _ndarray
        and y.dtype is x.dtype
        and (x.dtype is _FLOAT32 or x.dtype is _FLOAT64)
        and y.shape == x.shape
        and y.flags.carray
        and x.flags.carray
    )


def whole(number: Any) -> bool:
    """Whether it is a whole number, of Python or of NumPy."""
    return isinstance(number, Integral) and not isinstance(number, bool)


def check_size(name: str, size: Any) -> None:
    """TypeError unless size is a whole number; ValueError unless it is at least 1."""
    if not whole(size):
        raise TypeError(f"{name} must be a whole number, got {size!r}")
    if size < 1:
        raise ValueError(f"{name} must be at least 1, got {size}")


def check_shape(shape: Any) -> None:
    """TypeError unless shape is a tuple of whole numbers; ValueError where one is negative, or the last one 0."""
    if not isinstance(shape, tuple) or not all(map(whole, shape)):
        raise TypeError(f"shape must be a tuple of whole numbers, got {shape!r}")
    if min(shape, default=0) < 0:
        raise ValueError(f"shape must not have a negative size, got {shape}")
    if shape and shape[-1] == 0:
        raise ValueError(f"shape must have features along its last axis, got {shape}")


def check_sequence_shape(shape: tuple[int, ...]) -> None:
    """ValueError unless shape is (steps, rows, features), with a step."""
    if len(shape) != 3:
        raise ValueError(f"shape must be (steps, rows, features), got {shape}")
    if shape[0] < 1:
        raise ValueError(f"shape must have at least one time step, got {shape}")


def as_dtype(dtype: Any) -> np.dtype[Any]:
    """The dtype that is meant; TypeError unless it is float32 or float64."""
    for known in DTYPES.values():
        if dtype is not None and dtype == known:  # for NumPy None is float64
            return known
    raise TypeError(f"dtype must be float32 or float64, got {getattr(dtype, '__name__', dtype)}")


def check_row(name: str, row: Any, kind: type) -> None:
    """TypeError unless an argument of that name, such as activation, is a row of its table, which are of that kind."""
    if not isinstance(row, kind):
        raise TypeError(f"{name} must be a row of {name.upper()}S, got {type(row).__name__}")


def check_dtype(name: str, array: Any) -> np.dtype[Any]:
    """The dtype of an array argument; TypeError unless it is a float32 or float64 numpy.ndarray."""
    if type(array) is not np.ndarray:
        raise TypeError(f"{name} must be a numpy.ndarray, got {type(array).__name__}")
    if array.dtype not in DTYPES.values():
        raise TypeError(f"{name} must be float32 or float64, got {array.dtype}")
    return array.dtype


def check_input(name: str, array: Any, dtype: np.dtype[Any], *shape: int | None) -> None:
    """Raise unless array is an aligned, C-contiguous array of that dtype and shape (None: any length).

    Raises:
        TypeError: not a numpy.ndarray, or of another dtype.
        ValueError: of another shape, or not C-contiguous and aligned.
    """
    if type(array) is not np.ndarray:
        raise TypeError(f"{name} must be a numpy.ndarray, got {type(array).__name__}")
    if array.dtype != dtype:
        raise TypeError(f"{name} must be {dtype}, got {array.dtype}")
    if shape != array.shape and (
        len(shape) != array.ndim or any(n is not None and n != m for n, m in zip(shape, array.shape, strict=True))
    ):
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} must have shape ({wanted}), got {array.shape}")
    flags = array.flags
    if not (flags.c_contiguous and flags.aligned):
        raise ValueError(f"{name} must be C-contiguous and aligned")


def check_output(name: str, array: Any, dtype: np.dtype[Any], *shape: int | None) -> None:
    """check_input, and ValueError where the array is read-only."""
    check_input(name, array, dtype, *shape)
    if not array.flags.writeable:
        raise ValueError(f"{name} is read-only, but it is written")


def check_apart(output_name: str, output: Any, **inputs: Any) -> None:
    """ValueError where an output shares memory with an input or another output."""
    for name, array in inputs.items():
        if np.may_share_memory(output, array):
            raise ValueError(f"{output_name} must not share memory with {name}")


def check_outputs(
    dtype: np.dtype[Any], outputs: dict[str, tuple[Any, tuple[int, ...]]], inputs: dict[str, Any]
) -> None:
    """Raise unless the outputs have these shapes and are apart from the inputs, which are checked, and each other."""
    for name, (output, shape) in outputs.items():
        check_output(name, output, dtype, *shape)
    arrays = {name: output for name, (output, _) in outputs.items()} | inputs
    places = {name: array.__array_interface__["data"][0] for name, array in arrays.items()}
    for name in outputs:
        start, stop = places[name], places[name] + arrays[name].nbytes
        for other, place in places.items():
            if other != name and start < place + arrays[other].nbytes and place < stop:
                raise ValueError(f"{name} must not share memory with {other}")
