import numpy as np
import pytest

import kernels
from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS, OPTIMIZERS
from kernels.clipping import clip_by_global_norm
from kernels.layer import activations, chain, parameters, saved_bytes, set_training
from kernels.loss import softmax_cross_entropy

XAVIER = INITIALIZERS["xavier_normal"]
DOUBLE = np.dtype(np.float64)
DEPTH = [name for name, row in ARCHITECTURES.items() if "depth" in row.kinds]
CELLS = [name for name in ARCHITECTURES if name not in DEPTH]
SEQUENCES = [name for name, row in ARCHITECTURES.items() if "time" in row.kinds]


def built(name, activation="tanh", initializer=XAVIER, width=8, depth=3, causal=False):
    """The layer of an architecture and a shape for it."""
    row = ARCHITECTURES[name]
    if name in CELLS:
        return row.build(ACTIVATIONS[activation], initializer, width, causal=causal), (6, 5, 3)
    layer = row.build(ACTIVATIONS[activation], initializer, width, depth, causal=causal)
    return layer, (4, 5, width) if name in SEQUENCES else (5, width)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", DEPTH)
def test_depth_has_a_gradient_at_every_position(rng, name, activation):
    layer, shape = built(name, activation, depth=6)
    state = layer.init(rng, shape, np.dtype(np.float32))
    y = layer.forward(state, rng.standard_normal(shape, dtype=np.float32))
    assert y.shape == shape
    layer.backward(state, rng.standard_normal(shape, dtype=np.float32))
    assert len(state.children) == 6
    assert all(np.isfinite(child.saved["dx"]).all() and child.saved["dx"].any() for child in state.children)
    assert all(child.saved["y"].shape == child.saved["dx"].shape == shape for child in state.children)
    blocks = [list(activations(*pair)) for pair in zip(layer.layers, state.children, strict=True)]
    assert all(ACTIVATIONS[activation] in [row for row, _ in block] for block in blocks)


@pytest.mark.parametrize(
    ("name", "activation"),
    [(name, activation) for name in CELLS for activation in (ACTIVATIONS if name == "rnn" else ("tanh", "prelu"))],
)
def test_time_has_a_gradient_at_every_step(rng, name, activation):
    layer, shape = built(name, activation)
    state = layer.init(rng, shape, np.dtype(np.float32))
    y = layer.forward(state, rng.standard_normal(shape, dtype=np.float32))
    dy = np.zeros_like(y)
    dy[-1] = 1
    layer.backward(state, dy)
    dh = state.saved["dh"]
    assert dh.shape == (7, 5, 8)
    assert np.isfinite(dh).all()
    assert all(step.any() for step in dh)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_gradients_are_those_of_finite_differences(rng, name):
    layer, shape = built(name, "gelu", depth=2)
    state = layer.init(rng, shape, DOUBLE)
    for _, p, _ in parameters(state):
        p += 0.1 * rng.standard_normal(p.shape)
    x = rng.standard_normal(shape)
    u = rng.standard_normal(layer.forward(state, x).shape)
    layer.backward(state, u)
    walked = [("x", x, state.saved["dx"].copy()), *((path, p, g.copy()) for path, p, g in parameters(state))]
    largest = max(np.abs(g).max() for _, _, g in walked)
    for path, p, gradient in walked:
        v, at, ends = rng.standard_normal(p.shape), p.copy(), []
        for step in (1e-5, -1e-5):
            p[...] = at + step * v
            ends.append(np.sum(layer.forward(state, x) * u))
        p[...] = at
        # a bias before BatchNorm and that of the keys have none: the error is measured by the largest of all
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(np.sum(gradient * v), abs=1e-7 * largest, rel=1e-6), path


def test_residual_blocks_add_what_they_say(rng, dtype, close):
    x = rng.standard_normal((5, 8)).astype(dtype)
    for name, scale in (("residual", 1.0), ("residual_scaled", 0.5)):
        layer, shape = built(name, depth=4)
        state, h = layer.init(rng, shape, dtype), x.astype(np.float64)
        W1, b1, W2, b2 = (p.astype(np.float64) for _, p, _ in parameters(state.children[0]))
        expected = h + scale * (np.tanh(h @ W1 + b1) @ W2 + b2)
        layer.forward(state, x)
        close(state.children[0].saved["y"], expected)


