"""Sums of subnormal numbers: the bits that float32 arithmetic makes of them, term by term."""

import numpy as np
import pytest

from kernels.intrinsics import fma
from kernels.subnormal import LARGEST_SUM, gradient_of_inputs


def draws(n, fan_in, fan_out, size, seed=0):
    rng = np.random.default_rng(seed)
    W = (rng.standard_normal((fan_in, fan_out)) / np.sqrt(fan_out)).astype(np.float32)
    return (size * rng.standard_normal((n, fan_out))).astype(np.float32), W


def term_by_term(dz, W):
    """Each product added, rounded once, to the sum of those before it."""
    dx = np.empty((len(dz), len(W)), np.float32)
    for n, i in np.ndindex(dx.shape):
        total = np.float32(0)
        for j in range(W.shape[1]):
            total = fma(dz[n, j], W[i, j], total)
        dx[n, i] = total
    return dx


@pytest.mark.parametrize("size", [1e-39, 1e-41, 1e-43, 4e-45])
@pytest.mark.parametrize("shape", [(1, 3, 5), (7, 2, 9), (33, 4, 8)])
def test_bits_of_float32_arithmetic(shape, size):
    dz, W = draws(*shape, size, seed=shape[0])
    dx = np.full((shape[0], shape[1]), np.nan, np.float32)
    gradient_of_inputs(dx, dz, W)
    expected = term_by_term(dz, W)
    np.testing.assert_array_equal(dx, expected)
    assert expected.any()


def test_halves_round_to_even():
    tiny = np.finfo(np.float32).smallest_subnormal
    dz, W = np.array([[1, 3, 5, 7]], np.float32).T * tiny, np.array([[0.5]], np.float32)
    dx = np.empty((4, 1), np.float32)
    gradient_of_inputs(dx, dz, W)
    np.testing.assert_array_equal(dx / tiny, [[0], [2], [2], [4]])


@pytest.mark.parametrize("weight", [0.99, 1.9, 3.3, 8.1, 100.7])
def test_products_on_both_sides_of_the_limit(weight):
    """Beyond it float32 rounds coarser, and rounding twice is seen where it comes out between two numbers."""
    dz = np.random.default_rng(5).uniform(LARGEST_SUM / 2, LARGEST_SUM, (500, 1)).astype(np.float32)
    W = np.array([[weight], [1e-3]], np.float32)
    dx = np.empty((500, 2), np.float32)
    gradient_of_inputs(dx, dz, W)
    np.testing.assert_array_equal(dx, dz * W.T)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1.0, 1e-30])
def test_other_numbers_are_products_of_matrices(dtype, size):
    rng = np.random.default_rng(3)
    dz, W = (size * rng.standard_normal((6, 9))).astype(dtype), rng.standard_normal((4, 9)).astype(dtype)
    dx = np.empty((6, 4), dtype)
    gradient_of_inputs(dx, dz, W)
    np.testing.assert_allclose(dx, dz.astype(float) @ W.astype(float).T, rtol=1e-4, atol=1e-5 * size)


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_what_is_not_finite_stays_so(odd):
    dz, W = draws(3, 4, 5, 1e-42)
    dz[1, 2] = odd
    dx = np.zeros((3, 4), np.float32)
    gradient_of_inputs(dx, dz, W)
    assert not np.isfinite(dx[1]).any()
    dz, W = draws(3, 4, 5, 1e-42)
    W[2, 1] = odd
    gradient_of_inputs(dx, dz, W)
    assert not np.isfinite(dx[:, 2]).any()
    np.testing.assert_array_equal(np.delete(dx, 2, axis=1), term_by_term(dz, np.delete(W, 2, axis=0)))


@pytest.mark.parametrize("size", [1.0, 1e-42])
def test_wrong_arrays_are_named(size):
    dz, W = draws(3, 4, 5, size)
    dx = np.zeros((3, 4), np.float32)
    for wrong, name in (
        ((dx, dz, W[:, :3].copy()), "W"),
        ((dx, dz, W.astype(float)), "W"),
        ((dx.T.copy(), dz, W), "dx"),
        ((dx, dz[:, ::2], W), "dz"),
        ((W, dz, W), "dx"),
    ):
        with pytest.raises((TypeError, ValueError), match=rf"^{name} "):
            gradient_of_inputs(*wrong)
    assert not dx.any()
