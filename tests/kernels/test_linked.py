import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kernels import jit
from kernels.linked import linked
from kernels.registers import copy_number, size_of

ROOT = Path(__file__).parents[2]
# Two kernels of their own in a process of their own: what these tests need is the first call.
PRODUCT = """
import ctypes, os, signal, sys, time
import numpy as np
from kernels import jit, linked
from kernels.blas import gemm, matmul

libc = ctypes.CDLL(None)
place = ctypes.cast(libc["raise"], ctypes.c_void_p).value
c_raise = jit.external("test_raise", place, jit.types.int32, jit.types.int32)
@jit.kernel(name="test_raise_and_multiply")
def raise_and_multiply(number, out, a):
    c_raise(number)
    gemm(out, a, a, False, True, False)

declare = linked.declare
def interrupted(*arguments):
    linked.declare = declare
    os.kill(os.getpid(), signal.SIGINT)
    return declare(*arguments)
def failing(*arguments):
    raise ValueError("no compiler today")
linked.declare = {"interrupted": interrupted, "failing": failing}.get(sys.argv[1], declare)

a = np.arange(12.0).reshape(3, 4)
out = np.empty((3, 3))
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that they ignore it
try:
    if sys.argv[1] == "before":
        raise_and_multiply(signal.SIGINT, out, a)
    else:
        matmul(out, a, a, False, True)
    for _ in range(100 * (sys.argv[1] in ("interrupted", "before"))):
        time.sleep(0.1)
    print("not interrupted")
except KeyboardInterrupt:
    print("interrupted")
np.testing.assert_array_equal(out, a @ a.T)
print(jit.compile_counts())
"""


@jit.kernel(name="test_linked_copy", sealed=True)
def copy(like, out, x, row, column):
    """out[row, -1] = x[0, column]."""
    place, _, columns, stride = out
    copy_number(like, place + row * stride + (columns - 1) * size_of(like), x[0] + column * size_of(like))


copy_second, copy_third = linked(copy, 2, 1, 1), linked(copy, 2, 1, 2)


@jit.kernel(name="test_linked_caller")
def call(out, x, last):
    copy_second(out[:, :-1], x, 1)
    copy_third(out, x, last)


def first_call(way, tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    script = tmp_path / "product.py"
    script.write_text(PRODUCT)
    return subprocess.run(
        [sys.executable, script, way], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_kernel_calls_another_with_its_arrays_and_numbers(dtype):
    out, x = np.zeros((3, 4), dtype), np.arange(1, 6, dtype=dtype)
    call(out, x, True)
    np.testing.assert_array_equal(out, [[0, 0, 0, 0], [0, 0, 2, 3], [0, 0, 0, 0]])


def test_the_caller_does_not_contain_what_it_calls(dtype):
    call(np.zeros((3, 4), dtype), np.arange(1, 6, dtype=dtype), 0)
    assert f"gradfade_test_linked_copy_{dtype}" in jit.assembly(call, dtype.name)
    assert "gradfade_test_linked_copy" not in jit.assembly(copy, dtype.name)


def test_a_second_process_finds_both_in_the_cache(tmp_path):
    counts = [first_call("plain", tmp_path).stdout.splitlines()[-1] for _ in range(2)]
    assert counts == ["(0, 2)", "(2, 0)"]


@pytest.mark.parametrize("moment", ["interrupted", "before"])
def test_an_interrupt_while_or_before_the_first_call_compiles_comes_after_a_right_result(tmp_path, moment):
    done = first_call(moment, tmp_path)
    assert done.stdout.splitlines()[0] == "interrupted", done.stderr
    assert done.returncode == 0, done.stderr


def test_an_error_while_the_first_call_compiles_ends_the_process(tmp_path):
    done = first_call("failing", tmp_path)
    assert done.returncode == 1
    assert "no compiler today" in done.stderr
    assert not done.stdout
