"""Sealed kernels: compiled by declare alone, also where threads ask for them at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from kernels import passes
from kernels.jit import kernel
from kernels.loops import ALL_IF_SMALL


def doubling(name):
    @kernel(name=name, sealed=True)
    def loop(y, x, a, part, parts):
        for i in range(x.size):
            y[i] = x[i] + x[i]
        return True

    return loop


def test_types_that_are_not_declared_are_refused():
    loop = doubling("doubling_refuses")
    passes.compiled(lambda: loop, (), ((np.dtype(np.float32), 1),) * 2, 1)
    whole = np.ones(4, np.int32)
    with pytest.raises(TypeError):
        loop(whole, whole, 0.0, 0, ALL_IF_SMALL)
    assert (whole == 1).all()


def test_first_calls_from_several_threads_at_once():
    loop = doubling("doubling_at_once")
    start = Barrier(4)

    def right(dtype):
        x, y = np.ones(4, dtype), np.zeros(4, dtype)
        start.wait()
        assert passes.run(lambda streams: loop, (), (y,), (x,), 0.0)
        return y

    def wrong():
        whole = np.ones(4, np.int32)
        start.wait()
        while True:
            with pytest.raises(TypeError):
                loop(whole, whole, 0.0, 0, ALL_IF_SMALL)
            if len(loop.overloads) == 2:
                return

    with ThreadPoolExecutor(4) as pool:
        mistakes = pool.submit(wrong)
        rights = [pool.submit(right, dtype) for dtype in (np.float32, np.float32, np.float64)]
        results = [future.result() for future in rights]
    assert all((y == 2).all() for y in results)
    mistakes.result()
    assert {str(signature[0].dtype) for signature in loop.signatures} == {"float32", "float64"}


def test_what_is_compiled_runs_while_another_dtype_is_being_compiled():
    loop = doubling("doubling_meanwhile")
    x, y = np.ones(4, np.float32), np.zeros(4, np.float32)
    other = np.ones(4), np.zeros(4)

    def factory(streams):
        return loop

    passes.run(factory, (), (y,), (x,), 0.0)
    with ThreadPoolExecutor(1) as pool:
        compiling = pool.submit(passes.run, factory, (), other[1:], other[:1], 0.0)
        while not compiling.done():
            assert loop(y, x, 0.0, 0, ALL_IF_SMALL)
        assert compiling.result()
