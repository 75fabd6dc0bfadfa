import math

import numpy as np
import pytest

from kernels import reductions
from kernels.jit import kernel


@kernel(name="test_reductions_total")
def total(x):
    return reductions.total(x)


@kernel(name="test_reductions_largest")
def largest(x):
    return reductions.largest(x)


@pytest.mark.parametrize("size", [0, 1, 7, 16, 63, 64, 65, 1000])
def test_sums_and_maxima_of_every_size(rng, dtype, size):
    x = rng.standard_normal(size).astype(dtype)
    exact = math.fsum(x.astype(np.float64))
    assert total(x) == pytest.approx(exact, rel=1e-14, abs=1e-14)
    assert reductions.total(x) == pytest.approx(exact, rel=1e-14, abs=1e-14)
    assert largest(x) == reductions.largest(x) == max(x, default=-np.inf)


def test_a_sum_in_float64_keeps_what_float32_loses():
    x = np.full(2**14, 2.0**-25, np.float32)
    x[0] = 1
    assert total(x) == 1 + (2**14 - 1) * 2.0**-25


def test_special_numbers(dtype):
    x = np.full(100, -np.inf, dtype)
    assert largest(x) == -np.inf
    x[57] = np.finfo(dtype).min
    assert largest(x) == np.finfo(dtype).min
    x[58] = np.inf
    assert largest(x) == np.inf
    assert math.isnan(total(x))
    assert largest(np.array([-0.0, 0.0], dtype)) == 0
