"""Matrix products: by tiles in registers where these are sooner, else through OpenBLAS.

For kernels there are, over 2-D arrays of one dtype with contiguous rows, which may be rows of wider arrays, unchecked:

gemm(out, a, b, transpose_a, transpose_b, add): out = op(a) op(b), or += it where add.
gemm_alone: the same, by a thread that is one of several; unless tiles.AVAILABLE, there may be no other.
pack(packed, b, transpose_b): op(b) (k, n) in the order in which products read it fastest, in room_to_pack(k, n).
gemm_packed(out, a, packed, add): gemm_alone with a packed matrix, for many products of few rows each.
"""

from kernels import openblas, tiles
from kernels.checks import check_apart, check_dtype, check_input, check_output, whole
from kernels.jit import kernel, max_threads, set_num_threads
from kernels.layer import Array, DType, empty
from kernels.linked import linked
from kernels.registers import size_of

_backend = tiles if tiles.AVAILABLE else openblas  # of threads that each multiply on their own


def room_to_pack(k: int, n: int, dtype: DType) -> Array:
    """Memory for a packed matrix (k, n)."""
    return empty((tiles.packed_size(k, n, dtype.itemsize),), dtype)


@kernel(name="product", sealed=True)
def _product(like, out, a, b, transpose_a, transpose_b, add, alone):
    _, m, n, _ = out
    k = b[2] if transpose_b else b[1]
    ours = tiles.covers(m, n, k, transpose_b, size_of(like)) and openblas.get_num_threads() == 1
    if alone or ours:
        _backend.multiply(like, out, a, b, transpose_a, transpose_b, add)
    else:
        openblas.multiply(like, out, a, b, transpose_a, transpose_b, add)


@kernel(name="product_packed", sealed=True)
def _product_packed(like, out, a, packed, add):
    _backend.multiply_packed(like, out, a, packed, add)


@kernel(name="pack", sealed=True)
def _pack(like, packed, b, transpose_b):
    _backend.pack(like, packed, b, transpose_b)


gemm = linked(_product, 3, 3, False)
gemm_alone = linked(_product, 3, 3, True)
gemm_packed = linked(_product_packed, 3, 1)
pack = linked(_pack, 2, 1)


@kernel()
def _matmul(out, a, b, transpose_a, transpose_b):
    gemm(out, a, b, transpose_a, transpose_b, False)


def matmul(out: Array, a: Array, b: Array, transpose_a: bool = False, transpose_b: bool = False) -> None:
    """out = op(a) op(b), op the transpose where asked; C-contiguous float32 or float64, out (m, n), op(a) (m, k).

    Raises TypeError or ValueError, naming the argument, before anything is written.
    """
    dtype = check_dtype("out", out)
    check_output("out", out, dtype, None, None)
    m, n = out.shape
    check_input("a", a, dtype, *((None, m) if transpose_a else (m, None)))
    k = a.shape[0 if transpose_a else 1]
    check_input("b", b, dtype, *((n, k) if transpose_b else (k, n)))
    check_apart("out", out, a=a, b=b)
    _matmul(out, a, b, transpose_a, transpose_b)


def set_threads(n: int) -> None:
    """Let kernels and matrix products use n threads.

    TypeError unless n is a whole number, ValueError unless 1 <= n <= the CPUs that this process may use.
    """
    if not whole(n):
        raise TypeError(f"n must be a whole number, got {n!r}")
    if not 1 <= n <= max_threads():
        raise ValueError(f"n must be between 1 and {max_threads()}, got {n}")
    set_num_threads(n)
    openblas.set_num_threads(n)
