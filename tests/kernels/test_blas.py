import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kernels import jit
from kernels.blas import gemm, matmul, set_threads
from kernels.openblas import blas_info

SIZES = [(m, n, k) for m in (0, 1, 5, 33) for n in (0, 1, 3, 64) for k in (0, 1, 7, 50)]


def operands(rng, dtype, m, n, k, transpose_a=False, transpose_b=False):
    a = rng.standard_normal((k, m) if transpose_a else (m, k)).astype(dtype)
    b = rng.standard_normal((n, k) if transpose_b else (k, n)).astype(dtype)
    return a, b


@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("transpose_a", [False, True])
def test_matmul_of_every_size_overwrites_what_was_there(rng, dtype, close, transpose_a, transpose_b):
    for m, n, k in SIZES:
        a, b = operands(rng, dtype, m, n, k, transpose_a, transpose_b)
        out = np.full((m, n), np.nan, dtype)
        matmul(out, a, b, transpose_a, transpose_b)
        wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
        close(out, (wide_a.T if transpose_a else wide_a) @ (wide_b.T if transpose_b else wide_b))


@jit.kernel(name="test_gemm_of_columns")
def columns_gemm(out, a, b, transpose_a, transpose_b, add):
    gemm(out[:, 1:-1], a[:, 2:-2], b[:, 3:-3], transpose_a, transpose_b, add)


@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (5, 3, 7), (16, 64, 48), (19, 32, 64), (4, 2, 0)])
def test_operands_may_be_columns_of_wider_arrays(rng, dtype, close, m, n, k, transpose_a, transpose_b):
    a, b = operands(rng, dtype, m, n, k, transpose_a, transpose_b)
    start = rng.standard_normal((m, n)).astype(dtype)
    wide_a, wide_b = (np.pad(x, ((0, 0), (w, w)), constant_values=np.nan) for x, w in ((a, 2), (b, 3)))
    product = (a.T if transpose_a else a).astype(np.float64) @ (b.T if transpose_b else b).astype(np.float64)
    for add in (False, True):
        out = np.pad(start, ((0, 0), (1, 1)), constant_values=7.0)
        columns_gemm(out, wide_a, wide_b, transpose_a, transpose_b, add)
        close(out[:, 1:-1], product + start if add else product)
        assert (out[:, [0, -1]] == 7.0).all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"a": np.zeros((3, 5))}, ValueError, r"a must have shape \(2, any\), got \(3, 5\)"),
        ({"b": np.zeros((4, 4))}, ValueError, r"b must have shape \(3, 4\), got \(4, 4\)"),
        ({"b": np.zeros((3, 4), np.float32)}, TypeError, "b must be float64, got float32"),
        ({"b": np.zeros((4, 3)).T}, ValueError, "b must be C-contiguous"),
        ({"out": np.zeros((2, 4), np.int64)}, TypeError, "out must be float32 or float64"),
        ({"out": [[0.0]]}, TypeError, "out must be a numpy.ndarray, got list"),
    ],
)
def test_matmul_names_the_wrong_argument(change, error, message):
    arguments = {"out": np.zeros((2, 4)), "a": np.zeros((2, 3)), "b": np.zeros((3, 4))}
    with pytest.raises(error, match=message):
        matmul(**arguments | change)


def test_matmul_refuses_outputs_it_cannot_write():
    a = np.zeros((4, 4))
    with pytest.raises(ValueError, match="out must not share memory with a"):
        matmul(a, a, np.zeros((4, 4)))
    out = np.zeros((4, 4))
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out is read-only"):
        matmul(out, a, a)


def test_threads_follow_one_setting(rng):
    a, b = operands(rng, np.float64, 300, 200, 100)
    single, several = np.empty((300, 200)), np.empty((300, 200))
    most = jit.max_threads()
    matmul(single, a, b)
    set_threads(most)
    try:
        assert blas_info()["threads"] == most
        matmul(several, a, b)
    finally:
        set_threads(1)
    assert blas_info()["threads"] == 1
    np.testing.assert_allclose(several, single, rtol=1e-12, atol=1e-12)
    for wrong in (0, most + 1):
        with pytest.raises(ValueError, match=f"n must be between 1 and {most}, got {wrong}"):
            set_threads(wrong)
    with pytest.raises(TypeError, match="n must be a whole number, got '2'"):
        set_threads("2")


def fresh(**environment):
    """blas_info, NumPy's own OpenBLAS and the environment afterwards, of a new process."""
    code = (
        "import json, os, threadpoolctl\n"
        "from kernels.openblas import blas_info\n"
        "names = ('OPENBLAS_CORETYPE', 'OPENBLAS_NUM_THREADS')\n"
        "info = [row for row in threadpoolctl.threadpool_info() if 'numpy.libs' in row['filepath']]\n"
        "print(json.dumps([blas_info(), info[0]['num_threads'], {n: os.environ[n] for n in names if n in os.environ}]))"
    )
    inherited = {name: value for name, value in os.environ.items() if "OPENBLAS" not in name}
    process = subprocess.run(
        [sys.executable, "-c", code], env=inherited | environment, capture_output=True, text=True, check=True
    )
    return json.loads(process.stdout)


def test_the_core_fits_the_cpu_and_the_environment_is_put_back():
    info, numpy_threads, environment = fresh()
    assert info["threads"] == 1
    assert numpy_threads == os.cpu_count()
    assert environment == {}
    if jit.host_has("avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"):
        assert info["core"] == "SkylakeX"


@pytest.mark.skipif(not jit.host_has("avx2", "fma"), reason="needs a second core type: a CPU with AVX2")
def test_a_users_setting_is_respected():
    wanted = {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "2"}
    info, _, environment = fresh(**wanted)
    assert info["core"] == "Haswell"
    assert info["threads"] == min(2, os.cpu_count() or 1)
    assert environment == wanted


@pytest.mark.parametrize("n", sorted({1, os.cpu_count() or 1}))
def test_one_setting_is_for_kernels_and_products_and_leaves_numpy_alone(n):
    code = (
        "import os, threadpoolctl\n"
        "from kernels import jit\n"
        "from kernels.blas import set_threads\n"
        "from kernels.openblas import blas_info\n"
        f"set_threads({n})\n"
        "numpy = [row for row in threadpoolctl.threadpool_info() if 'numpy.libs' in row['filepath']][0]\n"
        "print(jit.threading()[0], blas_info()['threads'], numpy['num_threads'])"
    )
    environment = {name: value for name, value in os.environ.items() if "THREADS" not in name}
    process = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert process.stdout.split() == [str(n), str(n), str(len(os.sched_getaffinity(0)))]


def test_as_many_threads_as_numba_was_told_can_be_asked_for():
    code = "from kernels.blas import set_threads; set_threads(1); set_threads(2)"
    environment = {**os.environ, "NUMBA_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "ValueError: n must be between 1 and 1, got 2" in done.stderr
