import os
import subprocess
import sys

import numpy as np

from kernels import jit
from kernels.linked import linked
from kernels.registers import copy_number, size_of

# Two kernels of their own in a process of their own: what these tests need is the first call.
PRODUCT = """
import os, signal, sys, time
import numpy as np
from kernels import jit, linked
from kernels.blas import matmul

declare = linked.declare
def interrupted(*arguments):
    linked.declare = declare
    os.kill(os.getpid(), signal.SIGINT)
    return declare(*arguments)
def failing(*arguments):
    raise ValueError("no compiler today")
linked.declare = {"interrupted": interrupted, "failing": failing, "plain": declare}[sys.argv[1]]

a = np.arange(12.0).reshape(3, 4)
out = np.empty((3, 3))
try:
    matmul(out, a, a, False, True)
    for _ in range(100 * (sys.argv[1] == "interrupted")):
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
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    return subprocess.run(
        [sys.executable, "-c", PRODUCT, way], env=environment, capture_output=True, text=True, check=False, timeout=120
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


def test_an_interrupt_while_the_first_call_compiles_comes_after_a_right_result(tmp_path):
    done = first_call("interrupted", tmp_path)
    assert done.stdout.splitlines()[0] == "interrupted", done.stderr
    assert done.returncode == 0, done.stderr


def test_an_error_while_the_first_call_compiles_ends_the_process(tmp_path):
    done = first_call("failing", tmp_path)
    assert done.returncode == 1
    assert "no compiler today" in done.stderr
    assert not done.stdout
