"""Products of matrices in the registers of AVX-512, of any sizes; covers says which OpenBLAS makes slower.

A tile of ROWS x 2 vectors of the result stays in registers while the inner dimension passes, DEPTH of it at a time.
Rows of b that lie 512 bytes apart meet in few of the cache's sets and push each other out, and so do those of a
transposed a. So what many tiles read is copied first into panels: DEPTH rows of 2 vectors of op(b), one
after the other, which L1 holds, and DEPTH columns of ROWS rows of op(a), which L2 holds.
"""

from typing import Any

from kernels.intrinsics import address
from kernels.jit import TARGET, overload, scalar, subroutine
from kernels.registers import (
    BYTES,
    ROWS,
    VECTORS,
    WIDTH,
    copy_column,
    copy_row,
    room,
    tile1,
    tile2,
    tile4,
    tile8,
    transpose,
)

DEPTH = 256  # a panel of op(b) then has 32 kB
BLOCK = 256  # rows of a at a time: with DEPTH, 256 kB of float32
DIRECT = 64  # rows of a up to which panels of b do not pay
LARGEST = 1 << 21  # bytes of a matrix; beyond it OpenBLAS is faster
AVAILABLE = "+avx512f" in TARGET[1]


@scalar
def covers(m: int, n: int, k: int, transpose_b: bool, size: int) -> bool:
    """Whether tiles make an (m, n) product over k of numbers of size bytes sooner than OpenBLAS."""
    fewest = 2 * ROWS if transpose_b else ROWS  # to transpose b takes as long as 5 rows of the product
    return m >= fewest and size * max(m * n, m * k, n * k) <= LARGEST


def multiply(out: Any, a: Any, b: Any, transpose_a: bool, transpose_b: bool, add: bool, first: int, last: int) -> None:
    """Columns first to last of out = op(a) op(b) (or += where add), any sizes. For kernels.

    Rows are contiguous, and may be rows of wider arrays.
    """
    raise NotImplementedError("only compiled kernels multiply by tiles")


def pack(packed: Any, b: Any, transpose_b: bool) -> None:
    """op(b) (k, n) as panels, for a b that is multiplied by many times; packed has packed_size(k, n). For kernels."""
    raise NotImplementedError("only compiled kernels multiply by tiles")


def multiply_packed(out: Any, a: Any, packed: Any, add: bool) -> None:
    """out = a op(b) (or += where add), given b as pack leaves it; C-contiguous, any sizes. For kernels."""
    raise NotImplementedError("only compiled kernels multiply by tiles")


