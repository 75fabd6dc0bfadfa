"""ARCHITECTURES: what can be put into a suite by name."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from kernels.activate import activate
from kernels.activations import ACTIVATIONS
from kernels.batch_norm import batch_norm
from kernels.checks import check_row, check_size
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
DEPTH, TIME, BOTH = frozenset({"depth"}), frozenset({"time"}), frozenset({"depth", "time"})


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One architecture, and the kinds of what its gradient can be followed across: depth, time or both.

    depth: make(activation, initializer, width, depth); x is (N, width), and the children are the positions.
    time: make(activation, initializer, hidden), a cell; x is (T, N, F), and saved["dh"] has the positions.
    both: make(activation, initializer, width, depth, causal=False); x is (T, N, width), the children are the positions
    across depth, and the steps of their saved["dx"] those across time.
    gated: whether there are gates for an initialiser to set. centred: whether what the units of a layer have in common
    is taken away. least_batch: the smallest N it can be trained with.
    """

    name: str
    make: Callable[..., Layer]
    paper: str
    kinds: frozenset[str] = DEPTH
    gated: bool = False
    centred: bool = False
    least_batch: int = 1

    def build(
        self,
        activation: Activation,
        initializer: Initializer,
        width: int,
        depth: int | None = None,
        *,
        causal: bool = False,
    ) -> Layer:
        """The layer, of so many units and, unless it is a cell, so many layers or blocks.

        The initialiser is solved for the activation. causal: no step looks at later ones, as is so in cells anyway.
        Raises TypeError or ValueError, naming the argument, where a size is missing, too many or less than 1, and
        ValueError, saying why, where architecture, activation and initialiser make no sense together.
        """
        check_row("activation", activation, Activation)
        check_row("initializer", initializer, Initializer)
        if initializer.gates is not None and not self.gated:
            raise ValueError(f"{initializer.name} sets the biases of gates, and {self.name} has none")
        if self.centred and not initializer.independent:
            raise ValueError(
                f"{initializer.name} makes all units of a layer the same, "
                f"and {self.name} takes away what they have in common: nothing is left"
            )
        if causal and "time" not in self.kinds:
            raise ValueError(f"causal is for sequences, and {self.name} has no time steps")
        check_size("width", width)
        if "depth" not in self.kinds:
            if depth is not None:
                raise ValueError(f"depth is for layers one after another, and {self.name} is a cell, got {depth}")
            return self.make(activation, initializer.of(activation), width)
        if depth is None:
            raise ValueError(f"{self.name} needs a depth, the number of its layers or blocks")
        check_size("depth", depth)
        masked = {"causal": True} if causal else {}
        return self.make(activation, initializer.of(activation), width, depth, **masked)


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
    return skipping(activation, initializer, width, depth, depth**-0.5)


def normalised(norm: Callable[[], Layer]) -> Callable[..., Layer]:
    """depth layers f(norm(x W + b))."""

    def make(activation: Activation, initializer: Initializer, width: int, depth: int) -> Layer:
        return repeat(chain(linear(initializer, width), norm(), activate(activation)), depth)

    return make


def transformer(block: Callable[..., Layer]) -> Callable[..., Layer]:
    """depth blocks of self-attention and a feed-forward network, without positions; causal: with a mask."""

    def make(activation: Activation, initializer: Initializer, width: int, depth: int, causal: bool = False) -> Layer:
        return repeat(block(activation, initializer, width, math.gcd(HEADS, width), causal), depth)

    return make


_ROWS = (
    Architecture(name="plain", make=plain, paper="Rosenblatt 1962; Rumelhart et al. 1986"),
    Architecture(
        name="residual",
        make=skipping,
        paper="He et al. 2016, Identity mappings in deep residual networks, eq. 3",
    ),
    Architecture(
        name="residual_scaled",
        make=scaled,
        paper="Hayou et al. 2021, Stable ResNet, section 3; Tarnowski et al. 2019, Dynamical isometry, section 3",
    ),
    Architecture(
        name="batchnorm",
        make=normalised(batch_norm),
        least_batch=2,
        paper="Ioffe & Szegedy 2015, Batch normalization, algorithm 1",
    ),
    Architecture(
        name="layernorm",
        make=normalised(layer_norm),
        centred=True,
        paper="Ba et al. 2016, Layer normalization, eq. 4",
    ),
    Architecture(name="rnn", kinds=TIME, make=rnn, paper="Elman 1990, Finding structure in time"),
    Architecture(
        name="lstm",
        kinds=TIME,
        make=lstm,
        gated=True,
        paper="Hochreiter & Schmidhuber 1997, Long short-term memory; Gers et al. 2000, Learning to forget",
    ),
    Architecture(
        name="gru",
        kinds=TIME,
        make=gru,
        gated=True,
        paper="Cho et al. 2014, Learning phrase representations; the reset after the product, as in cuDNN",
    ),
    Architecture(
        name="transformer_post",
        make=transformer(post_norm_block),
        kinds=BOTH,
        paper="Vaswani et al. 2017, Attention is all you need, section 3.1",
    ),
    Architecture(
        name="transformer_pre",
        make=transformer(pre_norm_block),
        kinds=BOTH,
        paper="Xiong et al. 2020, On layer normalization in the Transformer architecture, figure 1",
    ),
)

ARCHITECTURES = {row.name: row for row in _ROWS}
