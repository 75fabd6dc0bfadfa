"""What forward passes leave. Effective rank: against NumPy's singular values, and what is known."""

import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES
from kernels.initializers import INITIALIZERS
from kernels.layer import activations
from suites.activity import activity, effective_ranks


def effective_rank(x):
    return effective_ranks([x.reshape(-1, x.shape[-1])]).pop()


def entropy_of_singular_values(x):
    singular = np.linalg.svd(x.reshape(-1, x.shape[-1]).astype(np.float64), compute_uv=False)
    shares = singular / singular.sum()
    shares = shares[shares > 0]
    return np.exp(-np.sum(shares * np.log(shares)))


@pytest.mark.parametrize("shape", [(5, 12), (12, 5), (3, 4, 7), (1, 6), (6, 1), (1, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_against_singular_values(shape, dtype):
    x = np.random.default_rng(1).standard_normal(shape).astype(dtype)
    assert effective_rank(x) == pytest.approx(entropy_of_singular_values(x), rel=1e-9)


@pytest.mark.parametrize("scale", [1e-40, 1e-300, 1e300])
def test_it_knows_no_scale(scale):
    x = np.random.default_rng(2).standard_normal((7, 9))
    assert effective_rank(x * scale) == pytest.approx(effective_rank(x), rel=1e-9)


def test_known_ranks():
    assert effective_rank(np.eye(6)) == pytest.approx(6)
    assert effective_rank(np.diag([1.0, 1.0, 0.0])) == pytest.approx(2)
    assert effective_rank(np.outer(np.arange(1, 9), np.arange(1, 33)).astype(np.float32)) == pytest.approx(1, abs=1e-4)
    assert effective_rank(np.diag([2.0, 1.0])) == pytest.approx(np.exp(np.log(3) - 2 / 3 * np.log(2)))


@pytest.mark.parametrize("x", [np.zeros((3, 4)), np.full((2, 2), np.inf), np.array([[1.0, np.nan]])])
def test_it_is_nan_where_it_has_no_meaning(x):
    assert np.isnan(effective_rank(x))


def test_several_at_once_are_each_by_itself():
    x = np.random.default_rng(3).standard_normal((4, 7, 9))
    x[1], x[2, 0, 0] = 0.0, np.nan
    expected = [effective_rank(each) for each in x]
    assert effective_ranks(x) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("architecture", ["plain", "residual", "transformer_post"])
def test_of_each_block_by_numpy(architecture, monkeypatch):
    """Chunks that end within the network, blocks with a linear layer beside the activation."""
    monkeypatch.setattr("suites.activity.CHUNK", 2)
    row, tanh = ARCHITECTURES[architecture], ACTIVATIONS["tanh"]
    network = row.build(tanh, INITIALIZERS["saturating"], 8, 5)
    shape = (3, 2, 8) if "time" in row.kinds else (6, 8)
    state = network.init(np.random.default_rng(0), shape, np.dtype(np.float32))
    x = np.random.default_rng(1).standard_normal(shape, np.float32)
    network.forward(state, x)
    found = activity(tanh, network.layers, state.children, x)
    outputs = [x, *(child.saved["y"] for child in state.children)]
    assert found.variances == pytest.approx([np.var(y.astype(float)) for y in outputs], rel=1e-6)
    assert found.ranks == pytest.approx([entropy_of_singular_values(y) for y in outputs], rel=1e-4)
    pre_activations = [
        inner.saved["z"].astype(float).reshape(6, -1)
        for layer, child in zip(network.layers, state.children, strict=True)
        for applied, inner in activations(layer, child)
        if applied is tanh
    ]
    decays = [np.exp(-2 * np.abs(z)) for z in pre_activations]
    slopes = [4 * decay / (1 + decay) ** 2 for decay in decays]
    assert found.saturated == pytest.approx([np.mean(slope < 0.1) for slope in slopes])
    assert found.dead == [np.mean((slope.astype(np.float32) == 0).all(axis=0)) for slope in slopes]
    assert max(found.saturated) > 0
    assert found.smallest == pytest.approx(min(slope.min() for slope in slopes), rel=1e-3, abs=1e-44)
