"""A deep network block by block, in which blocks share the memory of what backward passes write."""

from collections.abc import Iterator

import numpy as np

from kernels.layer import Array, DType, Layer, State, copy_weights


class Blocks:
    """The states of a network of like blocks, for x of one shape: weights and what forward keeps, one each.

    Gradients of parameters are in the memory of the first block's, those of arrays in the first two's by turns, since
    one block's dx is the next one's dy: they hold until the next block, or the one after it, has run backward.
    So a network takes as much memory as its weights and its forward pass need, and its gradients stay in the caches.
    """

    def __init__(self, network: Layer, rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> None:
        self.layers, self.shape, self.dtype = network.layers, shape, dtype
        self.states: list[State] = []
        for layer in self.layers:
            state = layer.init(rng, shape, dtype)
            for other in self.states[:1]:
                _share_parameters(state, other)
            for other in self.states[-2:-1]:
                _share_arrays(state, other)
            self.states.append(state)

    def __iter__(self) -> Iterator[tuple[Layer, State]]:
        return zip(self.layers, self.states, strict=True)

    def redraw(self, rng: np.random.Generator) -> None:
        """Parameters and buffers as a new network would have them; how many samples there are is nothing to them."""
        one = (*(1 for _ in self.shape[:-1]), self.shape[-1])
        for layer, state in self:
            copy_weights(state, layer.init(rng, one, self.dtype))

    def forward(self, x: Array) -> Iterator[tuple[Layer, State]]:
        """Run blocks forward from the input on; each is given once it has run."""
        for layer, state in self:
            x = layer.forward(state, x)
            yield layer, state


def _share_parameters(state: State, other: State) -> None:
    state.grads, state.workspace = other.grads, other.workspace
    for mine, its in zip(state.children, other.children, strict=True):
        _share_parameters(mine, its)


def _share_arrays(state: State, other: State) -> None:
    state.saved |= {name: array for name, array in other.saved.items() if name.startswith("d")}
    for mine, its in zip(state.children, other.children, strict=True):
        _share_arrays(mine, its)
