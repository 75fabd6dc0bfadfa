"""LSTM and GRU against PyTorch: outputs and all gradients, from gradients at every step and at the last states."""

import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.gru import gru
from kernels.initializers import INITIALIZERS
from kernels.lstm import lstm

torch = pytest.importorskip("torch", reason="PyTorch is not installed: tox -e peers has it")

RELATIVE = {"float64": 1e-10, "float32": 2e-5}
DEFAULT = INITIALIZERS["framework_default"]
SHAPES = [(1, 1, 1, 1), (20, 3, 5, 7), (1, 4, 3, 33), (30, 1, 64, 64), (9, 32, 16, 64), (50, 17, 10, 20)]


@pytest.fixture(params=RELATIVE)
def kind(request):
    """A dtype's name."""
    return request.param


def assert_close(pairs, kind):
    """Largest difference over the largest number: gradients of one array share a scale."""
    for name, (result, expected) in pairs.items():
        expected = expected.detach().numpy()
        assert result.dtype == expected.dtype == kind
        assert np.abs(result - expected).max() <= RELATIVE[kind] * np.abs(expected).max(), name


def twin(array):
    """A leaf tensor with the numbers of an array."""
    return torch.tensor(array, requires_grad=True)


def layer_and_state(make, activation, kind, shape, hidden):
    """A layer, its state with random initial states, x and dy."""
    rng = np.random.default_rng(6)
    layer = make(ACTIVATIONS[activation], DEFAULT, hidden)
    state = layer.init(rng, shape, np.dtype(kind))
    for name in ("h", "c"):
        if name in state.saved:
            state.saved[name][0] = rng.standard_normal((shape[1], hidden))
    x, dy = rng.standard_normal(shape).astype(kind), rng.standard_normal((*shape[:2], hidden)).astype(kind)
    return layer, state, x, dy


@pytest.mark.parametrize(("T", "N", "inputs", "hidden"), SHAPES)
def test_lstm(T, N, inputs, hidden, kind):
    layer, state, x, dy = layer_and_state(lstm, "tanh", kind, (T, N, inputs), hidden)
    params, grads, saved = state.params, state.grads, state.saved
    saved["dc_last"][:] = np.random.default_rng(7).standard_normal((N, hidden))
    peer = torch.nn.LSTM(inputs, hidden, dtype=getattr(torch, kind))
    with torch.no_grad():
        peer.weight_ih_l0[:] = torch.tensor(params["Wx"].T)
        peer.weight_hh_l0[:] = torch.tensor(params["Wh"].T)
        peer.bias_ih_l0[:] = torch.tensor(params["b"])
        peer.bias_hh_l0.zero_()
    x_twin, h0, c0 = twin(x), twin(saved["h"][:1]), twin(saved["c"][:1])
    y_twin, (h_last, c_last) = peer(x_twin, (h0, c0))
    dh_last = np.random.default_rng(8).standard_normal((N, hidden)).astype(kind)
    injected = torch.tensor(dy), torch.tensor(dh_last[None]), torch.tensor(saved["dc_last"][None])
    torch.autograd.backward([y_twin, h_last, c_last], injected)
    dy[-1] += dh_last
    y, dx = layer.forward(state, x), layer.backward(state, dy)
    pairs = {
        "y": (y, y_twin),
        "c": (saved["c"][-1:], c_last),
        "dx": (dx, x_twin.grad),
        "dh0": (saved["dh"][:1], h0.grad),
        "dc0": (saved["dc"][:1], c0.grad),
        "dWx": (grads["Wx"], peer.weight_ih_l0.grad.T),
        "dWh": (grads["Wh"], peer.weight_hh_l0.grad.T),
        "db": (grads["b"], peer.bias_ih_l0.grad),
    }
    assert_close(pairs, kind)


@pytest.mark.parametrize(("T", "N", "inputs", "hidden"), SHAPES)
def test_gru(T, N, inputs, hidden, kind):
    layer, state, x, dy = layer_and_state(gru, "tanh", kind, (T, N, inputs), hidden)
    params, grads, saved = state.params, state.grads, state.saved
    peer = torch.nn.GRU(inputs, hidden, dtype=getattr(torch, kind))
    with torch.no_grad():
        peer.weight_ih_l0[:] = torch.tensor(params["Wx"].T)
        peer.weight_hh_l0[:] = torch.tensor(params["Wh"].T)
        peer.bias_ih_l0[:] = torch.tensor(params["b"])
        peer.bias_hh_l0.zero_()
        peer.bias_hh_l0[2 * hidden :] = torch.tensor(params["bh"])
    x_twin, h0 = twin(x), twin(saved["h"][:1])
    y_twin, h_last = peer(x_twin, h0)
    dh_last = np.random.default_rng(8).standard_normal((N, hidden)).astype(kind)
    torch.autograd.backward([y_twin, h_last], [torch.tensor(dy), torch.tensor(dh_last[None])])
    dy[-1] += dh_last
    y, dx = layer.forward(state, x), layer.backward(state, dy)
    pairs = {
        "y": (y, y_twin),
        "dx": (dx, x_twin.grad),
        "dh0": (saved["dh"][:1], h0.grad),
        "dWx": (grads["Wx"], peer.weight_ih_l0.grad.T),
        "dWh": (grads["Wh"], peer.weight_hh_l0.grad.T),
        "db": (grads["b"], peer.bias_ih_l0.grad),
        "dbh": (grads["bh"], peer.bias_hh_l0.grad[2 * hidden :]),
    }
    assert_close(pairs, kind)


def lstm_loop(act, x, h, c, params):
    """y, by the formulas, step by step."""
    y = []
    for x_t in x:
        i, f, g, o = (x_t @ params["Wx"] + h @ params["Wh"] + params["b"]).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * act(g)
        h = torch.sigmoid(o) * act(c)
        y.append(h)
    return torch.stack(y)


def gru_loop(act, x, h, c, params):
    """y, by the formulas, step by step."""
    y = []
    for x_t in x:
        xr, xz, xn = (x_t @ params["Wx"] + params["b"]).chunk(3, dim=1)
        hr, hz, hn = (h @ params["Wh"]).chunk(3, dim=1)
        r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
        h = (1 - z) * act(xn + r * (hn + params["bh"])) + z * h
        y.append(h)
    return torch.stack(y)


@pytest.mark.parametrize("name", ["relu", "gelu", "prelu"])
@pytest.mark.parametrize(("make", "loop"), [(lstm, lstm_loop), (gru, gru_loop)], ids=["lstm", "gru"])
def test_other_activations(make, loop, name, kind):
    layer, state, x, dy = layer_and_state(make, name, kind, (12, 3, 5), 18)
    params, x_twin = {key: twin(p) for key, p in state.params.items()}, twin(x)
    functions = {
        "relu": torch.relu,
        "gelu": torch.nn.functional.gelu,
        "prelu": lambda z: torch.where(z > 0, z, params["a"] * z),
    }
    initial = {key: twin(state.saved[key][0]) for key in ("h", "c") if key in state.saved}
    y_twin = loop(functions[name], x_twin, initial["h"], initial.get("c"), params)
    y_twin.backward(torch.tensor(dy))
    y, dx = layer.forward(state, x), layer.backward(state, dy)
    pairs = {"y": (y, y_twin), "dx": (dx, x_twin.grad)}
    pairs |= {f"d{key}0": (state.saved[f"d{key}"][0], leaf.grad) for key, leaf in initial.items()}
    pairs |= {f"d{key}": (state.grads[key], leaf.grad) for key, leaf in params.items()}
    assert_close(pairs, kind)
