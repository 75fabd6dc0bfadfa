"""Layer = (init, forward, backward): how layers are put together, and where their arrays live.

A layer's State is made once for one input shape and dtype; every array that forward and backward
write is allocated there, so that a training step allocates nothing.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any

import numpy as np

from kernels.checks import as_dtype, check_input, check_shape, check_size
from kernels.intrinsics import load, store
from kernels.jit import kernel

Array = np.ndarray[Any, Any]
DType = np.dtype[Any]

LINE = 64  # bytes of a cache line


@dataclass
class State:
    """The arrays of one layer.

    params and grads have the same keys and shapes, but for a dense layer's W whose gradient is emptied, which has
    backward leave out all of that layer's; backward overwrites grads. saved has "y", the output, "dx", the gradient of
    the input, and what backward needs ("x", "z", "h" ...); a name that starts with d is a gradient. buffers are what
    forward carries from step to step besides parameters, such as BatchNorm's running statistics. workspace is room for
    a pass's own use, such as packed weights: nothing there is kept from one pass to the next. training: whether
    forward treats x as a training batch, or evaluates; set_training sets it for the children, too. children are the
    states of the layers this one is made of.
    """

    params: dict[str, Array] = field(default_factory=dict)
    grads: dict[str, Array] = field(default_factory=dict)
    saved: dict[str, Array] = field(default_factory=dict)
    buffers: dict[str, Array] = field(default_factory=dict)
    workspace: dict[str, Array] = field(default_factory=dict)
    training: bool = True
    children: list["State"] = field(default_factory=list)


@dataclass(frozen=True)
class Layer:
    """Three functions. After backward, saved["dx"] of a state is the gradient at that layer's input.

    init(rng, shape, dtype): draws the parameters and allocates every array for inputs of that shape; TypeError or
    ValueError, naming the argument, for what is no generator, no shape for this layer, or neither float32 nor float64.
    forward(state, x): y, which is state.saved["y"]; keeps a reference to x as saved["x"], which backward needs.
    backward(state, dy): dx, given dy at the output of the last forward; fills state.grads. RuntimeError before any.
    layers: those it is made of, in the order of its state's children.
    activation: the row of ACTIVATIONS that it applies, in a layer that has one; to saved["z"] where there is a z.
    scale: what a residual layer multiplies its branch by.
    """

    init: Callable[[np.random.Generator, tuple[int, ...], DType], State]
    forward: Callable[[State, Array], Array]
    backward: Callable[[State, Array], Array]
    name: str
    layers: tuple["Layer", ...] = ()
    activation: Any = None
    scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "init", _checked(self.init))


def _checked(init: Callable[..., State]) -> Callable[..., State]:
    """init, for any rng, shape and dtype that somebody may give it."""

    @wraps(init)
    def checked(rng: Any, shape: Any, dtype: Any) -> State:
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"rng must be a numpy.random.Generator, got {rng!r}")
        check_shape(shape)
        return init(rng, shape, as_dtype(dtype))

    return checked


def empty(shape: tuple[int, ...], dtype: DType, memory: Callable[..., Array] = np.empty) -> Array:
    """An uninitialised array, zeros where memory is np.zeros, that starts on a cache line, which vector loads want."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    whole = memory(size + LINE, np.uint8)
    start = -whole.ctypes.data % LINE
    return whole[start : start + size].view(dtype).reshape(shape)


def trainable(**params: Array) -> State:
    """A state of these parameters, moved to memory of their own, and of as many gradients."""
    state = State()
    for name, values in params.items():
        state.params[name] = empty(values.shape, values.dtype)
        state.params[name][...] = values
        state.grads[name] = empty(values.shape, values.dtype, np.zeros)
    return state


def accept(state: State, name: str, array: Array, like: Array) -> None:
    """Check x, given to forward, or dy, given to backward, and keep it as saved[name]; unchanged it passes quickly.

    Raises TypeError or ValueError, naming the array, where its shape or dtype is not that of like, and RuntimeError
    where there is a dy before any x.
    """
    if state.saved.get(name) is not array or array.shape != like.shape or array.dtype is not like.dtype:
        check_input(name, array, like.dtype, *like.shape)
        if name == "dy" and "x" not in state.saved:
            raise RuntimeError("backward needs what forward keeps, which has not been called with this state")
        state.saved[name] = array


