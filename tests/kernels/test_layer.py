import numpy as np
import pytest

from kernels.activate import activate
from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES
from kernels.attention import attention
from kernels.batch_norm import batch_norm
from kernels.dense import dense_activation
from kernels.gru import gru
from kernels.initializers import INITIALIZERS
from kernels.layer import chain, copy_weights, parameters, repeat, residual, saved_bytes, set_training
from kernels.layer_norm import layer_norm
from kernels.loss import softmax_cross_entropy
from kernels.lstm import lstm
from kernels.optimizers import OPTIMIZERS
from kernels.rms_norm import rms_norm
from kernels.rnn import rnn
from kernels.sequences import as_sequence, last_step
from kernels.transformer import pre_norm_block

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


TANH, DEFAULT = ACTIVATIONS["tanh"], INITIALIZERS["framework_default"]
LAYERS = {
    "dense": (dense("tanh", 6), (5, 4)),
    "activation": (activate(TANH), (5, 4)),
    "chain": (chain(dense("relu", 3), dense("tanh", 2)), (5, 4)),
    "residual": (residual(dense("tanh", 4), 0.5), (5, 4)),
    "batch_norm": (batch_norm(), (5, 4)),
    "layer_norm": (layer_norm(), (5, 4)),
    "rms_norm": (rms_norm(), (5, 4)),
    "rnn": (rnn(TANH, DEFAULT, 6), (3, 5, 4)),
    "lstm": (lstm(TANH, DEFAULT, 6), (3, 5, 4)),
    "gru": (gru(TANH, DEFAULT, 6), (3, 5, 4)),
    "attention": (attention(DEFAULT, 2), (3, 5, 4)),
    "as_sequence": (as_sequence(2), (5, 4)),
    "last_step": (last_step(), (3, 5, 4)),
    "transformer": (pre_norm_block(TANH, DEFAULT, 4, 2), (3, 5, 4)),
}
every_layer = pytest.mark.parametrize(("layer", "shape"), LAYERS.values(), ids=LAYERS)


@every_layer
def test_every_layer_says_what_is_wrong_with_its_input(rng, layer, shape):
    for dtype in (np.float16, np.int64, "complex128", None):
        with pytest.raises(TypeError, match="dtype must be float32 or float64, got "):
            layer.init(rng, shape, dtype)
    for wrong in (list(shape), 5, tuple(map(float, shape)), None):
        with pytest.raises(TypeError, match="shape must be a tuple of whole numbers, got "):
            layer.init(rng, wrong, DOUBLE)
    for wrong in ((-1, *shape[1:]), (*shape[:-1], -4)):
        with pytest.raises(ValueError, match="shape must not have a negative size, got "):
            layer.init(rng, wrong, DOUBLE)
    with pytest.raises(ValueError, match="shape must have features along its last axis, got "):
        layer.init(rng, (*shape[:-1], 0), DOUBLE)
    with pytest.raises(TypeError, match=r"rng must be a numpy\.random\.Generator, got 0"):
        layer.init(0, shape, DOUBLE)
    state = layer.init(rng, shape, np.float32)
    for wrong, error, message in (
        (np.zeros(shape), TypeError, "x must be float32, got float64"),
        (np.zeros((*shape, 2), np.float32), ValueError, "x must have shape"),
        (np.zeros(shape, np.float32).tolist(), TypeError, "x must be a numpy.ndarray, got list"),
    ):
        with pytest.raises(error, match=message):
            layer.forward(state, wrong)


@every_layer
def test_backward_comes_after_forward(rng, layer, shape):
    state = layer.init(rng, shape, DOUBLE)
    dy = np.ones_like(state.saved["y"])
    with pytest.raises(RuntimeError, match="backward needs what forward keeps, which has not been called with this"):
        layer.backward(state, dy)
    layer.forward(state, rng.standard_normal(shape))
    assert layer.backward(state, dy).shape == shape


def test_rows_are_not_their_names():
    for build in (
        lambda activation, initializer: dense_activation(activation, initializer, 4),
        lambda activation, initializer: ARCHITECTURES["plain"].build(activation, initializer, 4, 2),
        lambda activation, initializer: ARCHITECTURES["gru"].build(activation, initializer, 4),
    ):
        with pytest.raises(TypeError, match=r"^activation must be a row of ACTIVATIONS, got str$"):
            build("relu", DEFAULT)
        with pytest.raises(TypeError, match=r"^initializer must be a row of INITIALIZERS, got function$"):
            build(TANH, lambda shape: 0)
    with pytest.raises(TypeError, match=r"^activation must be a row of ACTIVATIONS, got Initializer$"):
        activate(DEFAULT)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        repeat(dense("tanh", 4), 0)
    with pytest.raises(TypeError, match=r"n must be a whole number, got 2\.0"):
        repeat(dense("tanh", 4), 2.0)
    with pytest.raises(TypeError, match="fan_out must be a whole number, got '4'"):
        dense("tanh", "4")
    with pytest.raises(ValueError, match="layers must not be empty"):
        chain()
    with pytest.raises(TypeError, match="layers must be Layers, one after another, got list"):
        chain([dense("tanh", 4), dense("tanh", 4)])
