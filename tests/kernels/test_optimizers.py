import gc

import numpy as np
import pytest

from kernels import jit, reference
from kernels.optimizers import OPTIMIZERS


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (5, 13), (67,), (2, 3, 11)])
def test_steps_are_the_reference(rng, dtype, close, name, shape):
    params = [np.asarray(rng.standard_normal(shape), dtype), rng.standard_normal(3).astype(dtype)]
    grads = [np.empty_like(p) for p in params]
    start = [p.astype(np.float64) for p in params]
    step = OPTIMIZERS[name].make(params, grads, 0.01)
    history = [[], []]
    for _ in range(20):
        for g, past in zip(grads, history, strict=True):
            g[...] = rng.standard_normal(g.shape)
            past.append(g.astype(np.float64))
        step()
    for p, first, past in zip(params, start, history, strict=True):
        close(p, getattr(reference, name)(first, past, 0.01))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_threads_share_large_parameters(rng, dtype, name):
    """Steps on two threads are those on one, to the last bit; parameters of both dtypes may stand side by side."""
    shapes = [(400, 400), (17,), (0,), (3, 70_001)]
    start = [rng.standard_normal(shape).astype(dtype) for shape in shapes] + [np.ones(5, np.float32), np.ones(5)]
    grads = [rng.standard_normal(p.shape).astype(p.dtype) for p in start]
    results = []
    for threads in (1, 2):
        params = [p.copy() for p in start]
        jit.set_num_threads(threads)
        try:
            step = OPTIMIZERS[name].make(params, grads, 0.01)
            for _ in range(3):
                step()
        finally:
            jit.set_num_threads(1)
        results.append(params)
    for one, two, before in zip(*results, start, strict=True):
        np.testing.assert_array_equal(one, two)
        assert (one != before).any() or not one.size


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_parameters_may_begin_anywhere(rng, dtype, close, name):
    """Nothing is written beside them, and they may lie across cache lines."""
    memory, g = np.ones(1000, dtype), rng.standard_normal(990).astype(dtype)
    p = memory[3:993]
    OPTIMIZERS[name].make([p], [g], 0.01)()
    close(p, getattr(reference, name)(np.ones(990), [g.astype(np.float64)], 0.01))
    assert (memory[:3] == 1).all()
    assert (memory[993:] == 1).all()


def test_the_arrays_are_kept(dtype):
    """A step reaches them by their addresses, so they must outlive their other owners."""
    p = np.zeros(100_000, dtype)
    step = OPTIMIZERS["sgd"].make([p], [np.ones(100_000, dtype)], 1.0)
    gc.collect()
    others = [np.full(100_000, 7.0, dtype) for _ in range(8)]
    step()
    assert (p == -1).all()
    assert all((other == 7).all() for other in others)


def test_momentum_goes_on_when_the_gradient_ends(dtype):
    p, g = np.zeros(1, dtype), np.ones(1, dtype)
    step = OPTIMIZERS["momentum"].make([p], [g], 1.0)
    step()
    g[0] = 0
    step()
    assert p[0] == pytest.approx(-1.9)


def test_adamw_shrinks_weights_that_have_no_gradient(dtype):
    p = np.ones(3, dtype)
    OPTIMIZERS["adamw"].make([p], [np.zeros(3, dtype)], 0.1)()
    np.testing.assert_allclose(p, 1 - 0.1 * 0.01, rtol=1e-7)


def test_without_parameters_there_is_nothing_to_do():
    OPTIMIZERS["adam"].make([], [], 0.1)()


def test_sgd_descends_by_the_gradient():
    p, g = np.array([1.0, 2.0]), np.array([0.5, -4.0])
    OPTIMIZERS["sgd"].make([p], [g], 0.1)()
    np.testing.assert_allclose(p, [0.95, 2.4])


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_adams_first_step_is_the_learning_rate_whatever_the_gradients_size(scale):
    p, g = np.zeros(2), np.array([scale, -scale])
    OPTIMIZERS["adam"].make([p], [g], 0.1)()
    np.testing.assert_allclose(p, [-0.1, 0.1], rtol=0.011)  # epsilon 1e-8 counts where the gradient is 1e-6


def test_steps_of_several_optimizers_are_apart():
    """The count of steps and the moments belong to one make()."""
    results = []
    for _ in range(2):
        p = np.zeros(1)
        step = OPTIMIZERS["adam"].make([p], [np.ones(1)], 0.1)
        step()
        step()
        results.append(p[0])
    assert results[0] == results[1]


def test_a_step_allocates_nothing(dtype, peak_bytes):
    for row in OPTIMIZERS.values():
        p, g = np.zeros((100, 1000), dtype), np.ones((100, 1000), dtype)
        assert peak_bytes(row.make([p], [g], 0.1)) < 2000


def test_wrong_arguments_are_named():
    make = OPTIMIZERS["adam"].make
    p = np.zeros(3)
    with pytest.raises(ValueError, match="grads must be as many as params, got 0 for 1"):
        make([p], [], 0.1)
    with pytest.raises(ValueError, match=r"grads\[0\] must have shape \(3\), got \(4,\)"):
        make([p], [np.zeros(4)], 0.1)
    with pytest.raises(TypeError, match=r"grads\[0\] must be float64, got float32"):
        make([p], [np.zeros(3, np.float32)], 0.1)
    with pytest.raises(ValueError, match=r"params\[0\] must not share memory with grads\[0\]"):
        make([p], [p], 0.1)
    with pytest.raises(ValueError, match=r"params\[0\] must not share memory with params\[1\]"):
        make([p, p[1:]], [np.zeros(3), np.zeros(2)], 0.1)
    with pytest.raises(ValueError, match=r"params\[0\] must not share memory with grads\[1\]"):
        make([p, np.zeros(3, np.float32)], [np.zeros(3), p.view(np.float32)[:3]], 0.1)
    for rate in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="learning_rate must be finite and not negative"):
            make([p], [np.zeros(3)], rate)
    p.flags.writeable = False
    with pytest.raises(ValueError, match=r"params\[0\] is read-only"):
        make([p], [np.zeros(3)], 0.1)
