"""Transformer blocks: self-attention and a feed-forward network of two layers, each with a residual and a LayerNorm."""

from kernels.activations import ACTIVATIONS
from kernels.attention import attention
from kernels.dense import dense_activation
from kernels.elementwise import Activation
from kernels.initializers import Initializer
from kernels.layer import Layer, chain, residual
from kernels.layer_norm import layer_norm

EXPANSION = 4  # of the feed-forward network's hidden layer over the width


def feed_forward(activation: Activation, initializer: Initializer, width: int) -> Layer:
    """y = f(x W + b) W' + b' of every step by itself, over (..., width), EXPANSION * width units between the two."""
    hidden = dense_activation(activation, initializer, EXPANSION * width)
    return chain(hidden, dense_activation(ACTIVATIONS["identity"], initializer.linear(), width))


def post_norm_block(
    activation: Activation, initializer: Initializer, width: int, heads: int, causal: bool = False
) -> Layer:
    """y = LN(x + A(x)), LN(y + F(y)) over (T, N, width): Vaswani et al. 2017, Attention Is All You Need, section 3.1.

    children: x + A(x), its LayerNorm, y + F(y), its LayerNorm. causal: no step looks at later ones. ValueError unless
    heads divide the width.
    """
    attend, feed = attention(initializer.linear(), heads, causal), feed_forward(activation, initializer, width)
    return chain(residual(attend), layer_norm(), residual(feed), layer_norm())


def pre_norm_block(
    activation: Activation, initializer: Initializer, width: int, heads: int, causal: bool = False
) -> Layer:
    """y = x + A(LN(x)), y + F(LN(y)) over (T, N, width): Xiong et al. 2020, On Layer Normalization, section 3.

    children: the two residual branches, each of them a LayerNorm and what follows it. causal: no step looks at later
    ones. ValueError unless heads divide the width.
    """
    attend, feed = attention(initializer.linear(), heads, causal), feed_forward(activation, initializer, width)
    return chain(residual(chain(layer_norm(), attend)), residual(chain(layer_norm(), feed)))
