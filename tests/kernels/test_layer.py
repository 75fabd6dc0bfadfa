import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.dense import dense_activation
from kernels.gru import gru
from kernels.initializers import INITIALIZERS
from kernels.layer import chain, copy_weights, empty, parameters, repeat, residual, saved_bytes, set_training
from kernels.loss import softmax_cross_entropy
from kernels.optimizers import OPTIMIZERS
from kernels.rnn import rnn

DOUBLE = np.dtype(np.float64)


def dense(name, fan_out):
    return dense_activation(ACTIVATIONS[name], INITIALIZERS["xavier_normal"], fan_out)


@pytest.fixture
def network():
    return chain(repeat(dense("prelu", 6), 2), residual(dense("gelu", 6), 0.5), dense("identity", 3))


def test_gradients_of_a_network_are_finite_differences(rng, check_gradient, network):
    state = network.init(rng, (7, 4), DOUBLE)
    x, u = rng.standard_normal((7, 4)), rng.standard_normal((7, 3))
    network.forward(state, x)
    dx = network.backward(state, u)
    check_gradient(lambda: np.sum(network.forward(state, x) * u), [*parameters(state), ("x", x, dx)])


def test_every_position_has_its_gradient(rng, check_gradient):
    """children[l].saved["dx"] is the gradient at position l: cutting the network there gives the same."""
    network = repeat(dense("tanh", 5), 4)
    state = network.init(rng, (3, 5), DOUBLE)
    x, u = rng.standard_normal((3, 5)), rng.standard_normal((3, 5))
    network.forward(state, x)
    network.backward(state, u)
    layer = dense("tanh", 5)
    h = state.children[1].saved["y"].copy()

    def rest():
        y = h
        for child in state.children[2:]:
            y = layer.forward(child, y)
        return np.sum(y * u)

    check_gradient(rest, [("h", h, state.children[2].saved["dx"])])


def test_the_walk_names_every_parameter_once(rng, network):
    walked = list(parameters(network.init(rng, (7, 4), DOUBLE)))
    first = ["0.0.W", "0.0.b", "0.0.a", "0.1.W", "0.1.b", "0.1.a"]
    assert [path for path, _, _ in walked] == [*first, "1.0.W", "1.0.b", "2.W", "2.b"]
    assert all(p.shape == g.shape and p.dtype == g.dtype for _, p, g in walked)


def test_layers_of_a_repeat_have_parameters_of_their_own(rng):
    state = repeat(dense("tanh", 4), 2).init(rng, (2, 4), DOUBLE)
    first, second = (child.params["W"] for child in state.children)
    assert not np.array_equal(first, second)


