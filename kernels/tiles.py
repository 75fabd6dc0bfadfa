"""Products of matrices in the registers of AVX-512, of any sizes; covers says which OpenBLAS makes slower.

A tile of ROWS x 2 vectors of the result stays in registers while the inner dimension passes, DEPTH of it at a time.
Rows of b that lie 512 bytes apart meet in few of the cache's sets and push each other out, and so do those of a
transposed a. So what many tiles read is copied first into panels: DEPTH rows of 2 vectors of op(b), one
after the other, which L1 holds, and DEPTH columns of ROWS rows of op(a), which L2 holds.

For kernels. like is a number of the matrices' dtype; a matrix is (address, rows, columns, bytes from row to row).
"""

from kernels.jit import TARGET, scalar, subroutine
from kernels.registers import (
    ROWS,
    VECTORS,
    WIDTH,
    copy_column,
    copy_row,
    room,
    size_of,
    tile1,
    tile2,
    tile4,
    tile8,
    transpose,
)
from kernels.vectors import BYTES

DEPTH = 256  # a panel of op(b) then has 32 kB
BLOCK = 256  # rows of a at a time: with DEPTH, 256 kB of float32
DIRECT = 64  # rows of a up to which panels of b do not pay
LARGEST = 1 << 21  # bytes of a matrix; beyond it OpenBLAS is faster
AVAILABLE = "+avx512f" in TARGET[1]

