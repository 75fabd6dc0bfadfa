import numpy as np
import pytest

from kernels import attention as module
from kernels import reference_attention as reference
from kernels.attention import attention, attention_backward, attention_forward
from kernels.blas import set_threads
from kernels.heads import BLOCK
from kernels.initializers import INITIALIZERS
from kernels.jit import max_threads
from kernels.layer import parameters

DEFAULT = INITIALIZERS["framework_default"]  # its biases are not 0
DOUBLE = np.dtype(np.float64)

# T, N, F, heads: one of each, odd, whole vectors, more rows of p than a block
SHAPES = [(1, 1, 1, 1), (1, 4, 6, 2), (7, 3, 15, 3), (7, 1, 15, 5), (16, 2, 64, 4), (2 * BLOCK + 5, 2, 16, 1)]
EVERY_SHAPE = pytest.mark.parametrize(("T", "N", "F", "heads"), SHAPES)
CAUSAL = pytest.mark.parametrize("causal", [False, True])


def draw(rng, dtype, *shape):
    return rng.standard_normal(shape).astype(dtype)


def wide(*arrays):
    return [array.astype(np.float64) for array in arrays]


def assert_near(result, expected, scale):
    """Of one dtype, up to the rounding of sums of numbers of that size: the gradient of bk is 0 but for that."""
    relative = 1e-5 if result.dtype == np.float32 else 1e-13
    np.testing.assert_allclose(result, expected, rtol=0, atol=relative * scale)


def poison(state):
    """Nothing that forward or backward writes is known beforehand."""
    kept = [state.grads.values(), state.saved.values()]
    for array in (array for group in kept for array in group):
        array.fill(np.nan)


@CAUSAL
@EVERY_SHAPE
def test_heads_are_the_reference(rng, dtype, close, T, N, F, heads, causal):
    q, k, v, dy = draw(rng, dtype, 4, N, T, F)
    y, p = np.full_like(q, np.nan), np.full((N, heads, T, T), np.nan, dtype)
    attention_forward(y, p, q, k, v, causal)
    expected, expected_p = reference.attention_forward(*wide(q, k, v), heads, causal)
    close(y, expected)
    close(p, expected_p)
    gradients = [np.full_like(q, np.nan) for _ in range(3)]
    attention_backward(*gradients, dy, p, q, k, v, causal)
    for result, wanted in zip(gradients, reference.attention_backward(*wide(dy, q, k, v), heads, causal), strict=True):
        close(result, wanted)


@CAUSAL
@EVERY_SHAPE
def test_the_layer_is_the_reference(rng, dtype, close, T, N, F, heads, causal):
    layer = attention(DEFAULT, heads, causal)
    state = layer.init(rng, (T, N, F), dtype)
    x, dy = draw(rng, dtype, 2, T, N, F)
    poison(state)
    y, dx = layer.forward(state, x), layer.backward(state, dy)
    params = {name: array.astype(np.float64) for name, array in state.params.items()}
    close(y, reference.layer_forward(*wide(x), params, heads, causal))
    expected_dx, expected = reference.layer_backward(*wide(dy, x), params, heads, causal)
    close(dx, expected_dx)
    assert state.grads.keys() == expected.keys()
    for name, gradient in state.grads.items():
        scale = np.abs(expected[name]).max() or 1.0  # bk's is a sum that cancels: no logit depends on it
        close((gradient / dtype.type(max(1.0, scale))), expected[name] / max(1.0, scale))


@CAUSAL
def test_gradients_are_finite_differences(rng, check_gradient, causal):
    layer = attention(DEFAULT, 3, causal)
    state = layer.init(rng, (5, 2, 6), DOUBLE)
    x, u = draw(rng, DOUBLE, 2, 5, 2, 6)
    layer.forward(state, x)
    dx = layer.backward(state, u)
    pairs = [(name, p, g) for name, p, g in parameters(state) if name != "bk"]
    check_gradient(lambda: np.sum(layer.forward(state, x) * u), [*pairs, ("x", x, dx)])


