"""Layers, losses and optimisers against PyTorch: outputs and all gradients, float64 and float32."""

import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.dense import dense_activation
from kernels.initializers import INITIALIZERS
from kernels.layer import chain, parameters, repeat
from kernels.loss import mse, softmax_cross_entropy
from kernels.optimizers import OPTIMIZERS

torch = pytest.importorskip("torch", reason="PyTorch is not installed: tox -e peers has it")
F = torch.nn.functional

PEERS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "celu": F.celu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "swish": F.silu,
    "mish": F.mish,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "hardtanh": F.hardtanh,
    "hardsigmoid": lambda x: F.relu6(x + 3.0) / 6.0,  # F.hardsigmoid's slope is float32's 1/6, in float64 too
    "hardswish": F.hardswish,
    "relu6": F.relu6,
    "erf": torch.erf,
    "identity": lambda x: x,
}
RELATIVE = {"float64": 1e-10, "float32": 2e-5}


def network(name, widths):
    initializer = INITIALIZERS["framework_default"]
    return chain(*[dense_activation(ACTIVATIONS[name], initializer, width) for width in widths])


def twins(state):
    """A leaf tensor for each parameter."""
    return {path: torch.tensor(p, requires_grad=True) for path, p, _ in parameters(state)}


def assert_close(name, result, expected, relative):
    """Largest difference over the largest number: gradients of one array share a scale."""
    expected = expected.detach().numpy()
    assert np.abs(result - expected).max() <= relative * np.abs(expected).max(), name


@pytest.mark.parametrize("kind", RELATIVE)
@pytest.mark.parametrize("name", [*PEERS, "prelu"])
def test_ten_layers(name, kind):
    rng = np.random.default_rng(3)
    widths = [33, 64, 40, 7, 20, 32, 65, 31, 16, 10]
    layer = network(name, widths)
    state = layer.init(rng, (19, 21), np.dtype(kind))
    x, dy = rng.standard_normal((19, 21)).astype(kind), rng.standard_normal((19, 10)).astype(kind)
    tensors, x_twin = twins(state), torch.tensor(x, requires_grad=True)
    h = x_twin
    for i in range(len(widths)):
        z = h @ tensors[f"{i}.W"] + tensors[f"{i}.b"]
        h = torch.where(z > 0, z, tensors[f"{i}.a"] * z) if name == "prelu" else PEERS[name](z)
    h.backward(torch.tensor(dy))
    y, dx = layer.forward(state, x), layer.backward(state, dy)
    assert_close("y", y, h, RELATIVE[kind])
    assert_close("x", dx, x_twin.grad, RELATIVE[kind])
    for path, _, gradient in parameters(state):
        assert_close(path, gradient, tensors[path].grad, RELATIVE[kind])


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_fifty_training_steps_follow_pytorch(name, loss):
    rng = np.random.default_rng(5)
    layer = chain(repeat(network("tanh", [24]), 3), network("identity", [6]))
    state = layer.init(rng, (40, 24), np.dtype(np.float64))
    x, labels, target = rng.standard_normal((40, 24)), rng.integers(0, 6, 40), rng.standard_normal((40, 6))
    walked, tensors = list(parameters(state)), twins(state)
    step = OPTIMIZERS[name].make([p for _, p, _ in walked], [g for _, _, g in walked], 0.05)
    peer = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[name](tensors.values(), lr=0.05)
    dy, flat = np.empty((40, 6)), list(tensors.values())
    for _ in range(50):
        y = layer.forward(state, x)
        ours = softmax_cross_entropy(dy, y, labels) if loss == "cross_entropy" else mse(dy, y, target)
        layer.backward(state, dy)
        step()
        h = torch.tensor(x)
        for W, b in zip(flat[:-2:2], flat[1:-2:2], strict=True):
            h = torch.tanh(h @ W + b)
        h = h @ flat[-2] + flat[-1]
        theirs = (
            F.cross_entropy(h, torch.tensor(labels)) if loss == "cross_entropy" else F.mse_loss(h, torch.tensor(target))
        )
        peer.zero_grad()
        theirs.backward()
        peer.step()
        assert ours == pytest.approx(theirs.item(), rel=1e-8)