def chain(*layers: Layer) -> Layer:
    """One layer after another. children[l].saved["y"] is the value at position l + 1, "dx" the gradient at l."""
    if not layers:
        raise ValueError("layers must not be empty")
    for layer in layers:
        if not isinstance(layer, Layer):
            raise TypeError(f"layers must be Layers, one after another, got {type(layer).__name__}")

    def init(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> State:
        children = []
        for layer in layers:
            children.append(layer.init(rng, shape, dtype))
            shape = children[-1].saved["y"].shape
        ends = {"y": children[-1].saved["y"], "dx": children[0].saved["dx"]}
        return State(saved=ends, children=children)

    def forward(state: State, x: Array) -> Array:
        for layer, child in zip(layers, state.children, strict=True):
            x = layer.forward(child, x)
        return x

    def backward(state: State, dy: Array) -> Array:
        for layer, child in zip(reversed(layers), reversed(state.children), strict=True):
            dy = layer.backward(child, dy)
        return dy

    return Layer(init, forward, backward, " > ".join(layer.name for layer in layers), layers)


def repeat(layer: Layer, n: int) -> Layer:
    """A chain of n such layers, each with parameters of its own; TypeError or ValueError unless n is 1 or more."""
    check_size("n", n)
    whole = chain(*[layer] * n)
    return replace(whole, name=f"{n} x {layer.name}")


@kernel()
def _add_scaled(out, x, h, scale):
    for i in range(out.size):
        store(out, i, load(x, i) + scale * load(h, i))


@kernel()
def _scale(out, x, scale):
    for i in range(out.size):
        store(out, i, scale * load(x, i))


def residual(layer: Layer, scale: float = 1.0) -> Layer:
    """y = x + scale * layer(x); the layer must keep the shape (ValueError)."""

    def init(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> State:
        child = layer.init(rng, shape, dtype)
        if child.saved["y"].shape != shape:
            raise ValueError(f"layer must keep the shape {shape}, it makes {child.saved['y'].shape}")
        names = ("y", "dx") if scale == 1.0 else ("y", "dx", "dh")
        return State(saved={name: empty(shape, dtype) for name in names}, children=[child])

    def forward(state: State, x: Array) -> Array:
        y = state.saved["y"]
        accept(state, "x", x, y)
        h = layer.forward(state.children[0], x)
        _add_scaled(y.reshape(-1), x.reshape(-1), h.reshape(-1), y.dtype.type(scale))
        return y

    def backward(state: State, dy: Array) -> Array:
        dx, dh = state.saved["dx"], dy
        accept(state, "dy", dy, dx)
        if scale != 1.0:
            dh = state.saved["dh"]
            _scale(dh.reshape(-1), dy.reshape(-1), dh.dtype.type(scale))
        branch = layer.backward(state.children[0], dh)
        _add_scaled(dx.reshape(-1), dy.reshape(-1), branch.reshape(-1), dx.dtype.type(1.0))
        return dx

    return Layer(init, forward, backward, f"x + {scale:g} {layer.name}", (layer,), scale=scale)


def activations(layer: Layer, state: State) -> Iterator[tuple[Any, State]]:
    """Walk (activation, state) of the layers that apply one: saved["y"] = f(saved["z"])."""
    if layer.activation is not None and "z" in state.saved:
        yield layer.activation, state
    for part, child in zip(layer.layers, state.children, strict=True):
        yield from activations(part, child)


def parameters(state: State, path: str = "") -> Iterator[tuple[str, Array, Array]]:
    """Walk (path, parameter, gradient); the path counts children from 0: "3.W", "2.0.b"."""
    for name, parameter in state.params.items():
        yield path + name, parameter, state.grads[name]
    for i, child in enumerate(state.children):
        yield from parameters(child, f"{path}{i}.")


def set_training(state: State, training: bool) -> None:
    """Make forward treat what follows as training batches, or evaluate, in this layer and those it is made of."""
    state.training = training
    for child in state.children:
        set_training(child, training)


def copy_weights(target: State, source: State) -> None:
    """Copy every parameter and buffer from a state of the same layer, which may be for another batch."""
    for mine, theirs in ((target.params, source.params), (target.buffers, source.buffers)):
        for name, array in theirs.items():
            mine[name][...] = array
    for child, other in zip(target.children, source.children, strict=True):
        copy_weights(child, other)


def saved_memory(state: State) -> dict[int, int]:
    """Memory (by an id of its own) -> bytes of everything that forward keeps for backward; gradients not."""

    def walk(state: State) -> Iterator[Array]:
        yield from (array for name, array in state.saved.items() if not name.startswith("d"))
        for child in state.children:
            yield from walk(child)

    sizes: dict[int, int] = {}
    for array in walk(state):
        owner = id(array if array.base is None else array.base)
        sizes[owner] = max(sizes.get(owner, 0), array.nbytes)  # y is a part of h
    return sizes


def saved_bytes(state: State) -> int:
    """Bytes of everything that forward keeps for backward, each memory counted once; gradients not."""
    return sum(saved_memory(state).values())