def test_same_seed_same_network(dtype):
    states = [repeat(dense("tanh", 4), 3).init(np.random.default_rng(1), (2, 4), dtype) for _ in range(2)]
    for (_, a, _), (_, b, _) in zip(*map(parameters, states), strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_are_copied_to_a_network_of_another_batch(rng, network):
    state, other = network.init(rng, (7, 4), DOUBLE), network.init(rng, (2, 4), DOUBLE)
    state.children[1].buffers["mean"], other.children[1].buffers["mean"] = np.ones(3), np.zeros(3)
    copy_weights(other, state)
    for (_, mine, _), (_, theirs, _) in zip(parameters(other), parameters(state), strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert mine is not theirs
    np.testing.assert_array_equal(other.children[1].buffers["mean"], np.ones(3))


def test_every_layer_of_a_network_is_set_to_training_or_evaluating(rng, network):
    state = network.init(rng, (7, 4), DOUBLE)
    assert state.children[0].children[1].training
    set_training(state, False)
    assert not any(part.training for part in (state, state.children[0].children[1], state.children[1].children[0]))


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_residual_adds_its_input(rng, dtype, close, scale):
    layer = residual(dense("tanh", 4), scale)
    state = layer.init(rng, (3, 4), dtype)
    x, dy = rng.standard_normal((2, 3, 4)).astype(dtype)
    close(layer.forward(state, x), x + scale * state.children[0].saved["y"])
    close(layer.backward(state, dy), dy + state.children[0].saved["dx"])
    np.testing.assert_array_equal(state.children[0].saved["dy"], dtype.type(scale) * dy)
    with pytest.raises(ValueError, match=r"layer must keep the shape \(3, 5\), it makes \(3, 4\)"):
        layer.init(rng, (3, 5), dtype)


def test_a_training_step_allocates_nothing(rng, dtype, peak_bytes):
    layers = dense("prelu", 64), repeat(dense("tanh", 64), 2), residual(dense("gelu", 64)), dense("identity", 10)
    network = chain(*layers)
    state = network.init(rng, (256, 64), dtype)
    x, labels = rng.standard_normal((256, 64)).astype(dtype), rng.integers(0, 10, 256)
    walked = list(parameters(state))
    step = OPTIMIZERS["adam"].make([p for _, p, _ in walked], [g for _, _, g in walked], 1e-2)
    dlogits, losses = np.empty((256, 10), dtype), []

    def train():
        losses.append(softmax_cross_entropy(dlogits, network.forward(state, x), labels))
        network.backward(state, dlogits)
        step()

    assert peak_bytes(train) < 4000  # the smallest activation has 10 kB
    for _ in range(20):
        train()
    assert losses[-1] < losses[0] / 2


def test_a_recurrent_step_allocates_nothing(rng, dtype, peak_bytes):
    layer = rnn(ACTIVATIONS["prelu"], INITIALIZERS["xavier_normal"], 32)
    state = layer.init(rng, (20, 8, 16), dtype)
    x, dy = rng.standard_normal((20, 8, 16)).astype(dtype), rng.standard_normal((20, 8, 32)).astype(dtype)
    assert peak_bytes(lambda: (layer.forward(state, x), layer.backward(state, dy))) < 4000


def test_an_array_that_was_good_is_checked_again(rng):
    """An array can change its shape between two calls."""
    layer = dense("tanh", 4)
    state = layer.init(rng, (2, 3), DOUBLE)
    x, dy = np.zeros((2, 3)), np.zeros((2, 4))
    layer.forward(state, x)
    layer.backward(state, dy)
    x.resize((1, 3), refcheck=False)
    with pytest.raises(ValueError, match=r"x must have shape \(2, 3\), got \(1, 3\)"):
        layer.forward(state, x)
    dy.resize((1, 4), refcheck=False)
    with pytest.raises(ValueError, match=r"dy must have shape \(2, 4\), got \(1, 4\)"):
        layer.backward(state, dy)


def test_saved_bytes_count_each_memory_once(rng):
    network = repeat(dense("tanh", 4), 2)
    state = network.init(rng, (3, 4), DOUBLE)
    per_layer = 2 * 3 * 4 * 8 + 4 * 8  # y and z, and the activation's parameter
    assert saved_bytes(state) == 2 * per_layer
    network.forward(state, np.zeros((3, 4)))
    assert saved_bytes(state) == 2 * per_layer + 3 * 4 * 8  # and x
    recurrent = rnn(ACTIVATIONS["tanh"], INITIALIZERS["xavier_normal"], 4).init(rng, (5, 3, 2), DOUBLE)
    assert saved_bytes(recurrent) == (6 + 5) * 3 * 4 * 8 + 4 * 8  # h, of which y is a view, and z
    gated = gru(ACTIVATIONS["tanh"], INITIALIZERS["xavier_normal"], 4).init(rng, (5, 3, 2), DOUBLE)
    assert saved_bytes(gated) == (6 + 4 * 5) * 3 * 4 * 8 + 4 * 8  # h, the gates and q


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"shape must not have a negative size, got \(-3, 4\)"):
        empty((-3, 4), DOUBLE)
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        repeat(dense("tanh", 4), 0)
    with pytest.raises(ValueError, match="layers must not be empty"):
        chain()