def packed_size(k: int, n: int, itemsize: int) -> int:
    """How many numbers pack writes, or may write and leave as they are."""
    columns, lanes = WIDTH // itemsize, BYTES // itemsize
    return (-(-n // columns) * k + lanes) * columns


@overload(multiply, strict=False)
def _multiply(out: Any, a: Any, b: Any, transpose_a: Any, transpose_b: Any, add: Any, first: Any, last: Any) -> Any:
    size = out.dtype.bitwidth // 8
    columns = WIDTH // size
    a_bytes, b_bytes = BLOCK * (DEPTH * size + BYTES // ROWS), DEPTH * WIDTH

    def run(out, a, b, transpose_a, transpose_b, add, first, last):
        like = out.dtype.type(0)
        m = out.shape[0]
        k = b.shape[1] if transpose_b else b.shape[0]
        row, step = (size, a.strides[0]) if transpose_a else (a.strides[0], size)
        packs_a = transpose_a and last - first > 2 * columns
        packs_b = transpose_b or m > DIRECT
        a_panels, b_panel = room(a_bytes), room(b_bytes)
        for top in range(0, m, BLOCK):
            rows = min(BLOCK, m - top)
            for start in range(0, max(k, 1), DEPTH):
                depth = min(DEPTH, k - start)
                a_place = address(a) + top * row + start * step, ROWS * row, row, step
                if packs_a:
                    group = ROWS * size * depth + BYTES  # groups start in different sets of the cache
                    _pack_rows(like, size, a_panels, group, a_place[0], step, rows, depth)
                    a_place = a_panels, group, size, ROWS * size
                for j in range(first, last, columns):
                    width = min(columns, last - j)
                    b_place = address(b) + start * b.strides[0] + size * j, b.strides[0]
                    if packs_b or width < columns:
                        b_place = b_panel, WIDTH
                        _pack_panel(like, b_panel, b, transpose_b, start, depth, j, width)
                    out_place = address(out) + top * out.strides[0] + size * j, out.strides[0]
                    _strip(like, out_place, rows, width, a_place, b_place, depth, add or start > 0)

    return run


@overload(pack, strict=False)
def _pack(packed: Any, b: Any, transpose_b: Any) -> Any:
    columns = WIDTH // (b.dtype.bitwidth // 8)

    def run(packed, b, transpose_b):
        like = b.dtype.type(0)
        n, k = b.shape if transpose_b else b.shape[::-1]
        for j in range(0, n, columns):
            panel = address(packed) + WIDTH * (j // columns) * k
            _pack_panel(like, panel, b, transpose_b, 0, k, j, min(columns, n - j))

    return run


@overload(multiply_packed, strict=False)
def _multiply_packed(out: Any, a: Any, packed: Any, add: Any) -> Any:
    size = out.dtype.bitwidth // 8
    columns = WIDTH // size

    def run(out, a, packed, add):
        like = out.dtype.type(0)
        m, n = out.shape
        k = a.shape[1]
        for top in range(0, m, BLOCK):
            rows = min(BLOCK, m - top)
            for start in range(0, max(k, 1), DEPTH):
                depth = min(DEPTH, k - start)
                a_place = address(a) + size * (top * k + start), ROWS * size * k, size * k, size
                for j in range(0, n, columns):
                    b_place = address(packed) + WIDTH * (j // columns * k + start), WIDTH
                    out_place = address(out) + size * (top * n + j), size * n
                    _strip(like, out_place, rows, min(columns, n - j), a_place, b_place, depth, add or start > 0)

    return run


@subroutine
def _strip(like, out_place, m, width, a_place, b_place, depth, add):
    """m rows of out, at most a tile wide, by tiles of ROWS rows, then of 4, 2 and 1.

    Places are addresses and strides in bytes: of out's rows; of a's groups of ROWS rows, of its rows and columns; of
    b's rows.
    """
    out, out_row = out_place
    a, group, row, step = a_place
    b, b_row = b_place
    for i in range(m // ROWS):
        tile8(like, out + i * ROWS * out_row, out_row, width, a + i * group, row, step, b, b_row, depth, add)
    out, a = out + m // ROWS * ROWS * out_row, a + m // ROWS * group
    if m & 4:
        tile4(like, out, out_row, width, a, row, step, b, b_row, depth, add)
        out, a = out + 4 * out_row, a + 4 * row
    if m & 2:
        tile2(like, out, out_row, width, a, row, step, b, b_row, depth, add)
        out, a = out + 2 * out_row, a + 2 * row
    if m & 1:
        tile1(like, out, out_row, width, a, row, step, b, b_row, depth, add)


@subroutine
def _pack_rows(like, size, panels, group, a, step, rows, depth):
    """Groups of ROWS rows of op(a) at the address panels, each depth times a column; rows of op(a) lie side by side."""
    for d in range(depth):
        for i in range(0, rows, BYTES // size):
            copy_column(like, panels + i // ROWS * group + ROWS * size * d, group, a + size * i + step * d, rows - i)


@subroutine
def _pack_panel(like, panel, b, transpose_b, start, depth, j, width):
    """Rows start to start + depth, columns j to j + width of op(b) at the address panel; zeros beyond that width."""
    size, row = b.itemsize, b.strides[0]
    lanes = BYTES // size
    if not transpose_b:
        source = address(b) + start * row + size * j
        for d in range(depth):
            copy_row(like, panel + WIDTH * d, source + row * d, width)
        return
    for c in range(0, VECTORS * lanes, lanes):
        source = address(b) + (j + c) * row + size * start
        for d in range(0, depth, lanes):
            transpose(like, panel + size * c + WIDTH * d, source + size * d, row, width - c, depth - d)
