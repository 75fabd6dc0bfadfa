"""Matrix products through a private copy of OpenBLAS that runs the kernels this CPU deserves.

The wheels' OpenBLAS picks AVX2 kernels on AVX-512 CPUs it does not know by name, at half the speed.
So the core type is named here before the copy of the package scipy-openblas32 is loaded, unless
the user has named one; the environment is put back, and NumPy's and SciPy's copies stay as they are.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import files
from typing import Any

import numpy as np

from kernels import tiles
from kernels.checks import check_apart, check_dtype, check_input, check_output
from kernels.intrinsics import address, strided
from kernels.jit import external, host_has, kernel, max_threads, overload, scalar, set_num_threads, types
from kernels.layer import Array, DType, empty

_ROW_MAJOR, _PLAIN, _TRANSPOSED = 101, 111, 112
_SKYLAKEX = ("avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl")


@contextmanager
def _environment_for_loading() -> Iterator[None]:
    """One thread, and the AVX-512 core where the CPU has it; only where the user has not set them.

    Further threads wait 2**10 cycles for the next product, not 2**26, before they leave the core to Numba's.
    """
    wanted = {"OPENBLAS_NUM_THREADS": "1", "OPENBLAS_THREAD_TIMEOUT": "10"}
    if host_has(*_SKYLAKEX):
        wanted["OPENBLAS_CORETYPE"] = "SkylakeX"
    ours = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]


def _path() -> str:
    """The shared library of scipy-openblas32; importing the package would make its symbols global."""
    libraries = (file for file in files("scipy-openblas32") or () if file.suffix in (".so", ".dylib", ".dll"))
    return str(next(libraries).locate())


_PATH = _path()
with _environment_for_loading():
    _LIBRARY = ctypes.CDLL(_PATH)
_LIBRARY.scipy_openblas_get_config.restype = ctypes.c_char_p
_LIBRARY.scipy_openblas_get_corename.restype = ctypes.c_char_p


def _external(name: str, result: Any, *arguments: Any) -> Any:
    """A function of the library for kernels."""
    address = ctypes.cast(_LIBRARY[f"scipy_{name}"], ctypes.c_void_p).value or 0
    return external(f"gradfade_{name}", address, result, *arguments)


def _external_gemm(name: str, real: Any) -> Any:
    """name(order, transpose a, transpose b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)."""
    i, p = types.int32, types.uintp
    return _external(name, types.void, i, i, i, i, i, i, real, p, i, p, i, real, p, i)


_GEMM = {
    types.float32: _external_gemm("cblas_sgemm", types.float32),
    types.float64: _external_gemm("cblas_dgemm", types.float64),
}
_THREADS = _external("openblas_get_num_threads", types.int32)


def gemm(out: Array, a: Array, b: Array, transpose_a: bool, transpose_b: bool, add: bool) -> None:
    """out = op(a) op(b), or += it where add: 2-D arrays of one dtype with contiguous rows, unchecked. For kernels."""
    product = (a.T if transpose_a else a) @ (b.T if transpose_b else b)
    out[...] = out + product if add else product


def gemm_columns(
    out: Array, a: Array, b: Array, transpose_a: bool, transpose_b: bool, add: bool, first: int, last: int
) -> None:
    """Columns first to last of gemm. Any number of threads may each make some; unless tiles.AVAILABLE, one."""
    raise NotImplementedError("for compiled kernels")


def pack(packed: Array, b: Array, transpose_b: bool) -> None:
    """op(b) (k, n) in the order in which gemm_packed reads it fastest; packed is room_to_pack(k, n). For kernels."""
    raise NotImplementedError("for compiled kernels")


def gemm_packed(out: Array, a: Array, packed: Array, add: bool) -> None:
    """gemm with a matrix that was packed, for many products with few rows each; threads as in gemm_columns."""
    raise NotImplementedError("for compiled kernels")


def room_to_pack(k: int, n: int, dtype: DType) -> Array:
    """Memory for a packed matrix (k, n)."""
    return empty((tiles.packed_size(k, n, dtype.itemsize),), dtype)


@overload(gemm, strict=False)
def _gemm(out: Any, a: Any, b: Any, transpose_a: Any, transpose_b: Any, add: Any) -> Any:
    size = out.dtype.bitwidth // 8
    if not out == a == b == types.Array(out.dtype, 2, "A"):
        return lambda out, a, b, transpose_a, transpose_b, add: gemm(
            strided(out), strided(a), strided(b), transpose_a, transpose_b, add
        )

    def by_tiles(out, a, b, transpose_a, transpose_b, add):
        m, n = out.shape
        k = b.shape[1] if transpose_b else b.shape[0]
        if tiles.covers(m, n, k, transpose_b, size) and _THREADS() == 1:
            tiles.multiply(out, a, b, transpose_a, transpose_b, add, 0, n)
        else:
            _openblas(out, a, b, transpose_a, transpose_b, add, 0, n)

    def by_library(out, a, b, transpose_a, transpose_b, add):
        _openblas(out, a, b, transpose_a, transpose_b, add, 0, out.shape[1])

    return by_tiles if tiles.AVAILABLE else by_library


@overload(gemm_columns, strict=False)
def _gemm_columns(out: Any, a: Any, b: Any, transpose_a: Any, transpose_b: Any, add: Any, first: Any, last: Any) -> Any:
    multiply = tiles.multiply if tiles.AVAILABLE else _openblas

    def run(out, a, b, transpose_a, transpose_b, add, first, last):
        multiply(out, a, b, transpose_a, transpose_b, add, first, last)

    return run


@overload(pack, strict=False)
def _pack(packed: Any, b: Any, transpose_b: Any) -> Any:
    def copy(packed, b, transpose_b):
        n, k = b.shape
        for i in range(n):
            for j in range(k):
                packed[j * n + i if transpose_b else i * k + j] = b[i, j]

    return (lambda packed, b, transpose_b: tiles.pack(packed, b, transpose_b)) if tiles.AVAILABLE else copy


@overload(gemm_packed, strict=False)
def _gemm_packed(out: Any, a: Any, packed: Any, add: Any) -> Any:
    def by_library(out, a, packed, add):
        k, n = a.shape[1], out.shape[1]
        _openblas(out, a, packed[: k * n].reshape(k, n), False, False, add, 0, n)

    return (lambda out, a, packed, add: tiles.multiply_packed(out, a, packed, add)) if tiles.AVAILABLE else by_library


@scalar
def _leading(x: Array) -> int:
    """From one row to the next, in numbers; BLAS wants at least the length of a row, and 1, also of empty arrays."""
    return max(x.strides[0] // x.itemsize, x.shape[1], 1)


def _openblas(out, a, b, transpose_a, transpose_b, add, first, last):
    """What gemm_columns does."""
    raise NotImplementedError("for compiled kernels")


@overload(_openblas, strict=False)
def _call_openblas(
    out: Any, a: Any, b: Any, transpose_a: Any, transpose_b: Any, add: Any, first: Any, last: Any
) -> Any:
    function = _GEMM[out.dtype]
    T = np.float32 if out.dtype == types.float32 else np.float64
    size = out.dtype.bitwidth // 8

    def run(out, a, b, transpose_a, transpose_b, add, first, last):
        function(
            _ROW_MAJOR,
            _TRANSPOSED if transpose_a else _PLAIN,
            _TRANSPOSED if transpose_b else _PLAIN,
            out.shape[0],
            last - first,
            b.shape[1] if transpose_b else b.shape[0],
            T(1.0),
            address(a),
            _leading(a),
            address(b) + first * (b.strides[0] if transpose_b else size),
            _leading(b),
            T(1.0) if add else T(0.0),
            address(out) + size * first,
            _leading(out),
        )

    return run


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

    TypeError unless n is an int, ValueError unless 1 <= n <= the CPUs that this process may use.
    """
    if not isinstance(n, int):
        raise TypeError(f"n must be an int, got {n!r}")
    if not 1 <= n <= max_threads():
        raise ValueError(f"n must be between 1 and {max_threads()}, got {n}")
    set_num_threads(n)
    _LIBRARY.scipy_openblas_set_num_threads(n)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Products within take one thread, because each of the kernels' threads has its own."""
    threads = _LIBRARY.scipy_openblas_get_num_threads()
    _LIBRARY.scipy_openblas_set_num_threads(1)
    try:
        yield
    finally:
        _LIBRARY.scipy_openblas_set_num_threads(threads)


def blas_info() -> dict[str, str | int]:
    """The library behind matmul: its path, version, the core type its kernels are for, and its threads."""
    return {
        "library": _PATH,
        "version": _LIBRARY.scipy_openblas_get_config().decode().split()[1],
        "core": _LIBRARY.scipy_openblas_get_corename().decode(),
        "threads": _LIBRARY.scipy_openblas_get_num_threads(),
    }
