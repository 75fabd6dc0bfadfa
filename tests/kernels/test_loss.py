import math
import platform
import re

import numpy as np
import pytest

from kernels import loss, reference
from kernels.blas import set_threads
from kernels.jit import assembly, max_threads
from kernels.loops import SMALL
from kernels.loss import mse, softmax_cross_entropy


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (7, 10), (33, 65)])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_cross_entropy_is_the_reference(rng, dtype, close, shape, scale):
    logits = (scale * rng.standard_normal(shape)).astype(dtype)
    labels = rng.integers(0, shape[1], shape[0])
    dlogits = np.full(shape, np.nan, dtype)
    loss = softmax_cross_entropy(dlogits, logits, labels)
    expected, gradient = reference.softmax_cross_entropy(logits.astype(np.float64), labels)
    assert loss == pytest.approx(expected, rel=1e-5 if dtype == np.float32 else 1e-12, abs=1e-12)
    close(dlogits, gradient)


def test_cross_entropy_of_equal_logits_is_the_logarithm_of_their_number(dtype):
    dlogits = np.empty((4, 8), dtype)
    assert softmax_cross_entropy(dlogits, np.zeros((4, 8), dtype), np.arange(4)) == pytest.approx(math.log(8))


def test_cross_entropy_survives_the_largest_logits(dtype):
    largest = float(np.finfo(dtype).max) / 4
    logits = np.array([[largest, -largest], [-largest, largest]], dtype)
    dlogits = np.empty((2, 2), dtype)
    assert softmax_cross_entropy(dlogits, logits, np.array([0, 1])) == 0.0
    np.testing.assert_array_equal(dlogits, 0)
    assert softmax_cross_entropy(dlogits, logits, np.array([1, 1])) == pytest.approx(largest, rel=1e-6)
    np.testing.assert_array_equal(dlogits, [[0.5, -0.5], [0, 0]])


@pytest.mark.parametrize("width", [2, 10, 70])
def test_cross_entropy_of_logits_as_far_apart_as_float32_goes(width):
    logits = np.zeros((3, width), np.float32)
    logits[:, 0], logits[:, 1] = 3e38, -3e38
    dlogits, top = np.full((3, width), np.nan, np.float32), float(np.float32(3e38))
    assert softmax_cross_entropy(dlogits, logits, np.array([1, 0, 1])) == pytest.approx(4 * top / 3, rel=1e-14)
    expected = np.zeros((3, width))
    expected[[0, 2], 0], expected[[0, 2], 1] = 1 / 3, -1 / 3
    np.testing.assert_allclose(dlogits, expected, rtol=1e-7)


def test_cross_entropy_of_almost_certain_rows_keeps_its_digits():
    """The loss is log(1 + e^-30), and both gradients are e^-30: float32 holds them, but not 1 + e^-30."""
    logits, dlogits = np.array([[1.0, -29.0]], np.float32), np.empty((1, 2), np.float32)
    assert softmax_cross_entropy(dlogits, logits, np.array([0])) == pytest.approx(math.exp(-30), rel=1e-3)
    np.testing.assert_allclose(dlogits, [[-math.exp(-30), math.exp(-30)]], rtol=1e-3)


def test_mse_of_numbers_whose_squares_float32_cannot_hold():
    y, target, dy = np.full(5, 3e38, np.float32), np.full(5, -3e38, np.float32), np.empty(5, np.float32)
    gap = 2 * float(y[0])
    assert mse(dy, y, target) == pytest.approx(gap**2, rel=1e-14)
    np.testing.assert_allclose(dy, 2 / 5 * gap, rtol=1e-7)


