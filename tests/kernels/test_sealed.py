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
    passes.compiled(lambda: loop, (), np.dtype(np.float32), 1, 1, False)
    whole = np.ones(4, np.int32)
    with pytest.raises(TypeError):
        loop(whole, whole, 0.0, 0, ALL_IF_SMALL)
    assert (whole == 1).all()


def test_first_calls_from_several_threads_at_once():
    loop = doubling("doubling_at_once")
    start = Barrier(4)

    def right():
        x, y = np.ones(4, np.float32), np.zeros(4, np.float32)
        start.wait()
        assert passes.run(lambda: loop, (), (y,), (x,), 0.0)
        return y

    def wrong():
        whole, refused = np.ones(4, np.int32), 0
        start.wait()
        while len(loop.overloads) == 0:
            with pytest.raises(TypeError):
                loop(whole, whole, 0.0, 0, ALL_IF_SMALL)
            refused += 1
        return refused

    with ThreadPoolExecutor(4) as pool:
        mistakes = pool.submit(wrong)
        results = [future.result() for future in [pool.submit(right) for _ in range(3)]]
    assert all((y == 2).all() for y in results)
    assert mistakes.result() > 0
    assert all(signature[0].dtype.bitwidth == 32 and "float" in str(signature[0]) for signature in loop.signatures)
