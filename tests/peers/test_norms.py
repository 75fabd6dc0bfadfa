"""Norms, softmax and losses against PyTorch: outputs, every gradient and running statistics."""

import numpy as np
import pytest

from kernels.batch_norm import batch_norm
from kernels.layer import parameters, set_training
from kernels.layer_norm import layer_norm
from kernels.loss import mse, softmax_cross_entropy
from kernels.rms_norm import rms_norm
from kernels.softmax import softmax_backward, softmax_forward

torch = pytest.importorskip("torch", reason="PyTorch is not installed: tox -e peers has it")
F = torch.nn.functional

RELATIVE = {"float64": 1e-10, "float32": 2e-5}
NORMS = {
    "layer_norm": (layer_norm(), lambda x, gamma, beta: F.layer_norm(x, x.shape[-1:], gamma, beta)),
    "rms_norm": (rms_norm(), lambda x, gamma: F.rms_norm(x, x.shape[-1:], gamma, 1e-5)),
}
SHAPES = [(1, 3), (3, 5), (7, 33), (2, 3, 17), (64, 256), (5, 8192)]


def assert_close(name, result, expected, kind):
    """Largest difference over the largest number: what one array holds shares a scale."""
    expected = expected.detach().numpy()
    assert np.abs(result - expected).max() <= RELATIVE[kind] * np.abs(expected).max(), name


def twin(array):
    """A leaf of the same numbers in float64."""
    return torch.tensor(array, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("kind", RELATIVE)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NORMS)
def test_norms_of_rows(name, shape, kind):
    rng = np.random.default_rng(6)
    layer, peer = NORMS[name]
    state = layer.init(rng, shape, np.dtype(kind))
    for array in state.params.values():
        array[:] = rng.standard_normal(array.shape)
    x, dy = (2 * rng.standard_normal((2, *shape)) + 1).astype(kind)
    twins = {path: twin(p) for path, p, _ in parameters(state)}
    x_twin = twin(x)
    expected = peer(x_twin, *twins.values())
    expected.backward(twin(dy))
    assert_close("y", layer.forward(state, x), expected, kind)
    assert_close("x", layer.backward(state, dy), x_twin.grad, kind)
    for path, _, gradient in parameters(state):
        assert_close(path, gradient, twins[path].grad, kind)


@pytest.mark.parametrize("kind", RELATIVE)
@pytest.mark.parametrize("shape", [(3, 1), (3, 5), (19, 33), (128, 256), (40, 1000)])
def test_batch_norm_over_several_batches_and_in_evaluation(shape, kind):
    rng = np.random.default_rng(7)
    layer = batch_norm()
    state = layer.init(rng, shape, np.dtype(kind))
    for array in state.params.values():
        array[:] = rng.standard_normal(array.shape)
    peer = torch.nn.BatchNorm1d(shape[1], dtype=torch.float64)
    with torch.no_grad():
        peer.weight[:], peer.bias[:] = (torch.tensor(array) for array in state.params.values())
    for training in (True, True, True, False, True):
        set_training(state, training)
        peer.train(training)
        x, dy = (2 * rng.standard_normal((2, *shape)) + 1).astype(kind)
        x_twin = twin(x)
        peer.zero_grad()
        expected = peer(x_twin)
        expected.backward(twin(dy))
        assert_close("y", layer.forward(state, x), expected, kind)
        assert_close("x", layer.backward(state, dy), x_twin.grad, kind)
        assert_close("gamma", state.grads["gamma"], peer.weight.grad, kind)
        assert_close("beta", state.grads["beta"], peer.bias.grad, kind)
        for name, array in state.buffers.items():
            assert_close(name, array, getattr(peer, name), kind)


@pytest.mark.parametrize("kind", RELATIVE)
@pytest.mark.parametrize("shape", SHAPES)
def test_softmax(shape, kind):
    rng = np.random.default_rng(8)
    x, dy = (3 * rng.standard_normal((2, *shape))).astype(kind)
    y, dx = np.full((2, *shape), np.nan, kind)
    softmax_forward(y, x)
    softmax_backward(dx, dy, y)
    x_twin = twin(x)
    expected = torch.softmax(x_twin, -1)
    expected.backward(twin(dy))
    assert_close("y", y, expected, kind)
    assert_close("x", dx, x_twin.grad, kind)


@pytest.mark.parametrize(
    "row", [[np.inf, 0, 1], [np.nan, 0, 1], [-np.inf] * 3, [-np.inf, 2, 2], [3e38, -3e38, 3e38], [0, -100, -104]]
)
def test_softmax_of_special_rows(row):
    x = np.array([row], np.float32)
    y = np.full_like(x, np.nan)
    softmax_forward(y, x)
    np.testing.assert_allclose(y, torch.softmax(torch.tensor(x), -1).numpy(), rtol=1e-6, atol=1e-44)


@pytest.mark.parametrize("kind", RELATIVE)
@pytest.mark.parametrize("shape", [(1, 1), (128, 10), (33, 65), (64, 1000)])
def test_losses(shape, kind):
    rng = np.random.default_rng(9)
    y, target = (3 * rng.standard_normal((2, *shape))).astype(kind)
    labels = rng.integers(0, shape[1], shape[0])
    dy = np.full(shape, np.nan, kind)
    for loss, peer in (
        (softmax_cross_entropy(dy, y, labels), lambda h: F.cross_entropy(h, torch.tensor(labels))),
        (mse(dy, y, target), lambda h: F.mse_loss(h, twin(target))),
    ):
        h = twin(y)
        expected = peer(h)
        expected.backward()
        assert loss == pytest.approx(expected.item(), rel=RELATIVE[kind], abs=1e-12)
    assert_close("dy", dy, h.grad, kind)
    softmax_cross_entropy(dy, y, labels)
    h = twin(y)
    F.cross_entropy(h, torch.tensor(labels)).backward()
    assert_close("dlogits", dy, h.grad, kind)
