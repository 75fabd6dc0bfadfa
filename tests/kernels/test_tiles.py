import os

import numpy as np
import pytest

from kernels import jit, tiles
from kernels.blas import matmul, set_threads

pytestmark = pytest.mark.skipif(not tiles.AVAILABLE, reason="tiles are for AVX-512 targets")

R, C, D = tiles.ROWS, tiles.VECTORS * tiles.BYTES, tiles.DEPTH  # C in bytes


@jit.kernel(name="test_tiles_multiply")
def multiply(out, a, b, transpose_a, transpose_b, add):
    return tiles.multiply(out, a, b, transpose_a, transpose_b, add)


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize(("m", "k"), [(R, 1), (3 * R + 5, 7), (R, D), (2 * R, D + 3), (R + 1, 2 * D + 17)])
def test_whole_tiles_are_the_product(rng, dtype, close, m, k, transpose_a, transpose_b, add):
    n = 2 * C // dtype.itemsize
    if transpose_b:
        k += -k % (tiles.BYTES // dtype.itemsize)
    assert tiles.covers(m, n, k, transpose_b, dtype.itemsize)
    a = rng.standard_normal((k, m) if transpose_a else (m, k)).astype(dtype)
    b = rng.standard_normal((n, k) if transpose_b else (k, n)).astype(dtype)
    out = np.full((m, n), 0.5 if add else np.nan, dtype)
    rows = multiply(out, a, b, transpose_a, transpose_b, add)
    assert rows == m - m % R
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    product = (wide_a.T if transpose_a else wide_a) @ (wide_b.T if transpose_b else wide_b)
    close(out[:rows], (0.5 if add else 0.0) + product[:rows])
    np.testing.assert_array_equal(out[rows:], np.full_like(out[rows:], 0.5 if add else np.nan))


@pytest.mark.parametrize("transpose_b", [False, True])
def test_nothing_beside_the_result_is_written(rng, dtype, transpose_b):
    n, k = C // dtype.itemsize, 48
    memory = np.full((R + 2, n), np.nan, dtype)
    a, b = np.ones((R, k), dtype), np.ones((n, k) if transpose_b else (k, n), dtype)
    multiply(memory[1:-1], a, b, False, transpose_b, False)
    assert np.isnan(memory[[0, -1]]).all()
    np.testing.assert_array_equal(memory[1:-1], k)


def test_what_tiles_cover():
    n = C // 4
    assert tiles.covers(64, 256, 256, True, 4)
    assert tiles.covers(R, n, 7, False, 4)
    assert not tiles.covers(R, n, 7, True, 4)
    assert not tiles.covers(R - 1, n, 8, False, 4)
    assert not tiles.covers(R, n + 1, 8, False, 4)
    assert not tiles.covers(R, n, 0, False, 4)
    assert not tiles.covers(1024, 1024, 1024, False, 4)


def test_rows_that_are_left_over_and_threads(rng, dtype, close):
    """matmul joins tiles and OpenBLAS; several threads are OpenBLAS's alone."""
    a, b = rng.standard_normal((3 * R + 3, 50)).astype(dtype), rng.standard_normal((50, C)).astype(dtype)
    wide = a.astype(np.float64) @ b.astype(np.float64)
    out = np.full((3 * R + 3, C), np.nan, dtype)
    matmul(out, a, b)
    close(out, wide)
    set_threads(min(2, os.cpu_count() or 1))
    try:
        matmul(out, a, b)
    finally:
        set_threads(1)
    close(out, wide)


def test_the_tile_stays_in_registers(dtype):
    n = C // dtype.itemsize
    multiply(np.empty((R, n), dtype), np.empty((R, 3), dtype), np.empty((3, n), dtype), False, False, False)
    fused = [line for line in jit.assembly(multiply).splitlines() if "vfmadd" in line]
    assert len([line for line in fused if "zmm" in line]) >= R * tiles.VECTORS
    assert not any("rsp" in line for line in fused)  # none spilled to the stack
