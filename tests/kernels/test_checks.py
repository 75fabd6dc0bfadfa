"""Checks refuse with a message that names the argument and what is valid."""

import numpy as np
import pytest

from kernels.checks import check_apart, check_dtype, check_input, check_output

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
