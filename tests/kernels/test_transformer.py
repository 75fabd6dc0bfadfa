import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.initializers import INITIALIZERS
from kernels.layer import parameters, saved_bytes
from kernels.reference import dense_activation_forward, dense_forward
from kernels.reference_attention import layer_forward
from kernels.transformer import feed_forward, post_norm_block, pre_norm_block

DEFAULT = INITIALIZERS["framework_default"]
BLOCKS = {"post": post_norm_block, "pre": pre_norm_block}
KINDS = pytest.mark.parametrize("kind", BLOCKS)


def make(kind, activation, width, heads):
    return BLOCKS[kind](ACTIVATIONS[activation], DEFAULT, width, heads)


def shake(rng, state):
    """Parameters that start at 0 or 1 do not show where they are forgotten."""
    for _, parameter, _ in parameters(state):
        parameter += 0.3 * rng.standard_normal(parameter.shape)


def normalized(x, gamma, beta):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * gamma + beta


def reference(kind, activation, x, params, heads):
    """The block from its parts' references; params by the walk's paths."""

    def of(path):
        return {name.removeprefix(path): p for name, p in params.items() if name.startswith(path)}

    def norm(path, x):
        return normalized(x, **of(path))

    def feed(path, x):
        first, last = of(f"{path}0."), of(f"{path}1.")
        _, h = dense_activation_forward(ACTIVATIONS[activation], x, first["W"], first["b"], None)
        return dense_forward(h, last["W"], last["b"])

    if kind == "post":
        x = norm("1.", x + layer_forward(x, of("0.0."), heads, False))
        return norm("3.", x + feed("2.0.", x))
    x = x + layer_forward(norm("0.0.0.", x), of("0.0.1."), heads, False)
    return x + feed("1.0.1.", norm("1.0.0.", x))


@KINDS
@pytest.mark.parametrize(("T", "N", "width", "heads"), [(1, 1, 2, 1), (5, 3, 15, 5), (9, 2, 32, 4)])
def test_a_block_is_the_reference(rng, dtype, close, kind, T, N, width, heads):
    layer = make(kind, "gelu", width, heads)
    state = layer.init(rng, (T, N, width), dtype)
    shake(rng, state)
    x = rng.standard_normal((T, N, width)).astype(dtype)
    params = {path: parameter.astype(np.float64) for path, parameter, _ in parameters(state)}
    close(layer.forward(state, x), reference(kind, "gelu", x.astype(np.float64), params, heads))


@KINDS
@pytest.mark.parametrize("activation", ["gelu", "tanh"])
def test_gradients_are_finite_differences(rng, check_gradient, kind, activation):
    layer = make(kind, activation, 6, 2)
    state = layer.init(rng, (4, 3, 6), np.dtype(np.float64))
    shake(rng, state)
    x, u = rng.standard_normal((2, 4, 3, 6))
    layer.forward(state, x)
    dx = layer.backward(state, u)
    pairs = [(path, p, g) for path, p, g in parameters(state) if not path.endswith("bk")]
    check_gradient(lambda: np.sum(layer.forward(state, x) * u), [*pairs, ("x", x, dx)])


@KINDS
def test_sequences_do_not_see_each_other(rng, dtype, kind):
    layer = make(kind, "relu", 8, 2)
    state = layer.init(rng, (5, 3, 8), dtype)
    x, dy = rng.standard_normal((2, 5, 3, 8)).astype(dtype)
    y, dx = layer.forward(state, x).copy(), layer.backward(state, dy).copy()
    x[:, 1], dy[:, 1] = 2.0, 0.5
    np.testing.assert_array_equal(layer.forward(state, x)[:, ::2], y[:, ::2])
    np.testing.assert_array_equal(layer.backward(state, dy)[:, ::2], dx[:, ::2])


@KINDS
def test_a_step_allocates_nothing(rng, dtype, peak_bytes, kind):
    layer = make(kind, "prelu", 64, 4)
    state = layer.init(rng, (16, 8, 64), dtype)
    x, dy = rng.standard_normal((2, 16, 8, 64)).astype(dtype)
    assert peak_bytes(lambda: (layer.forward(state, x), layer.backward(state, dy))) < 8000  # x has 32 kB or more
    assert saved_bytes(state) > 10 * x.nbytes


@KINDS
def test_heads_divide_the_width(rng, kind):
    layer = make(kind, "relu", 10, 4)
    with pytest.raises(ValueError, match="heads must divide the features, got 4 heads and 10 features"):
        layer.init(rng, (5, 3, 10), np.dtype(np.float64))
    with pytest.raises(ValueError, match=r"layer must keep the shape \(5, 3, 12\), it makes \(5, 3, 10\)"):
        make(kind, "relu", 10, 2).init(rng, (5, 3, 12), np.dtype(np.float64))


def test_the_feed_forward_network_is_four_times_as_wide(rng, dtype):
    state = feed_forward(ACTIVATIONS["relu"], DEFAULT, 5).init(rng, (3, 2, 5), dtype)
    assert [p.shape for _, p, _ in parameters(state)] == [(5, 20), (20,), (20, 5), (5,)]
