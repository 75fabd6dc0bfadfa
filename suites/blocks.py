"""A deep network block by block, in which blocks share the memory of what backward passes write."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property

import numpy as np

from kernels.layer import LINE, Array, DType, Layer, State, parameters, saved_memory


class Blocks:
    """The states of a network of like blocks, for x of one shape: weights and what forward keeps, one each.

    Gradients of parameters are in the memory of the first block's, those of arrays in the first two's by turns, since
    one block's dx is the next one's dy: they hold until the next block, or the one after it, has run backward.
    So a network takes as much memory as its weights and its forward pass need, and its gradients stay in the caches.
    """

    def __init__(self, network: Layer, undrawn: Layer, shape: tuple[int, ...], dtype: DType) -> None:
        """undrawn: the same network, with weights that cost nothing to draw."""
        self.layers, self.shape, self.dtype = network.layers, shape, dtype
        self.states = [layer.init(np.random.default_rng(0), shape, dtype) for layer in undrawn.layers[:2]]
        for second in self.states[1:]:
            _share_parameters(second, self.states[0])
        while len(self.states) < len(self.layers):
            self.states.append(_another(self.states[len(self.states) % 2], {}))

    def __iter__(self) -> Iterator[tuple[Layer, State]]:
        return zip(self.layers, self.states, strict=True)

    def drawn(self, rng: np.random.Generator) -> Iterator[State]:
        """The parameters and buffers of each block of a new network; how many samples there are is nothing to them."""
        one = (*(1 for _ in self.shape[:-1]), self.shape[-1])
        for layer in self.layers:
            yield _weights(layer.init(rng, one, self.dtype))

    def put(self, blocks: Iterable[State]) -> None:
        """Go on with parameters and buffers that were drawn; matrices are not copied, and must not be written."""
        for state, weights in zip(self.states, blocks, strict=True):
            _put(state, weights)

    @property
    def nbytes(self) -> int:
        """Bytes of all parameters."""
        return sum(value.nbytes for state in self.states for _, value, _ in parameters(state))

    def forward(self, x: Array) -> None:
        """Run blocks forward from the input on."""
        for layer, state in self:
            x = layer.forward(state, x)

    @contextmanager
    def of_inputs_alone(self) -> Iterator[None]:
        """Have backward leave out the gradients of dense layers' parameters: half of its time, more where they vanish.

        Then dense layers also spare the processor the sums of subnormal numbers, as kernels.subnormal says.
        """
        dense = [state for state in _all(self.states[0]) if "dz" in state.saved]
        gradients = [state.grads["W"] for state in dense]
        for state in dense:
            state.grads["W"] = np.empty((0, 0), self.dtype)
        try:
            yield
        finally:
            for state, gradient in zip(dense, gradients, strict=True):
                state.grads["W"] = gradient

    @cached_property
    def saved_bytes(self) -> list[int]:
        """What each block keeps for backward, after a forward pass, that is not kept by one below it."""
        kept: set[int] = set()
        found = []
        for state in self.states:
            memory = saved_memory(state)
            found.append(sum(size for owner, size in memory.items() if owner not in kept))
            kept |= memory.keys()
        return found


def _all(state: State) -> Iterator[State]:
    yield state
    for child in state.children:
        yield from _all(child)


def _share_parameters(state: State, other: State) -> None:
    state.grads, state.workspace = other.grads, other.workspace
    for mine, its in zip(state.children, other.children, strict=True):
        _share_parameters(mine, its)


def _another(state: State, moved: dict[int, Array]) -> State:
    """A state of a like block: what forward writes and a vector of parameters in memory of its own, with what is there.

    All else is shared, matrices too, in the place of which others will be put. moved: the new memory by the id of the
    old, so that arrays of the same memory stay that.
    """

    def own(array: Array) -> Array:
        owner = array if array.base is None else array.base
        if id(owner) not in moved:
            moved[id(owner)] = _twin(owner)
        offset = array.ctypes.data - owner.ctypes.data
        return np.ndarray(array.shape, array.dtype, moved[id(owner)], offset, array.strides)

    return State(
        params={name: value if value.ndim == 2 else own(value) for name, value in state.params.items()},
        grads=state.grads,
        saved={name: value if name.startswith("d") else own(value) for name, value in state.saved.items()},
        buffers={name: own(value) for name, value in state.buffers.items()},
        workspace=state.workspace,
        training=state.training,
        children=[_another(child, moved) for child in state.children],
    )


def _twin(memory: Array) -> Array:
    """A copy of the bytes of an array that owns them, which starts as far into a cache line."""
    whole = np.empty(memory.nbytes + LINE, np.uint8)
    start = (memory.ctypes.data - whole.ctypes.data) % LINE
    twin = whole[start : start + memory.nbytes]
    twin[:] = memory.ravel(order="K").view(np.uint8)
    return twin


def _weights(state: State) -> State:
    """Nothing of a state but its parameters and buffers."""
    return State(params=state.params, buffers=state.buffers, children=[_weights(child) for child in state.children])


def _put(state: State, weights: State) -> None:
    for name, value in weights.params.items():
        if value.ndim == 2:
            state.params[name] = value
        else:
            state.params[name][...] = value
    for name, value in weights.buffers.items():
        state.buffers[name][...] = value
    for child, its in zip(state.children, weights.children, strict=True):
        _put(child, its)
