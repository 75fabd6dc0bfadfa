"""Every architecture against the same one in PyTorch: outputs, all gradients, and the losses of 50 training steps."""

import numpy as np
import pytest

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS, OPTIMIZERS
from kernels.layer import parameters
from kernels.loss import softmax_cross_entropy
from suites.training import DEPTH, MLP, STEPS, network

torch = pytest.importorskip("torch", reason="PyTorch is not installed: tox -e peers has it")
F = torch.nn.functional

HEADS = 4
DOUBLE = np.dtype(np.float64)


def dense(p, x, path, weight="W", bias="b"):
    return x @ p[path + weight] + p[path + bias]


def norm(p, x, path):
    return F.layer_norm(x, x.shape[-1:], p[path + "gamma"], p[path + "beta"])


def branch(p, x, path, f):
    return dense(p, f(dense(p, x, path + "0.")), path + "1.")


def attend(p, x, path):
    T, N, width = x.shape
    q, k, v = (
        dense(p, x, path, f"W{name}", f"b{name}").reshape(T, N, HEADS, width // HEADS).permute(1, 2, 0, 3)
        for name in "qkv"
    )
    h = F.scaled_dot_product_attention(q, k, v).permute(2, 0, 1, 3).reshape(T, N, width)
    return dense(p, h, path, "Wo", "bo")


def layernorm(p, x, path, f):
    return f(norm(p, dense(p, x, path + "0."), path + "1."))


def batchnorm(p, x, path, f):
    z = dense(p, x, path + "0.")
    return f(F.batch_norm(z, None, None, p[path + "1.gamma"], p[path + "1.beta"], training=True))


def post(p, x, path, f):
    x = norm(p, x + attend(p, x, path + "0.0."), path + "1.")
    return norm(p, x + branch(p, x, path + "2.0.", f), path + "3.")


def pre(p, x, path, f):
    x = x + attend(p, norm(p, x, path + "0.0.0."), path + "0.0.1.")
    return x + branch(p, norm(p, x, path + "1.0.0."), path + "1.0.1.", f)


BLOCKS = {
    "plain": lambda p, x, path, f: f(dense(p, x, path)),
    "residual": lambda p, x, path, f: x + branch(p, x, path + "0.", f),
    "residual_scaled": lambda p, x, path, f: x + branch(p, x, path + "0.", f) / DEPTH**0.5,
    "batchnorm": batchnorm,
    "layernorm": layernorm,
    "transformer_post": post,
    "transformer_pre": pre,
}


def rnn(p, z, h, c, f):
    return f(z + h @ p["Wh"]), c


def lstm(p, z, h, c, f):
    i, forget, g, o = (z + h @ p["Wh"]).chunk(4, dim=1)
    c = torch.sigmoid(forget) * c + torch.sigmoid(i) * f(g)
    return torch.sigmoid(o) * f(c), c


def gru(p, z, h, c, f):
    (r, update, new), (hr, hz, hn) = z.chunk(3, dim=1), (h @ p["Wh"]).chunk(3, dim=1)
    n = f(new + torch.sigmoid(r + hr) * (hn + p["bh"]))
    keep = torch.sigmoid(update + hz)
    return (1 - keep) * n + keep * h, c


CELLS = {"rnn": rnn, "lstm": lstm, "gru": gru}


def body(name, p, x, f):
    """The architecture itself, of parameters by their paths in it."""
    if name in BLOCKS:
        for i in range(DEPTH):
            x = BLOCKS[name](p, x, f"{i}.", f)
        return x
    h = c = x.new_zeros(x.shape[1], p["Wh"].shape[0])
    states = []
    for row in x:
        h, c = CELLS[name](p, row @ p["Wx"] + p["b"], h, c, f)
        states.append(h)
    return torch.stack(states)


def twins(state):
    """A leaf tensor for each parameter, by its path."""
    return {path: torch.tensor(p, requires_grad=True) for path, p, _ in parameters(state)}


def below(tensors, path):
    return {name.removeprefix(path): tensor for name, tensor in tensors.items() if name.startswith(path)}


def test_every_architecture_has_a_peer():
    assert set(BLOCKS) | set(CELLS) == set(ARCHITECTURES)


def assert_close(name, result, expected, relative, scale=None):
    expected = expected.detach().numpy()
    scale = np.abs(expected).max() if scale is None else scale
    assert np.abs(result - expected).max() <= relative * scale, name


@pytest.mark.parametrize(("kind", "relative"), [("float64", 1e-10), ("float32", 1e-4)])
@pytest.mark.parametrize(("rows", "steps"), [(7, 5), (3, 1)])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_outputs_and_all_gradients(name, rows, steps, kind, relative):
    rng, row = np.random.default_rng(3), ARCHITECTURES[name]
    layer = row.build(
        ACTIVATIONS["gelu"], INITIALIZERS["framework_default"], 20, DEPTH if "depth" in row.kinds else None
    )
    width = 20 if "depth" in row.kinds else 6
    shape = (steps, rows, width) if "time" in row.kinds else (rows, width)
    state = layer.init(rng, shape, np.dtype(kind))
    for _, p, _ in parameters(state):  # gains and shifts too
        p += 0.1 * rng.standard_normal(p.shape).astype(kind)
    x = rng.standard_normal(shape).astype(kind)
    tensors, x_twin = twins(state), torch.tensor(x, requires_grad=True)
    y_twin = body(name, tensors, x_twin, F.gelu)
    dy = rng.standard_normal(y_twin.shape).astype(kind)
    y_twin.backward(torch.tensor(dy))
    y, dx = layer.forward(state, x), layer.backward(state, dy)
    assert_close("y", y, y_twin, relative)
    assert_close("x", dx, x_twin.grad, relative)
    # some are 0, as of a bias before BatchNorm: rounding is measured by the largest of all
    largest = max(float(tensor.grad.abs().max()) for tensor in tensors.values())
    for path, _, gradient in parameters(state):
        assert_close(path, gradient, tensors[path].grad, relative, largest)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_fifty_training_steps_follow_pytorch(name):
    """A network on batches of 16 examples of 64 features, from the same weights, with Adam: the losses."""
    rng, row = np.random.default_rng(5), ARCHITECTURES[name]
    model = network(ACTIVATIONS["tanh"], INITIALIZERS["xavier_uniform"], 10, name)
    state = model.init(rng, (16, 64), DOUBLE)
    walked, tensors = list(parameters(state)), twins(state)
    step = OPTIMIZERS["adam"].make([p for _, p, _ in walked], [g for _, _, g in walked], 1e-3)
    peer = torch.optim.Adam(tensors.values(), lr=1e-3)
    sequence, embedded = "time" in row.kinds, "depth" in row.kinds
    first = int(sequence)
    place = first + int(embedded)
    head = place + 1 + int(sequence)
    dlogits = np.empty((16, 10))
    for _ in range(50):
        x, labels = rng.standard_normal((16, 64)), rng.integers(0, 10, 16)
        ours = softmax_cross_entropy(dlogits, model.forward(state, x), labels)
        model.backward(state, dlogits)
        step()
        h = torch.tensor(x)
        h = h.reshape(16, STEPS, -1).transpose(0, 1) if sequence else h
        h = dense(tensors, h, f"{first}.") if embedded else h
        h = body(name, below(tensors, f"{place}."), h, torch.tanh)
        logits = dense(tensors, h[-1] if sequence else h, f"{head}.")
        theirs = F.cross_entropy(logits, torch.tensor(labels))
        peer.zero_grad()
        theirs.backward()
        peer.step()
        assert ours == pytest.approx(theirs.item(), rel=1e-8)


def test_the_plain_network_of_the_training_experiment():
    rng = np.random.default_rng(6)
    model = network(ACTIVATIONS["relu"], INITIALIZERS["he_normal"], 10, MLP)
    state, x = model.init(rng, (5, 64), DOUBLE), rng.standard_normal((5, 64))
    tensors = twins(state)
    h = body("plain", tensors, torch.tensor(x), torch.relu)
    assert_close("logits", model.forward(state, x), dense(tensors, h, f"{DEPTH}."), 1e-12)
