"""Attention and Transformer blocks against PyTorch: outputs and all gradients, float64 and float32."""

import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.attention import attention, attention_backward, attention_forward
from kernels.initializers import INITIALIZERS
from kernels.layer import parameters
from kernels.transformer import post_norm_block, pre_norm_block

torch = pytest.importorskip("torch", reason="PyTorch is not installed: tox -e peers has it")
F = torch.nn.functional

DEFAULT = INITIALIZERS["framework_default"]
RELATIVE = {"float64": 1e-10, "float32": 2e-5}
SHAPES = [(1, 1, 4, 1), (1, 3, 15, 3), (7, 3, 15, 3), (7, 3, 15, 5), (8, 1, 6, 1), (70, 2, 24, 4), (16, 4, 128, 4)]

every_kind = pytest.mark.parametrize("kind", RELATIVE)
every_shape = pytest.mark.parametrize(("T", "N", "width", "heads"), SHAPES)
masked_or_not = pytest.mark.parametrize("causal", [False, True])


def leaf(array):
    return torch.tensor(array, requires_grad=True)


def assert_close(name, result, expected, relative, scale=None):
    """Largest difference over the largest number: gradients of one array share a scale."""
    expected = expected.detach().numpy()
    assert result.shape == expected.shape, name
    scale = np.abs(expected).max() if scale is None else scale
    assert np.abs(result - expected).max() <= relative * scale, name


def shake(rng, state):
    """No parameter is 0 or 1."""
    for _, parameter, _ in parameters(state):
        parameter += 0.1 * rng.standard_normal(parameter.shape)


