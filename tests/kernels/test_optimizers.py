import numpy as np
import pytest

from kernels import reference
from kernels.optimizers import OPTIMIZERS


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("shape", [(0,), (1,), (5, 13), (67,)])
def test_steps_are_the_reference(rng, dtype, close, name, shape):
    params = [rng.standard_normal(shape).astype(dtype), rng.standard_normal(3).astype(dtype)]
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
    for rate in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="learning_rate must be finite and not negative"):
            make([p], [np.zeros(3)], rate)
    p.flags.writeable = False
    with pytest.raises(ValueError, match=r"params\[0\] is read-only"):
        make([p], [np.zeros(3)], 0.1)