@pytest.mark.parametrize(("name", "axis"), [("batchnorm", 0), ("layernorm", 1)])
def test_normalised_blocks_are_the_activation_of_the_norm(rng, dtype, close, name, axis):
    layer, shape = built(name, depth=1)
    state, x = layer.init(rng, shape, dtype), rng.standard_normal(shape).astype(dtype)
    W = state.children[0].children[0].params["W"].astype(np.float64)
    z = x.astype(np.float64) @ W
    z = (z - z.mean(axis, keepdims=True)) / np.sqrt(z.var(axis, keepdims=True) + 1e-5)
    close(layer.forward(state, x), np.tanh(z))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_training_step_allocates_nothing(rng, dtype, peak_bytes, name):
    """Forward, loss, backward, clipping and Adam; the smallest activation has 16 kB."""
    layer, (*leading, features) = built(name, width=64)
    model = chain(layer, ARCHITECTURES["plain"].build(ACTIVATIONS["identity"], XAVIER, 10, 1))
    shape = (*leading[:-1], 64, features if features == 64 else 32)
    state = model.init(rng, shape, dtype)
    _, values, grads = zip(*parameters(state), strict=True)
    update = OPTIMIZERS["adam"].make(values, grads, 1e-2)
    x, logits = rng.standard_normal(shape).astype(dtype), state.saved["y"].reshape(-1, 10)
    labels, losses = rng.integers(0, 10, len(logits)), []
    dlogits = np.empty_like(state.saved["y"])

    def train():
        model.forward(state, x)
        losses.append(softmax_cross_entropy(dlogits.reshape(-1, 10), logits, labels))
        model.backward(state, dlogits)
        clip_by_global_norm(grads, 1.0)
        update()

    assert peak_bytes(train) < 8000
    for _ in range(30):
        train()
    assert losses[-1] < 0.9 * losses[0]


def kept(name, T, N, W):
    """Numbers that a block, or a cell of W units, keeps for backward, its input not counted."""
    rows = N * T if name in SEQUENCES else N
    dense = 2 * rows * W + W  # z and y, and the activation's parameter
    norm = rows * W + 2 * rows  # y, and mean and rstd of each row
    heads = 5 * rows * W + N * 4 * T * T  # q, k, v, the heads' output and y; the probabilities of four heads
    feed = 2 * rows * 4 * W + 4 * W + dense
    return {
        "plain": dense,
        "residual": 2 * dense + rows * W,
        "residual_scaled": 2 * dense + rows * W,
        "batchnorm": dense + rows * W + 2 * W + rows * W,
        "layernorm": dense + norm + rows * W,
        "rnn": (T + 1 + T) * N * W + W,  # h and z
        "lstm": 2 * (T + 1) * N * W + 4 * T * N * W + W,  # h, c and the gates
        "gru": (T + 1) * N * W + 4 * T * N * W + W,  # h, the gates and what reset multiplies
    }.get(name, heads + feed + 2 * norm + 2 * rows * W)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_saved_bytes_are_what_backward_needs_and_stay_the_same(rng, dtype, name):
    layer, shape = built(name, depth=3)
    T, N, _ = shape if name in SEQUENCES else (1, *shape)
    state = layer.init(rng, shape, dtype)
    numbers = np.prod(shape) + kept(name, T, N, 8) * (1 if name in CELLS else 3)
    for training in (True, False, True):
        set_training(state, training)
        y = layer.forward(state, rng.standard_normal(shape).astype(dtype))
        assert saved_bytes(state) == numbers * dtype.itemsize
        layer.backward(state, np.ones_like(y))
        assert saved_bytes(state) == numbers * dtype.itemsize