@pytest.mark.skipif(max_threads() < 2, reason="needs two CPUs")
def test_threads_give_the_same_bits(rng, dtype):
    logits, dlogits = rng.standard_normal((2, SMALL // 10 + 3, 10)).astype(dtype)
    labels, y, dy = rng.integers(0, 10, len(logits)), dlogits.copy(), np.empty_like(dlogits)
    found = []
    for threads in (1, 2):
        set_threads(threads)
        losses = softmax_cross_entropy(dlogits, logits, labels), mse(dy, y, logits)
        found.append((*losses, dlogits.copy(), dy.copy()))
    set_threads(1)
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_gradients_are_finite_differences(rng, check_gradient):
    logits, labels, dlogits = rng.standard_normal((5, 4)), np.array([0, 3, 1, 1, 2]), np.empty((5, 4))
    softmax_cross_entropy(dlogits, logits, labels)
    check_gradient(lambda: softmax_cross_entropy(np.empty((5, 4)), logits, labels), [("logits", logits, dlogits)])
    y, target, dy = rng.standard_normal((5, 4)), rng.standard_normal((5, 4)), np.empty((5, 4))
    mse(dy, y, target)
    check_gradient(lambda: mse(np.empty((5, 4)), y, target), [("y", y, dy)])


@pytest.mark.parametrize("shape", [(1,), (3, 5), (2, 3, 67)])
def test_mse_is_the_reference(rng, dtype, close, shape):
    y, target = rng.standard_normal((2, *shape)).astype(dtype)
    dy = np.full(shape, np.nan, dtype)
    loss = mse(dy, y, target)
    expected, gradient = reference.mse(y.astype(np.float64), target.astype(np.float64))
    assert loss == pytest.approx(expected, rel=1e-5 if dtype == np.float32 else 1e-12)
    close(dy, gradient)


def test_cross_entropy_keeps_small_probabilities(dtype):
    """e^-80 relative to 1, and in float64 e^-700: subnormal numbers and their neighbours are not lost."""
    small = -80.0 if dtype == np.float32 else -700.0
    logits, dlogits = np.array([[0.0, small, -np.inf]], dtype), np.empty((1, 3), dtype)
    assert softmax_cross_entropy(dlogits, logits, np.array([0])) == pytest.approx(0, abs=1e-30)
    np.testing.assert_allclose(dlogits[0], [0, math.exp(small), 0], rtol=4 * np.finfo(dtype).eps)
    assert softmax_cross_entropy(dlogits, logits, np.array([1])) == pytest.approx(-small, rel=1e-7)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_cross_entropy_passes_nan_on(dtype, place):
    logits, dlogits = np.array([[1.0, 5.0, 3.0]], dtype), np.empty((1, 3), dtype)
    logits[0, place] = np.nan
    assert math.isnan(softmax_cross_entropy(dlogits, logits, np.array([1])))
    assert np.isnan(dlogits).all()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86-64 assembly")
def test_the_powers_are_vector_code():
    logits = np.zeros((2, 3), np.float32)
    softmax_cross_entropy(np.empty_like(logits), logits, np.zeros(2, np.int64))
    code = assembly(loss._softmax_cross_entropy(), "float32")
    assert len(re.findall(r"\bvf(?:n?m(?:add|sub))\d+ps\b|\bmulps\b", code)) > 10
    assert not re.search(r"\bexpf?\b", code)


@pytest.mark.parametrize("value", [3, -1, np.iinfo(np.int64).min, np.iinfo(np.int64).max])
@pytest.mark.parametrize("row", [0, 1])
def test_a_label_out_of_range_is_named_and_nothing_written(value, row):
    dlogits, labels = np.full((2, 3), 7.0), np.zeros(2, np.int64)
    labels[row] = value
    with pytest.raises(ValueError, match=rf"labels must be between 0 and 2, got {value} in row {row}$"):
        softmax_cross_entropy(dlogits, np.zeros((2, 3)), labels)
    np.testing.assert_array_equal(dlogits, 7.0)


def test_wrong_arguments_are_named():
    logits = np.zeros((2, 3))
    for kind in ("float64", "int32", "uint64", ">i8", "bool"):
        with pytest.raises(TypeError, match="labels must be int64, got"):
            softmax_cross_entropy(np.zeros((2, 3)), logits, np.zeros(2, kind))
    for shape in ((3,), (1,), (), (2, 1)):
        with pytest.raises(ValueError, match=r"labels must have shape \(2\), got"):
            softmax_cross_entropy(np.zeros((2, 3)), logits, np.zeros(shape, np.int64))
    with pytest.raises(ValueError, match="dlogits must not share memory with logits"):
        softmax_cross_entropy(logits, logits, np.zeros(2, np.int64))
    with pytest.raises(ValueError, match=r"logits must not be empty, got shape \(0, 3\)"):
        softmax_cross_entropy(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0, np.int64))
    with pytest.raises(ValueError, match=r"target must have shape \(2, 3\), got \(3, 2\)"):
        mse(np.zeros((2, 3)), logits, np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"y must not be empty, got shape \(0,\)"):
        mse(np.zeros(0), np.zeros(0), np.zeros(0))
