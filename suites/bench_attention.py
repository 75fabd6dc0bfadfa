"""Multi-head self-attention, causal and not, and Transformer blocks, forward, backward and both.

Inputs and upstream gradients are standard normal; weights by xavier_normal. flop counts the matrix products of the
weights and of every step with every other, forward one, backward two; a causal mask halves the latter, which is not
taken off.
"""

from functools import partial

from kernels import ACTIVATIONS, INITIALIZERS
from kernels.attention import attention
from kernels.checks import DTYPES
from kernels.transformer import post_norm_block, pre_norm_block
from suites import layers
from suites.grids import grid
from suites.own_activations import lookup_activation
from suites.sizes import TOKENS, first

BLOCKS = {"transformer_post": post_norm_block, "transformer_pre": pre_norm_block}
INITIALIZER = INITIALIZERS["xavier_normal"]


def quick(direction, shape, dtype, activation="gelu", **_):
    """Both passes of one size, with GELU as most Transformers have it."""
    return (direction, shape, dtype, activation) == ("forward_backward", first(TOKENS), "float32", "gelu")


@grid(
    quick=quick,
    mask=("full", "causal"),
    direction=layers.PASSES,
    shape=TOKENS,
    dtype=DTYPES,
)
def test_attention(timed, seed, mask, direction, shape, dtype):
    make = partial(attention, INITIALIZER, TOKENS[shape][-1], mask == "causal")
    run(timed, seed, make, f"attention_{mask}", "", direction, shape, dtype)


@grid(
    quick=quick,
    block=BLOCKS,
    activation=ACTIVATIONS,
    direction=layers.PASSES,
    shape=TOKENS,
    dtype=DTYPES,
)
def test_block(timed, seed, block, activation, direction, shape, dtype):
    *_, width, heads = TOKENS[shape]
    make = partial(BLOCKS[block], lookup_activation(activation), INITIALIZER, width, heads)
    run(timed, seed, make, f"{block}_block", activation, direction, shape, dtype)


def run(timed, seed, make, op, activation, direction, shape, dtype):
    """Time the layer that make gives."""
    steps, batch, width, _ = TOKENS[shape]
    passed = layers.prepared(make(), (steps, batch, width), dtype, seed)
    layers.time(timed, passed, direction, op=op, activation=activation, size=shape)
