"""Norms of any size, variances, flat slopes: against NumPy in float64."""

import math

import numpy as np
import pytest

from kernels.summaries import flatness, log10_norm, variance


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1,), (3, 5), (2, 7, 13), (33, 130)])
def test_against_numpy(dtype, shape):
    x = (np.random.default_rng(3).standard_normal(shape) + 2).astype(dtype)
    exact = x.astype(np.float64)
    assert log10_norm(x) == pytest.approx(math.log10(np.linalg.norm(exact)), abs=1e-13)
    assert variance(x) == pytest.approx(exact.var(), abs=1e-13)
    slopes = np.where(x > 2, x - 2, 0).reshape(-1, shape[-1])
    slopes[:, 0] = 0
    flat, dead, smallest = flatness(slopes, 0.5)
    assert flat == np.mean(np.abs(slopes) < 0.5)
    assert dead == np.mean(~slopes.any(axis=0))
    assert smallest == 0.0
    assert flatness(-1 - np.abs(slopes), 0.5) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("power", [-1070, -600, -400, 400, 600, 1019])
def test_no_square_leaves_float64s_range(power):
    scaled = np.ldexp(np.ones(50), power)
    assert log10_norm(scaled) == pytest.approx(0.5 * math.log10(50) + power * math.log10(2), rel=1e-14)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_float32_norms_are_homogeneous(scale):
    x = np.random.default_rng(0).standard_normal((20, 30)).astype(np.float32)
    scaled = x * np.float32(scale)
    assert log10_norm(scaled) == pytest.approx(math.log10(np.linalg.norm(scaled.astype(np.float64))), abs=1e-12)


def test_a_variance_far_from_zero_keeps_its_digits():
    x = 1e6 + np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    assert variance(x.astype(np.float32)) == pytest.approx(x.astype(np.float32).astype(np.float64).var(), rel=1e-12)


def test_what_is_not_finite_or_not_there():
    assert math.isnan(variance(np.array([1.0, np.inf])))
    assert math.isnan(log10_norm(np.array([np.nan, np.inf, 1.0])))
    assert log10_norm(np.array([0.0, -np.inf])) == math.inf
    slopes = np.array([[np.nan, 0.0]])
    assert flatness(slopes, 0.5)[:2] == (0.5, 0.5)


def test_other_types_are_refused():
    with pytest.raises(TypeError, match=r"^x must"):
        log10_norm(np.ones(3, np.int64))
    with pytest.raises(ValueError, match=r"^slopes must"):
        flatness(np.ones(3), 0.5)