def test_the_key_bias_has_no_gradient(rng):
    """It adds one number to all logits of a row, which softmax ignores."""
    layer = attention(DEFAULT, 2)
    state = layer.init(rng, (6, 3, 8), DOUBLE)
    x, dy = draw(rng, DOUBLE, 2, 6, 3, 8)
    y = layer.forward(state, x).copy()
    layer.backward(state, dy)
    assert np.abs(state.grads["bk"]).max() < 1e-14
    state.params["bk"] += 1.0
    np.testing.assert_allclose(layer.forward(state, x), y, rtol=1e-12)


@pytest.mark.parametrize("T", [8, BLOCK + 9])
def test_a_causal_layer_never_sees_later_steps(rng, dtype, T):
    layer, cut = attention(DEFAULT, 2, causal=True), T - 4
    state = layer.init(rng, (T, 2, 16), dtype)
    x, dy = draw(rng, dtype, 2, T, 2, 16)
    dy[cut:] = 0  # no later output is asked for
    y, dx = layer.forward(state, x).copy(), layer.backward(state, dy).copy()
    assert not np.triu(state.saved["p"], 1).any()
    np.testing.assert_allclose(state.saved["p"].sum(axis=-1), 1.0, rtol=1e-5)
    assert not dx[cut:].any()
    x[cut:] = draw(rng, dtype, 4, 2, 16)
    np.testing.assert_array_equal(layer.forward(state, x)[:cut], y[:cut])
    np.testing.assert_array_equal(layer.backward(state, dy)[:cut], dx[:cut])


def test_without_a_mask_the_order_of_steps_does_not_matter(rng, dtype, close):
    layer, order = attention(DEFAULT, 3), rng.permutation(11)
    state = layer.init(rng, (11, 2, 9), dtype)
    x, dy = draw(rng, dtype, 2, 11, 2, 9)
    y, dx = layer.forward(state, x).copy(), layer.backward(state, dy).copy()
    gradients = {name: gradient.copy() for name, gradient in state.grads.items()}
    close(layer.forward(state, x[order]), y[order])
    close(layer.backward(state, dy[order]), dx[order])
    for name, gradient in state.grads.items():
        assert_near(gradient, gradients[name], max(np.abs(g).max() for g in gradients.values()))


def test_large_logits_do_not_overflow(rng, dtype):
    q = np.full((1, 3, 2), 1e4, dtype)
    v = draw(rng, dtype, 1, 3, 2)
    y, p = np.full_like(q, np.nan), np.full((1, 1, 3, 3), np.nan, dtype)
    attention_forward(y, p, q, q, v)
    np.testing.assert_allclose(p, 1 / 3, rtol=1e-6)
    np.testing.assert_allclose(y[0], np.tile(v.mean(axis=1), (3, 1)), rtol=1e-5)


def test_no_sequences_at_all(rng, dtype):
    layer = attention(DEFAULT, 2)
    state = layer.init(rng, (3, 0, 4), dtype)
    poison(state)
    empty = np.zeros((3, 0, 4), dtype)
    assert layer.forward(state, empty).shape == layer.backward(state, empty).shape == (3, 0, 4)
    assert not any(gradient.any() for gradient in state.grads.values())


@pytest.mark.skipif(max_threads() < 2, reason="needs two CPUs")
@pytest.mark.parametrize("N", [1, 5])
def test_threads_agree_with_one(rng, dtype, monkeypatch, N):
    monkeypatch.setattr(module, "SMALL", 0)
    layer = attention(DEFAULT, 3, causal=True)
    x, dy = draw(rng, dtype, 2, 37, N, 48)
    found = []
    for threads in (1, 2):
        state = layer.init(np.random.default_rng(1), x.shape, dtype)
        poison(state)
        set_threads(threads)
        try:
            found.append([layer.forward(state, x), layer.backward(state, dy), *state.grads.values()])
        finally:
            set_threads(1)
    for one, two in zip(*found, strict=True):
        assert_near(two, one, max(np.abs(array).max() for array in found[0]))


