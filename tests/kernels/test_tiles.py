import threading

import numpy as np
import pytest

from kernels import jit, tiles
from kernels.blas import _product, gemm_alone, gemm_packed, pack, room_to_pack, set_threads
from kernels.registers import ROWS, VECTORS, WIDTH

pytestmark = pytest.mark.skipif(not tiles.AVAILABLE, reason="tiles are for AVX-512 targets")

# (m, n, k): rows that make tiles of every height, columns within a vector and beyond, more than a block and a depth.
SIZES = [(m, n, 7) for m in range(1, ROWS + 2) for n in (1, 16, 33)]
SIZES += [(3, 5, 0), (0, 3, 2), (3, 0, 2), (67, 100, 19), (70, 128, tiles.DEPTH), (9, 65, 2 * tiles.DEPTH + 17)]
SIZES += [(tiles.BLOCK + 13, 97, 33), (2 * tiles.BLOCK, 8, tiles.DEPTH + 1)]


@jit.kernel(name="test_tiles_multiply")
def multiply(out, a, b, transpose_a, transpose_b, add):
    gemm_alone(out, a, b, transpose_a, transpose_b, add)


@jit.kernel(name="test_tiles_columns")
def multiply_columns(out, a, b, first, last):
    gemm_alone(out[:, first:last], a, b[:, first:last], True, False, False)


@jit.kernel(name="test_tiles_packed")
def multiply_packed(out, a, b, packed, transpose_b, add):
    pack(packed, b, transpose_b)
    gemm_packed(out, a, packed, add)


def operands(rng, dtype, m, n, k, transpose_a=False, transpose_b=False):
    """a, b and their float64 product."""
    a = rng.standard_normal((k, m) if transpose_a else (m, k)).astype(dtype)
    b = rng.standard_normal((n, k) if transpose_b else (k, n)).astype(dtype)
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    return a, b, (wide_a.T if transpose_a else wide_a) @ (wide_b.T if transpose_b else wide_b)


def framed(shape, dtype, value):
    """An array between two rows that nothing may write."""
    memory = np.full((shape[0] + 2, shape[1]), np.nan, dtype)
    memory[1:-1] = value
    return memory[1:-1]


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("transpose_a", [False, True])
def test_tiles_are_the_product_and_write_nothing_beside_it(rng, dtype, close, transpose_a, transpose_b, add):
    for m, n, k in SIZES:
        a, b, product = operands(rng, dtype, m, n, k, transpose_a, transpose_b)
        out = framed((m, n), dtype, 0.5 if add else np.nan)
        multiply(out, a, b, transpose_a, transpose_b, add)
        close(out, (0.5 if add else 0.0) + product)
        assert np.isnan(out.base[[0, -1]]).all()


def test_columns_are_made_apart(rng, dtype, close):
    a, b, product = operands(rng, dtype, 21, 150, 40, True)
    out = np.full((21, 150), np.nan, dtype)
    multiply_columns(out, a, b, 32, 131)
    close(out[:, 32:131], product[:, 32:131])
    assert np.isnan(out[:, :32]).all()
    assert np.isnan(out[:, 131:]).all()


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_a_packed_matrix_gives_the_same_product(rng, dtype, close, transpose_b, add):
    for m, n, k in SIZES:
        a, b, product = operands(rng, dtype, m, n, k, False, transpose_b)
        out = framed((m, n), dtype, 0.5 if add else np.nan)
        packed = room_to_pack(k, n, dtype)
        packed.fill(np.nan)
        multiply_packed(out, a, b, packed, transpose_b, add)
        close(out, (0.5 if add else 0.0) + product)
        assert np.isnan(out.base[[0, -1]]).all()


def test_infinities_beside_the_matrix_do_not_enter(rng, dtype):
    """What lies behind the last column or row of b is not read into a product."""
    memory = np.full((40, 50), np.inf, dtype)
    b = memory.reshape(-1)[: 5 * 33].reshape(5, 33)
    b[...] = 1
    out = np.empty((9, 33), dtype)
    multiply(out, np.ones((9, 5), dtype), b, False, False, False)
    np.testing.assert_array_equal(out, 5)


def test_what_tiles_cover():
    assert tiles.covers(64, 256, 256, True, 4)
    assert tiles.covers(ROWS, 3, 7, False, 4)
    assert not tiles.covers(ROWS - 1, 32, 8, False, 4)
    assert not tiles.covers(ROWS, 32, 8, True, 4)  # transposing b would take as long as the product
    assert not tiles.covers(4096, 4096, 4096, False, 4)


@pytest.mark.skipif(jit.max_threads() < 2, reason="needs two CPUs")
def test_one_of_several_threads_multiplies_as_one_alone_does(rng, dtype):
    """OpenBLAS, which would use both threads, rounds in another order."""
    a, b, _ = operands(rng, dtype, 27, 64, 300)
    found = []
    for threads in (1, 2):
        set_threads(threads)
        try:
            found.append(np.full((27, 64), np.nan, dtype))
            multiply(found[-1], a, b, False, False, False)
        finally:
            set_threads(1)
    np.testing.assert_array_equal(*found)


def test_a_small_stack_is_enough(rng, dtype, close):
    a, b, product = operands(rng, dtype, 300, 90, 300, True, True)
    out = np.full((300, 90), np.nan, dtype)
    before = threading.stack_size(2**20)  # bytes; Linux gives threads 8 MiB, other systems less
    try:
        thread = threading.Thread(target=multiply, args=(out, a, b, True, True, False))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    close(out, product)


def test_the_tile_stays_in_registers(rng, dtype):
    a, b, _ = operands(rng, dtype, ROWS, WIDTH // dtype.itemsize, 3)
    multiply(np.empty((ROWS, WIDTH // dtype.itemsize), dtype), a, b, False, False, False)
    fused = [line for line in jit.assembly(_product, dtype.name).splitlines() if "vfmadd" in line]
    assert len([line for line in fused if "zmm" in line]) >= ROWS * VECTORS
    assert not any("rsp" in line for line in fused)  # none spilled to the stack
