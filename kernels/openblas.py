"""A private copy of OpenBLAS that runs the kernels this CPU deserves.

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

from kernels.jit import external, host_has, overload, subroutine, types
from kernels.registers import copy_number, size_of

_ROW_MAJOR, _COLUMN_MAJOR, _PLAIN, _TRANSPOSED = 101, 102, 111, 112
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


def _function(name: str, result: Any, *arguments: Any) -> Any:
    """A function of the library for kernels."""
    address = ctypes.cast(_LIBRARY[f"scipy_{name}"], ctypes.c_void_p).value or 0
    return external(f"gradfade_{name}", address, result, *arguments)


def _external_gemm(name: str, real: Any) -> Any:
    """name(order, transpose a, transpose b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)."""
    i, p = types.int32, types.uintp
    return _function(name, types.void, i, i, i, i, i, i, real, p, i, p, i, real, p, i)


_GEMM = {
    types.float32: _external_gemm("cblas_sgemm", types.float32),
    types.float64: _external_gemm("cblas_dgemm", types.float64),
}
get_num_threads = _function("openblas_get_num_threads", types.int32)  # for kernels


def multiply(like, out, a, b, transpose_a, transpose_b, add):
    """What kernels.tiles.multiply does, and in its terms."""
    raise NotImplementedError("for compiled kernels")


@overload(multiply, strict=False)
def _multiply(like: Any, out: Any, a: Any, b: Any, transpose_a: Any, transpose_b: Any, add: Any) -> Any:
    function = _GEMM[like]
    size = like.bitwidth // 8
    T = np.float32 if like == types.float32 else np.float64

    def run(like, out, a, b, transpose_a, transpose_b, add):
        out, m, n, out_row = out
        if m == 0 or n == 0:
            return
        function(
            _ROW_MAJOR,
            _TRANSPOSED if transpose_a else _PLAIN,
            _TRANSPOSED if transpose_b else _PLAIN,
            m,
            n,
            b[2] if transpose_b else b[1],
            T(1.0),
            a[0],
            max(a[3] // size, a[2], 1),
            b[0],
            max(b[3] // size, b[2], 1),
            T(1.0) if add else T(0.0),
            out,
            max(out_row // size, n),
        )

    return run


@subroutine
def pack(like, packed, b, transpose_b):
    """op(b), row by row."""
    size = size_of(like)
    packed, (b, rows, columns, b_row) = packed[0], b
    for i in range(rows):
        for j in range(columns):
            place = j * rows + i if transpose_b else i * columns + j
            copy_number(like, packed + place * size, b + i * b_row + j * size)


@subroutine
def multiply_packed(like, out, a, packed, add):
    """What kernels.tiles.multiply_packed does."""
    k, n = a[2], out[2]
    multiply(like, out, a, (packed[0], k, n, n * size_of(like)), False, False, add)


def reflect(vectors: Any, taus: Any) -> None:
    """Replace vectors (n, m), float64, by the first n rows of H1 H2 ... Hn transposed, Hi = I - taus[i] v v'.

    v is vectors[i], taken to have i zeros, then a 1, whatever stands there; they lie in C order. RuntimeError where
    LAPACK's dorgqr refuses: n > m, a NaN, or too little memory.
    """
    n, m = vectors.shape
    arrays = (array.ctypes.data_as(ctypes.c_void_p) for array in (vectors, taus))
    if wrong := _LIBRARY.scipy_LAPACKE_dorgqr(_COLUMN_MAJOR, m, n, n, next(arrays), m, next(arrays)):
        raise RuntimeError(f"dorgqr cannot make {n} orthogonal rows of {m}: it returns {wrong}")


def set_num_threads(n: int) -> None:
    """Let products use n threads."""
    _LIBRARY.scipy_openblas_set_num_threads(n)


def blas_info() -> dict[str, str | int]:
    """The library behind kernels.blas: its path, version, the core type its kernels are for, and its threads."""
    return {
        "library": _PATH,
        "version": _LIBRARY.scipy_openblas_get_config().decode().split()[1],
        "core": _LIBRARY.scipy_openblas_get_corename().decode(),
        "threads": _LIBRARY.scipy_openblas_get_num_threads(),
    }
