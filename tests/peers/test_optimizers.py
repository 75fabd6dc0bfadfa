"""Optimisers and clipping against PyTorch's."""

import numpy as np
import pytest

from kernels.clipping import clip_by_global_norm, clip_by_value
from kernels.optimizers import OPTIMIZERS

torch = pytest.importorskip("torch", reason="PyTorch is not installed: tox -e peers has it")

SHAPES = [(7,), (5, 13), (64, 33), ()]
PEERS = {
    "sgd": torch.optim.SGD,
    "momentum": lambda params, lr: torch.optim.SGD(params, lr=lr, momentum=0.9),
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


def test_every_optimizer_has_a_peer():
    assert set(PEERS) == set(OPTIMIZERS)


@pytest.mark.parametrize(("kind", "relative"), [("float64", 1e-8), ("float32", 1e-4)])
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fifty_steps(name, scale, kind, relative):
    rng = np.random.default_rng(1)
    params = [np.asarray(rng.standard_normal(shape), kind) for shape in SHAPES]
    grads, twins = [np.empty_like(p) for p in params], [torch.tensor(p, requires_grad=True) for p in params]
    rate = 0.01 if name not in ("sgd", "momentum") else 0.01 / scale
    step, peer = OPTIMIZERS[name].make(params, grads, rate), PEERS[name](twins, lr=rate)
    for _ in range(50):
        for g, twin in zip(grads, twins, strict=True):
            g[...] = scale * rng.standard_normal(g.shape)
            twin.grad = torch.tensor(g)
        step()
        peer.step()
    for p, twin in zip(params, twins, strict=True):
        np.testing.assert_allclose(p, twin.detach().numpy(), rtol=relative, atol=relative)


@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize("limit", [0.5, 5.0, 1e3])
def test_clipping(limit, kind):
    """PyTorch divides by norm + 1e-6."""
    rng = np.random.default_rng(2)
    grads = [np.asarray(rng.standard_normal(shape), kind) for shape in SHAPES]
    twins = [torch.tensor(np.zeros_like(g), requires_grad=True) for g in grads]
    for g, twin in zip(grads, twins, strict=True):
        twin.grad = torch.tensor(g)
    norm = clip_by_global_norm(grads, limit)
    assert norm == pytest.approx(torch.nn.utils.clip_grad_norm_(twins, limit).item(), rel=1e-6)
    for g, twin in zip(grads, twins, strict=True):
        np.testing.assert_allclose(g, twin.grad.numpy(), rtol=2e-6)
        twin.grad = torch.tensor(g)
    clip_by_value(grads, 0.01)
    torch.nn.utils.clip_grad_value_(twins, 0.01)
    for g, twin in zip(grads, twins, strict=True):
        np.testing.assert_array_equal(g, twin.grad.numpy())