_A_PANELS, _B_PANEL = BLOCK * (8 * DEPTH + BYTES // ROWS), DEPTH * WIDTH  # bytes, of float64 and of either


@scalar
def covers(m: int, n: int, k: int, transpose_b: bool, size: int) -> bool:
    """Whether tiles make an (m, n) product over k of numbers of size bytes sooner than OpenBLAS."""
    fewest = 2 * ROWS if transpose_b else ROWS  # to transpose b takes as long as 5 rows of the product
    return AVAILABLE and m >= fewest and size * max(m * n, m * k, n * k) <= LARGEST


@subroutine
def multiply(like, out, a, b, transpose_a, transpose_b, add):
    """out = op(a) op(b), or += it where add."""
    size = size_of(like)
    out, m, n, out_row = out
    a, _, _, a_row = a
    k = b[2] if transpose_b else b[1]
    columns = WIDTH // size
    row, step = (size, a_row) if transpose_a else (a_row, size)
    packs_a = transpose_a and n > 2 * columns
    packs_b = transpose_b or m > DIRECT
    a_panels, b_panel = room(_A_PANELS), room(_B_PANEL)
    for top in range(0, m, BLOCK):
        rows = min(BLOCK, m - top)
        for start in range(0, max(k, 1), DEPTH):
            depth = min(DEPTH, k - start)
            a_place = a + top * row + start * step, ROWS * row, row, step
            if packs_a:
                group = ROWS * size * depth + BYTES  # groups start in different sets of the cache
                _pack_rows(like, a_panels, group, a_place[0], step, rows, depth)
                a_place = a_panels, group, size, ROWS * size
            for j in range(0, n, columns):
                width = min(columns, n - j)
                b_place = b[0] + start * b[3] + size * j, b[3]
                ahead = b_place[0] + WIDTH, b[3]  # the panel after this one
                if transpose_b:  # rows of b, which lie in one piece where depth is all of k
                    ahead = b[0] + start * size + (j + columns) * b[3], WIDTH
                if packs_b or width < columns:
                    b_place = b_panel, WIDTH
                    _pack_panel(like, b_panel, b, transpose_b, start, depth, j, width)
                out_place = out + top * out_row + size * j, out_row
                _strip(like, out_place, rows, width, a_place, b_place, ahead, depth, add or start > 0)


@subroutine
def pack(like, packed, b, transpose_b):
    """op(b) (k, n) as panels, for a b that is multiplied by many times; packed has packed_size(k, n)."""
    columns = WIDTH // size_of(like)
    _, n, k, _ = b
    if not transpose_b:
        n, k = k, n
    for j in range(0, n, columns):
        panel = packed[0] + WIDTH * (j // columns) * k
        _pack_panel(like, panel, b, transpose_b, 0, k, j, min(columns, n - j))


@subroutine
def multiply_packed(like, out, a, packed, add):
    """out = a op(b), or += it where add, given op(b) as pack leaves it."""
    size = size_of(like)
    out, m, n, out_row = out
    a, _, k, a_row = a
    columns = WIDTH // size
    for top in range(0, m, BLOCK):
        rows = min(BLOCK, m - top)
        for start in range(0, max(k, 1), DEPTH):
            depth = min(DEPTH, k - start)
            a_place = a + top * a_row + start * size, ROWS * a_row, a_row, size
            for j in range(0, n, columns):
                b_place = packed[0] + WIDTH * (j // columns * k + start), WIDTH
                out_place = out + top * out_row + size * j, out_row
                width, more = min(columns, n - j), add or start > 0
                _strip(like, out_place, rows, width, a_place, b_place, (b_place[0], 0), depth, more)


def packed_size(k: int, n: int, itemsize: int) -> int:
    """How many numbers pack writes, or may write and leave as they are."""
    columns, lanes = WIDTH // itemsize, BYTES // itemsize
    return (-(-n // columns) * k + lanes) * columns


@subroutine
def _strip(like, out_place, m, width, a_place, b_place, ahead, depth, add):
    """m rows of out, at most a tile wide, by tiles of ROWS rows, then of 4, 2 and 1.

    Places are addresses and strides in bytes: of out's rows; of a's groups of ROWS rows, of its rows and columns; of
    b's rows, and of those that will be wanted next.
    """
    out, out_row = out_place
    a, group, row, step = a_place
    b, b_row = b_place
    ahead, ahead_row = ahead
    for i in range(m // ROWS):
        place = out + i * ROWS * out_row
        line = ahead + i // 2 * ahead_row + i % 2 * BYTES if i < 4 else b  # a quarter of them each
        tile8(like, place, out_row, width, a + i * group, row, step, b, b_row, line, ahead_row, depth, add)
    out, a = out + m // ROWS * ROWS * out_row, a + m // ROWS * group
    if m & 4:
        tile4(like, out, out_row, width, a, row, step, b, b_row, b, 0, depth, add)
        out, a = out + 4 * out_row, a + 4 * row
    if m & 2:
        tile2(like, out, out_row, width, a, row, step, b, b_row, b, 0, depth, add)
        out, a = out + 2 * out_row, a + 2 * row
    if m & 1:
        tile1(like, out, out_row, width, a, row, step, b, b_row, b, 0, depth, add)


@subroutine
def _pack_rows(like, panels, group, a, step, rows, depth):
    """Groups of ROWS rows of op(a) at the address panels, each depth times a column; rows of op(a) lie side by side."""
    size = size_of(like)
    for d in range(depth):
        for i in range(0, rows, BYTES // size):
            copy_column(like, panels + i // ROWS * group + ROWS * size * d, group, a + size * i + step * d, rows - i)


@subroutine
def _pack_panel(like, panel, b, transpose_b, start, depth, j, width):
    """Rows start to start + depth, columns j to j + width of op(b) at the address panel; zeros beyond that width."""
    size = size_of(like)
    b, _, _, b_row = b
    lanes = BYTES // size
    if not transpose_b:
        source = b + start * b_row + size * j
        for d in range(depth):
            copy_row(like, panel + WIDTH * d, source + b_row * d, width)
        return
    for c in range(0, VECTORS * lanes, lanes):
        source = b + (j + c) * b_row + size * start
        for d in range(0, depth, lanes):
            transpose(like, panel + size * c + WIDTH * d, source + size * d, b_row, width - c, depth - d)