def test_a_step_allocates_nothing(rng, dtype, peak_bytes):
    layer = attention(DEFAULT, 4)
    state = layer.init(rng, (20, 8, 64), dtype)
    x, dy = draw(rng, dtype, 2, 20, 8, 64)
    assert peak_bytes(lambda: (layer.forward(state, x), layer.backward(state, dy))) < 8000  # x has 40 kB or more


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"p": np.zeros((2, 2, 3, 4))}, ValueError, r"p must have shape \(any, any, any, 3\), got \(2, 2, 3, 4\)"),
        ({"k": np.zeros((2, 3, 5))}, ValueError, r"k must have shape \(2, 3, 4\), got \(2, 3, 5\)"),
        ({"q": np.zeros((3, 3, 4))}, ValueError, r"q must have shape \(2, 3, any\), got \(3, 3, 4\)"),
        ({"v": np.zeros((2, 3, 4), np.float32)}, TypeError, "v must be float64, got float32"),
        ({"y": np.zeros((2, 3, 8))[:, :, ::2]}, ValueError, "y must be C-contiguous"),
        ({"p": np.zeros((2, 3, 3, 3))}, ValueError, "heads must divide the features, got 3 heads and 4 features"),
    ],
)
def test_attention_forward_names_the_wrong_argument(change, error, message):
    y, q, k, v = np.zeros((4, 2, 3, 4))
    arguments = {"y": y, "p": np.zeros((2, 2, 3, 3)), "q": q, "k": k, "v": v}
    with pytest.raises(error, match=message):
        attention_forward(**arguments | change)


def test_outputs_and_inputs_are_apart():
    q, k, v, y = np.zeros((4, 2, 3, 4))
    p = np.zeros((2, 2, 3, 3))
    with pytest.raises(ValueError, match="y must not share memory with v"):
        attention_forward(v, p, q, k, v)
    with pytest.raises(ValueError, match="dq must not share memory with dk"):
        attention_backward(y, y, v, y.copy(), p, q, k, v.copy())
    with pytest.raises(ValueError, match=r"dv must have shape \(2, 3, 4\)"):
        attention_backward(y, k.copy(), np.zeros((2, 3, 5)), y.copy(), p, q, k, v)


def test_zero_steps_and_wrong_shapes_are_refused(rng):
    layer = attention(DEFAULT, 3)
    with pytest.raises(ValueError, match=r"shape must have at least one time step, got \(0, 2, 6\)"):
        layer.init(rng, (0, 2, 6), DOUBLE)
    with pytest.raises(ValueError, match="heads must divide the features, got 3 heads and 7 features"):
        layer.init(rng, (4, 2, 7), DOUBLE)
    with pytest.raises(ValueError, match="heads must be at least 1, got 0"):
        attention(DEFAULT, 0)
    with pytest.raises(TypeError, match=r"heads must be a whole number, got 2\.0"):
        attention(DEFAULT, 2.0)
    with pytest.raises(TypeError, match="initializer must be a row of INITIALIZERS, got str"):
        attention("xavier_normal", 2)
    with pytest.raises(ValueError, match=r"shape must be \(steps, rows, features\), got \(4, 6\)"):
        layer.init(rng, (4, 6), DOUBLE)
    state = layer.init(rng, (4, 2, 6), DOUBLE)
    with pytest.raises(ValueError, match=r"x must have shape \(4, 2, 6\), got \(5, 2, 6\)"):
        layer.forward(state, np.zeros((5, 2, 6)))
    with pytest.raises(TypeError, match="dy must be float64, got float32"):
        layer.backward(state, np.zeros((4, 2, 6), np.float32))
    empty = np.zeros((2, 0, 6))
    with pytest.raises(ValueError, match="at least one time step, got 0"):
        attention_forward(empty, np.zeros((2, 3, 0, 0)), *np.zeros((3, 2, 0, 6)))