@every_kind
@masked_or_not
@every_shape
def test_heads(T, N, width, heads, causal, kind):
    rng = np.random.default_rng(6)
    q, k, v, dy = rng.standard_normal((4, N, T, width)).astype(kind)
    y, p = np.empty_like(q), np.empty((N, heads, T, T), kind)
    gradients = [np.empty_like(q) for _ in range(3)]
    attention_forward(y, p, q, k, v, causal)
    attention_backward(*gradients, dy, p, q, k, v, causal)
    twins = [leaf(array) for array in (q, k, v)]
    split = (twin.view(N, T, heads, width // heads).transpose(1, 2) for twin in twins)
    peer = F.scaled_dot_product_attention(*split, is_causal=causal).transpose(1, 2).reshape(N, T, width)
    peer.backward(torch.tensor(dy))
    assert_close("y", y, peer, RELATIVE[kind])
    for name, gradient, twin in zip("qkv", gradients, twins, strict=True):
        assert_close(name, gradient, twin.grad, RELATIVE[kind], np.abs(twins[-1].grad.numpy()).max())


def load_attention(peer, params):
    """Write our parameters into a MultiheadAttention."""
    with torch.no_grad():
        peer.in_proj_weight[:] = torch.tensor(np.concatenate([params[name] for name in ("Wq", "Wk", "Wv")], axis=1).T)
        peer.in_proj_bias[:] = torch.tensor(np.concatenate([params[name] for name in ("bq", "bk", "bv")]))
        peer.out_proj.weight[:] = torch.tensor(params["Wo"].T)
        peer.out_proj.bias[:] = torch.tensor(params["bo"])


def attention_gradients(peer):
    """Our names and layout of a MultiheadAttention's gradients."""
    weights, biases = peer.in_proj_weight.grad.chunk(3), peer.in_proj_bias.grad.chunk(3)
    found = {"Wo": peer.out_proj.weight.grad.T, "bo": peer.out_proj.bias.grad}
    found |= {f"W{name}": weight.T for name, weight in zip("qkv", weights, strict=True)}
    return found | {f"b{name}": bias for name, bias in zip("qkv", biases, strict=True)}


def assert_gradients(ours, theirs, relative):
    """bk's is 0 but for rounding: its scale is that of bq's."""
    assert ours.keys() == theirs.keys()
    for path, gradient in ours.items():
        scale = np.abs(theirs[path[:-2] + "bv"].numpy()).max() if path.endswith("bk") else None
        assert_close(path, gradient, theirs[path], relative, scale)


@every_kind
@masked_or_not
@every_shape
def test_the_layer(T, N, width, heads, causal, kind):
    rng = np.random.default_rng(7)
    layer = attention(DEFAULT, heads, causal)
    state = layer.init(rng, (T, N, width), np.dtype(kind))
    x, dy = rng.standard_normal((2, T, N, width)).astype(kind)
    peer = torch.nn.MultiheadAttention(width, heads, dtype=getattr(torch, kind))
    load_attention(peer, state.params)
    twin = leaf(x)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(T, dtype=twin.dtype) if causal else None
    expected, _ = peer(twin, twin, twin, need_weights=False, attn_mask=mask, is_causal=causal)
    expected.backward(torch.tensor(dy))
    y, dx = layer.forward(state, x), layer.backward(state, dy)
    assert_close("y", y, expected, RELATIVE[kind])
    scale = max(np.abs(twin.grad.numpy()).max(), np.abs(dx).max())
    assert_close("x", dx, twin.grad, RELATIVE[kind], scale)
    ours, theirs = {path: gradient for path, _, gradient in parameters(state)}, attention_gradients(peer)
    if T == 1:  # one step has all of the weight: no gradient reaches q and k, in PyTorch but for rounding
        for name in ("Wq", "bq", "Wk", "bk"):
            np.testing.assert_allclose(ours.pop(name), theirs.pop(name), atol=1e-6)
    assert_gradients(ours, theirs, RELATIVE[kind])


PATHS = {
    "post": {"attention": "0.0.", "norm1": "1.", "linear1": "2.0.0.", "linear2": "2.0.1.", "norm2": "3."},
    "pre": {"attention": "0.0.1.", "norm1": "0.0.0.", "linear1": "1.0.1.0.", "linear2": "1.0.1.1.", "norm2": "1.0.0."},
}


@every_kind
@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("norm", PATHS)
@masked_or_not
@pytest.mark.parametrize(("T", "N", "width", "heads"), [(1, 2, 8, 2), (7, 3, 15, 5), (33, 1, 12, 1), (16, 4, 128, 4)])
def test_a_block_is_an_encoder_layer(T, N, width, heads, causal, norm, activation, kind):
    rng = np.random.default_rng(8)
    paths = PATHS[norm]
    make = post_norm_block if norm == "post" else pre_norm_block
    layer = make(ACTIVATIONS[activation], DEFAULT, width, heads, causal)
    state = layer.init(rng, (T, N, width), np.dtype(kind))
    shake(rng, state)
    params = {path: parameter for path, parameter, _ in parameters(state)}
    peer = torch.nn.TransformerEncoderLayer(
        width, heads, 4 * width, 0.0, activation, norm_first=norm == "pre", dtype=getattr(torch, kind)
    )
    here = paths["attention"]
    load_attention(peer.self_attn, {name.removeprefix(here): p for name, p in params.items() if name.startswith(here)})
    with torch.no_grad():
        for name in ("linear1", "linear2"):
            getattr(peer, name).weight[:] = torch.tensor(params[paths[name] + "W"].T)
            getattr(peer, name).bias[:] = torch.tensor(params[paths[name] + "b"])
        for name in ("norm1", "norm2"):
            getattr(peer, name).weight[:] = torch.tensor(params[paths[name] + "gamma"])
            getattr(peer, name).bias[:] = torch.tensor(params[paths[name] + "beta"])
    x, dy = rng.standard_normal((2, T, N, width)).astype(kind)
    twin = leaf(x)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(T, dtype=twin.dtype) if causal else None
    expected = peer(twin, src_mask=mask, is_causal=causal)
    expected.backward(torch.tensor(dy))
    y, dx = layer.forward(state, x), layer.backward(state, dy)
    assert_close("y", y, expected, RELATIVE[kind])
    assert_close("x", dx, twin.grad, RELATIVE[kind])
    theirs = {here + name: gradient for name, gradient in attention_gradients(peer.self_attn).items()}
    for name in ("linear1", "linear2"):
        theirs |= {
            paths[name] + "W": getattr(peer, name).weight.grad.T,
            paths[name] + "b": getattr(peer, name).bias.grad,
        }
    for name in ("norm1", "norm2"):
        theirs |= {paths[name] + "gamma": getattr(peer, name).weight.grad}
        theirs |= {paths[name] + "beta": getattr(peer, name).bias.grad}
    ours = {path: gradient for path, _, gradient in parameters(state)}
    if T == 1:
        for name in ("Wq", "bq", "Wk", "bk"):
            np.testing.assert_allclose(ours.pop(here + name), theirs.pop(here + name), atol=1e-6)
    assert_gradients(ours, theirs, RELATIVE[kind])
