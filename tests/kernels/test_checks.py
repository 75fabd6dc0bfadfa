"""Checks refuse with a message that names the argument and what is valid."""

import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.checks import (
    as_dtype,
    check_apart,
    check_dtype,
    check_input,
    check_output,
    check_outputs,
    check_row,
    check_shape,
    check_size,
)
from kernels.elementwise import Activation

F64 = np.dtype(np.float64)


def test_good_arrays_pass():
    x = np.zeros((2, 3))
    assert check_dtype("x", x) == F64
    check_input("x", x, F64, 2, 3)
    check_input("x", x, F64, None, 3)
    check_output("x", x, F64, 2, 3)
    check_apart("y", np.zeros(3), x=x)


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        ([1.0], TypeError, r"W must be a numpy\.ndarray, got list"),
        (np.ma.zeros((2, 3)), TypeError, r"W must be a numpy\.ndarray, got MaskedArray"),
        (np.zeros((2, 3), np.float32), TypeError, "W must be float64, got float32"),
        (np.zeros(6), ValueError, r"W must have shape \(2, any\), got \(6,\)"),
        (np.zeros((3, 2)), ValueError, r"W must have shape \(2, any\), got \(3, 2\)"),
        (np.zeros((3, 2)).T, ValueError, "W must be C-contiguous and aligned"),
        (np.zeros(49, np.uint8)[1:].view(np.float64).reshape(2, 3), ValueError, "W must be C-contiguous and aligned"),
    ],
)
def test_wrong_inputs_are_named(array, error, message):
    with pytest.raises(error, match=message):
        check_input("W", array, F64, 2, None)


def test_dtypes_other_than_float32_and_float64_are_refused():
    for dtype in (np.int32, np.float16, np.complex64):
        with pytest.raises(TypeError, match="x must be float32 or float64, got"):
            check_dtype("x", np.zeros(3, dtype))
    with pytest.raises(TypeError, match=r"x must be a numpy\.ndarray, got float"):
        check_dtype("x", 1.0)


def test_read_only_outputs_are_refused():
    y = np.zeros(3)
    y.flags.writeable = False
    with pytest.raises(ValueError, match="y is read-only"):
        check_output("y", y, F64, 3)


def test_outputs_that_share_memory_are_refused():
    x = np.zeros(10)
    with pytest.raises(ValueError, match="dx must not share memory with W"):
        check_apart("dx", x[:6], dy=np.zeros(3), W=x[4:])


@pytest.mark.parametrize("dtype", [np.float32, "float32", np.dtype("f4"), "f4"])
def test_a_dtype_may_be_given_in_any_way(dtype):
    assert as_dtype(dtype) is np.dtype(np.float32)
    assert as_dtype(float) is F64


@pytest.mark.parametrize("dtype", [np.float16, "int64", "flaot32", None, np.dtype(">f4"), np.longdouble, 32])
def test_no_other_dtype_is_one(dtype):
    name = getattr(dtype, "__name__", dtype)
    with pytest.raises(TypeError, match=f"^dtype must be float32 or float64, got {name}$"):
        as_dtype(dtype)


def test_sizes_and_shapes_are_whole_numbers():
    check_size("width", np.int64(3))
    check_shape((np.int32(0), 2))
    for size in (2.0, "3", None, True):
        with pytest.raises(TypeError, match=f"width must be a whole number, got {size!r}"):
            check_size("width", size)
    for shape in ([3, 4], 3, None, (3, 4.0), ("3",), np.zeros(2, int)):
        with pytest.raises(TypeError, match="shape must be a tuple of whole numbers, got "):
            check_shape(shape)
    with pytest.raises(ValueError, match="width must be at least 1, got 0"):
        check_size("width", 0)
    with pytest.raises(ValueError, match=r"shape must not have a negative size, got \(3, -1\)"):
        check_shape((3, -1))
    with pytest.raises(ValueError, match=r"shape must have features along its last axis, got \(3, 0\)"):
        check_shape((3, 0))


@pytest.mark.parametrize(("row", "got"), [("tanh", "str"), (np.tanh, "ufunc"), (None, "NoneType")])
def test_a_row_is_not_its_name(row, got):
    check_row("activation", ACTIVATIONS["tanh"], Activation)
    with pytest.raises(TypeError, match=f"activation must be a row of ACTIVATIONS, got {got}$"):
        check_row("activation", row, Activation)


def test_all_outputs_are_checked_against_all_arrays():
    x, memory = np.zeros(4), np.zeros(12)
    y, dx = memory[:4], memory[4:10]
    check_outputs(F64, {"y": (y, (4,)), "dx": (dx, (6,))}, {"x": x})
    with pytest.raises(ValueError, match=r"dx must have shape \(4\), got \(6,\)"):
        check_outputs(F64, {"y": (y, (4,)), "dx": (dx, (4,))}, {"x": x})
    with pytest.raises(ValueError, match="y must not share memory with dx"):
        check_outputs(F64, {"y": (memory[:5], (5,)), "dx": (dx, (6,))}, {"x": x})
    with pytest.raises(ValueError, match="dx must not share memory with x"):
        check_outputs(F64, {"y": (y, (4,)), "dx": (dx, (6,))}, {"x": memory[9:]})
