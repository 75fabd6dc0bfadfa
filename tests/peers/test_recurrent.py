"""Recurrent layers against PyTorch: outputs, the gradient at every step, and all other gradients."""

import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.initializers import INITIALIZERS
from kernels.rnn import rnn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: tox -e peers has it")
F = torch.nn.functional

SHAPES = [(1, 1, 1, 1), (20, 3, 5, 7), (9, 32, 16, 64), (7, 1, 64, 65)]  # T, N, F, H
OTHERS = {"sigmoid": torch.sigmoid, "gelu": F.gelu, "elu": F.elu, "softplus": F.softplus, "swish": F.silu}
RELATIVE = {"float64": 1e-10, "float32": 2e-5}


def run(name, kind, T, N, inputs, hidden):
    """Ours after forward and backward: (state, x, dy)."""
    rng = np.random.default_rng(4)
    layer = rnn(ACTIVATIONS[name], INITIALIZERS["framework_default"], hidden)
    state = layer.init(rng, (T, N, inputs), np.dtype(kind))
    x, dy = rng.standard_normal((T, N, inputs)).astype(kind), rng.standard_normal((T, N, hidden)).astype(kind)
    state.saved["h"][0] = rng.standard_normal((N, hidden))
    layer.forward(state, x)
    layer.backward(state, dy)
    return state, x, dy


def assert_close(name, result, expected, kind):
    """Largest difference over the largest number: gradients of one array share a scale."""
    expected = expected.detach().numpy()
    assert np.abs(result - expected).max() <= RELATIVE[kind] * np.abs(expected).max(), name


@pytest.mark.parametrize("kind", RELATIVE)
@pytest.mark.parametrize("name", ["tanh", "relu"])
@pytest.mark.parametrize(("T", "N", "inputs", "hidden"), SHAPES)
def test_rnn(T, N, inputs, hidden, name, kind):
    state, x, dy = run(name, kind, T, N, inputs, hidden)
    params, grads, saved = state.params, state.grads, state.saved
    peer = torch.nn.RNN(inputs, hidden, nonlinearity=name, dtype=getattr(torch, kind))
    with torch.no_grad():
        peer.weight_ih_l0[:] = torch.tensor(params["Wx"].T)
        peer.weight_hh_l0[:] = torch.tensor(params["Wh"].T)
        peer.bias_ih_l0[:] = torch.tensor(params["b"])
        peer.bias_hh_l0.zero_()
    x_twin, h0 = torch.tensor(x, requires_grad=True), torch.tensor(saved["h"][:1].copy(), requires_grad=True)
    y_twin, _ = peer(x_twin, h0)
    y_twin.backward(torch.tensor(dy))
    assert_close("y", saved["y"], y_twin, kind)
    assert_close("x", saved["dx"], x_twin.grad, kind)
    assert_close("h0", saved["dh"][:1], h0.grad, kind)
    assert_close("Wx", grads["Wx"], peer.weight_ih_l0.grad.T, kind)
    assert_close("Wh", grads["Wh"], peer.weight_hh_l0.grad.T, kind)
    assert_close("b", grads["b"], peer.bias_ih_l0.grad, kind)


@pytest.mark.parametrize("kind", RELATIVE)
@pytest.mark.parametrize("name", OTHERS)
def test_rnn_of_any_activation_is_a_loop_of_autograd(name, kind):
    state, x, dy = run(name, kind, 20, 3, 5, 7)
    x_twin = torch.tensor(x, requires_grad=True)
    twins = {key: torch.tensor(value, requires_grad=True) for key, value in state.params.items()}
    h = [torch.tensor(state.saved["h"][0], requires_grad=True)]
    for row in x_twin:
        h.append(OTHERS[name](row @ twins["Wx"] + h[-1] @ twins["Wh"] + twins["b"]))
        h[-1].retain_grad()
    torch.stack(h[1:]).backward(torch.tensor(dy))
    assert_close("h", state.saved["h"], torch.stack(h), kind)
    assert_close("x", state.saved["dx"], x_twin.grad, kind)
    assert_close("dh", state.saved["dh"], torch.stack([state.grad for state in h]), kind)
    for key, twin in twins.items():
        assert_close(key, state.grads[key], twin.grad, kind)
