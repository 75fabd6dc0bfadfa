"""ARCHITECTURES: what can be put into a suite by name."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from kernels.activate import activate
from kernels.activations import ACTIVATIONS
from kernels.batch_norm import batch_norm
from kernels.dense import dense_activation
from kernels.elementwise import Activation
from kernels.gru import gru
from kernels.initializers import Initializer
from kernels.layer import Layer, chain, repeat, residual
from kernels.layer_norm import layer_norm
from kernels.lstm import lstm
from kernels.rnn import rnn
from kernels.transformer import post_norm_block, pre_norm_block

HEADS = 4  # of a Transformer, or as many of them as divide its width


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One architecture. Its gradient is followed across depth or across time, and make says how it is made.

    depth: make(activation, initializer, width, depth), over x (N, width), or (tokens, N, width) where tokens; its
    children are the positions.
    time: make(activation, initializer, hidden), over x (T, N, F); saved["dh"] has the positions.
    gated: whether there are gates for an initialiser to set. least_batch: the smallest N it can be trained with.
    """

    name: str
    kind: Literal["depth", "time"]
    make: Callable[..., Layer]
    paper: str
    tokens: bool = False
    gated: bool = False
    least_batch: int = 1

    def build(self, activation: Activation, initializer: Initializer, *sizes: int) -> Layer:
        """make(activation, initializer, *sizes), the initialiser solved for the activation.

        Raises ValueError, saying why, where the three make no sense together or a size is less than 1.
        """
        if initializer.gates is not None and not self.gated:
            raise ValueError(f"{initializer.name} sets the biases of gates, and {self.name} has none")
        return self.make(activation, initializer.of(activation), *sizes)


def linear(initializer: Initializer, width: int) -> Layer:
    """x W + b."""
    return dense_activation(ACTIVATIONS["identity"], initializer, width)


def plain(activation: Activation, initializer: Initializer, width: int, depth: int) -> Layer:
    """depth layers f(x W + b)."""
    return repeat(dense_activation(activation, initializer, width), depth)


def skipping(activation: Activation, initializer: Initializer, width: int, depth: int, scale: float = 1.0) -> Layer:
    """depth blocks x + scale (f(x W1 + b1) W2 + b2)."""
    branch = chain(dense_activation(activation, initializer, width), linear(initializer.linear(), width))
    return repeat(residual(branch, scale), depth)


def scaled(activation: Activation, initializer: Initializer, width: int, depth: int) -> Layer:
    """depth blocks x + (f(x W1 + b1) W2 + b2) / sqrt(depth): the variance of their sum is that of one block."""
    return skipping(activation, initializer, width, depth, max(depth, 1) ** -0.5)


def normalised(norm: Callable[[], Layer]) -> Callable[..., Layer]:
    """depth layers f(norm(x W + b))."""

    def make(activation: Activation, initializer: Initializer, width: int, depth: int) -> Layer:
        return repeat(chain(linear(initializer, width), norm(), activate(activation)), depth)

    return make


def transformer(block: Callable[..., Layer]) -> Callable[..., Layer]:
    """depth blocks of self-attention and a feed-forward network, without a mask and without positions."""

    def make(activation: Activation, initializer: Initializer, width: int, depth: int) -> Layer:
        return repeat(block(activation, initializer, width, math.gcd(HEADS, width)), depth)

    return make


_ROWS = (
    Architecture(name="plain", kind="depth", make=plain, paper="Rosenblatt 1962; Rumelhart et al. 1986"),
    Architecture(
        name="residual",
        kind="depth",
        make=skipping,
        paper="He et al. 2016, Identity mappings in deep residual networks, eq. 3",
    ),
    Architecture(
        name="residual_scaled",
        kind="depth",
        make=scaled,
        paper="Hayou et al. 2021, Stable ResNet, section 3; Tarnowski et al. 2019, Dynamical isometry, section 3",
    ),
    Architecture(
        name="batchnorm",
        kind="depth",
        make=normalised(batch_norm),
        least_batch=2,
        paper="Ioffe & Szegedy 2015, Batch normalization, algorithm 1",
    ),
    Architecture(
        name="layernorm", kind="depth", make=normalised(layer_norm), paper="Ba et al. 2016, Layer normalization, eq. 4"
    ),
    Architecture(name="rnn", kind="time", make=rnn, paper="Elman 1990, Finding structure in time"),
    Architecture(
        name="lstm",
        kind="time",
        make=lstm,
        gated=True,
        paper="Hochreiter & Schmidhuber 1997, Long short-term memory; Gers et al. 2000, Learning to forget",
    ),
    Architecture(
        name="gru",
        kind="time",
        make=gru,
        gated=True,
        paper="Cho et al. 2014, Learning phrase representations; the reset after the product, as in cuDNN",
    ),
    Architecture(
        name="transformer_post",
        kind="depth",
        make=transformer(post_norm_block),
        tokens=True,
        paper="Vaswani et al. 2017, Attention is all you need, section 3.1",
    ),
    Architecture(
        name="transformer_pre",
        kind="depth",
        make=transformer(pre_norm_block),
        tokens=True,
        paper="Xiong et al. 2020, On layer normalization in the Transformer architecture, figure 1",
    ),
)

ARCHITECTURES = {row.name: row for row in _ROWS}
