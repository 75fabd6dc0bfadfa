import math

import numpy as np
import pytest

from kernels import reference
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


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0]])
def test_a_label_out_of_range_writes_nothing(labels):
    dlogits = np.full((2, 3), 7.0)
    with pytest.raises(ValueError, match="labels must be between 0 and 2"):
        softmax_cross_entropy(dlogits, np.zeros((2, 3)), np.array(labels))
    np.testing.assert_array_equal(dlogits, 7.0)


def test_wrong_arguments_are_named():
    logits = np.zeros((2, 3))
    with pytest.raises(TypeError, match="labels must be int64, got float64"):
        softmax_cross_entropy(np.zeros((2, 3)), logits, np.zeros(2))
    with pytest.raises(ValueError, match=r"labels must have shape \(2\), got \(3,\)"):
        softmax_cross_entropy(np.zeros((2, 3)), logits, np.zeros(3, np.int64))
    with pytest.raises(ValueError, match="dlogits must not share memory with logits"):
        softmax_cross_entropy(logits, logits, np.zeros(2, np.int64))
    with pytest.raises(ValueError, match=r"logits must not be empty, got shape \(0, 3\)"):
        softmax_cross_entropy(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0, np.int64))
    with pytest.raises(ValueError, match=r"target must have shape \(2, 3\), got \(3, 2\)"):
        mse(np.zeros((2, 3)), logits, np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"y must not be empty, got shape \(0,\)"):
        mse(np.zeros(0), np.zeros(0), np.zeros(0))