@pytest.mark.parametrize("initializer", ["forget_one", "chrono"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_gates_are_set_where_there_are_gates(rng, name, initializer):
    rule = INITIALIZERS[initializer]
    if name not in ("lstm", "gru"):
        with pytest.raises(ValueError, match=f"{initializer} sets the biases of gates, and {name} has none"):
            built(name, initializer=rule)
        return
    layer, shape = built(name, initializer=rule)
    b = layer.init(rng, shape, DOUBLE).params["b"].reshape(-1, 8)  # f and z come second
    assert (b[1] == 1).all() if initializer == "forget_one" else (b[1] > 0).all()
    assert np.array_equal(b[0], -b[1]) == (initializer == "chrono" and name == "lstm")
    assert not b[2:].any()


@pytest.mark.parametrize("steps", [1, 2, 40])
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_chrono_remembers_as_long_as_the_sequence_is(rng, name, steps):
    layer = ARCHITECTURES[name].build(ACTIVATIONS["tanh"], INITIALIZERS["chrono"], 500)
    lives = 1 + np.exp(layer.init(rng, (steps, 2, 3), DOUBLE).params["b"].reshape(-1, 500)[1])
    assert 2 <= lives.min() <= lives.max() <= max(2, steps)
    assert lives.max() >= 0.97 * steps


@pytest.mark.parametrize("name", [name for name in SEQUENCES if name not in CELLS])
def test_a_causal_transformer_never_sees_later_steps(rng, dtype, name):
    """The gradient of the second step reaches the first two alone; without a mask, every step."""
    for causal, reached in ((True, [True, True, False, False]), (False, [True] * 4)):
        layer, shape = built(name, depth=3, causal=causal)
        state, x, dy = layer.init(rng, shape, dtype), rng.standard_normal(shape).astype(dtype), np.zeros(shape, dtype)
        y, dy[1] = layer.forward(state, x).copy(), rng.standard_normal(shape[1:])
        assert [bool(step.any()) for step in layer.backward(state, dy)] == reached
        x[2:] = rng.standard_normal(x[2:].shape)
        assert np.array_equal(layer.forward(state, x)[:2], y[:2]) == causal


def test_layer_norm_leaves_nothing_of_constant_weights(rng):
    with pytest.raises(ValueError, match="constant makes all units of a layer the same, and layernorm takes away"):
        built("layernorm", initializer=INITIALIZERS["constant"])
    for name in ARCHITECTURES.keys() - {"layernorm"}:
        layer, shape = built(name, initializer=INITIALIZERS["constant"])
        state = layer.init(rng, shape, DOUBLE)
        y = layer.forward(state, rng.standard_normal(shape))
        assert np.abs(layer.backward(state, rng.standard_normal(y.shape))).min() > 1e-6


def test_critical_is_solved_in_the_row(rng):
    layer, shape = built("plain", "erf", INITIALIZERS["critical"], width=200, depth=1)
    W = layer.init(rng, shape, DOUBLE).children[0].params["W"]
    assert W.var() * 200 == pytest.approx(np.pi / 4, rel=0.03)
    for name in ARCHITECTURES:
        with pytest.raises(ValueError, match="softplus has no critical initialiser"):
            built(name, "softplus", INITIALIZERS["critical"])


@pytest.mark.parametrize(("width", "heads"), [(8, 4), (6, 2), (7, 1)])
def test_transformers_have_as_many_heads_as_divide_the_width(rng, width, heads):
    layer, shape = built("transformer_post", width=width, depth=1)
    state = layer.init(rng, shape, DOUBLE)
    probabilities = state.children[0].children[0].children[0].saved["p"]
    assert probabilities.shape[1] == heads


def test_sizes_are_checked_by_name():
    for name in DEPTH:
        with pytest.raises(ValueError, match="depth must be at least 1, got 0"):
            built(name, depth=0)
        with pytest.raises(ValueError, match=f"{name} needs a depth, the number of its layers or blocks"):
            built(name, depth=None)
    for name in ARCHITECTURES:
        with pytest.raises(ValueError, match="width must be at least 1, got -2"):
            built(name, width=-2)
        with pytest.raises(TypeError, match=r"width must be a whole number, got 8\.0"):
            built(name, width=8.0)
    for name in CELLS:
        with pytest.raises(ValueError, match=f"depth is for layers one after another, and {name} is a cell, got 2"):
            ARCHITECTURES[name].build(ACTIVATIONS["tanh"], XAVIER, 8, 2)


def test_causal_is_for_sequences():
    for name in ARCHITECTURES:
        if name in SEQUENCES:
            assert built(name, causal=True)
        else:
            with pytest.raises(ValueError, match=f"causal is for sequences, and {name} has no time steps"):
                built(name, causal=True)


def test_rows_are_found_by_their_own_names():
    for table in (ACTIVATIONS, ARCHITECTURES, INITIALIZERS, kernels.OPTIMIZERS):
        assert all(row.name == name for name, row in table.items())
