"""What contenders are compared on beyond activations: the numbers that all start from, and gradfade's own way.

Inputs and the gradients that enter are standard normal, weights by xavier_normal, everything float32.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from kernels import ACTIVATIONS, INITIALIZERS, OPTIMIZERS
from kernels.clipping import Clipper
from kernels.dense import dense_activation
from kernels.layer import Array, Layer, State, activations, chain, empty, repeat
from kernels.loss import mse, softmax_cross_entropy
from kernels.softmax import softmax_backward, softmax_forward
from suites.measure import nothing
from suites.naming import named

Generator = np.random.Generator
Shape = tuple[int, ...]
DTYPE = np.dtype(np.float32)
LEARNING_RATE = 1e-3
CLASSES = 10
MARGIN = 1e-5  # ten times what rounding adds up to in ten layers of numbers around 1


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One contender's way: call() is timed, read(what it returned) gives the results in gradfade's layout.

    Results: (y,) of a forward pass; y, dx and the gradients of the parameters of a backward pass; after the step of an
    optimiser the parameters. before() is called before each call and not timed.
    """

    call: Callable[[], Any]
    read: Callable[[Any], list[Any]] = list
    before: Callable[[], None] = nothing

    def results(self) -> list[Any]:
        """Those of one call, with what comes before it."""
        self.before()
        return self.read(self.call())


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The numbers of one comparison: x in, dy the gradient that comes back, params by name; own is gradfade's way.

    elements is how many numbers one call computes; given has what else there is to know (labels, heads ...).
    """

    x: Array
    dy: Array
    params: Mapping[str, Array]
    own: Mapping[str, Entry]
    elements: int
    given: Mapping[str, Any] = field(default_factory=dict)


def normal(rng: Generator, shape: Shape) -> Array:
    """Standard-normal numbers that start on a cache line."""
    array = empty(shape, DTYPE)
    rng.standard_normal(dtype=np.float32, out=array)
    return array


def layer(shape: Shape, rng: Generator, *, make: Callable[..., Layer], **given: Any) -> Problem:
    """A layer over x of that shape; make() builds it, or make(width) where shape ends with a hidden size of its own."""
    built = make()
    state = built.init(rng, shape, DTYPE)
    pairs = named(state)
    for name, (value, _) in pairs.items():
        if name.startswith(("b", "gamma")):  # what starts as 0 or 1 would hide where it is left out
            value += 0.1 * normal(rng, value.shape)
    x, dy = normal(rng, shape), normal(rng, state.saved["y"].shape)
    gradients = [gradient for _, gradient in pairs.values()]

    def both() -> list[Array]:
        return [built.forward(state, x), built.backward(state, dy), *gradients]

    own = {"forward": Entry(call=lambda: [built.forward(state, x)]), "forward_backward": Entry(call=both)}
    values = {name: value.copy() for name, (value, _) in pairs.items()}
    return Problem(x=x, dy=dy, params=values, own=own, elements=dy.size, given=given)


def recurrent(size: tuple[int, int, int, int], rng: Generator, *, make: Callable[..., Layer], **given: Any) -> Problem:
    """A recurrent layer of tanh: steps, batch, inputs and hidden units."""
    *shape, hidden = size
    build = partial(make, ACTIVATIONS["tanh"], INITIALIZERS["xavier_normal"], hidden)
    return layer(tuple(shape), rng, make=build, hidden=hidden, **given)


def softmax(shape: Shape, rng: Generator) -> Problem:
    """Softmax of rows."""
    x, dy, y, dx = normal(rng, shape), normal(rng, shape), empty(shape, DTYPE), empty(shape, DTYPE)

    def forward() -> list[Array]:
        softmax_forward(y, x)
        return [y]

    def both() -> list[Array]:
        softmax_forward(y, x)
        softmax_backward(dx, dy, y)
        return [y, dx]

    own = {"forward": Entry(call=forward), "forward_backward": Entry(call=both)}
    return Problem(x=x, dy=dy, params={}, own=own, elements=x.size)


def cross_entropy(shape: Shape, rng: Generator) -> Problem:
    """Mean softmax cross-entropy of logits (N, C): loss and dlogits."""
    logits, labels = normal(rng, shape), rng.integers(0, shape[1], shape[0])
    dlogits = empty(shape, DTYPE)
    own = Entry(call=lambda: [softmax_cross_entropy(dlogits, logits, labels), dlogits])
    return _loss(logits, own, labels=labels)


def mean_squared(shape: Shape, rng: Generator) -> Problem:
    """Mean squared error: loss and gradient."""
    y, target, dy = normal(rng, shape), normal(rng, shape), empty(shape, DTYPE)
    return _loss(y, Entry(call=lambda: [mse(dy, y, target), dy]), target=target)


def _loss(x: Array, own: Entry, **given: Any) -> Problem:
    return Problem(x=x, dy=np.ones((), DTYPE), params={}, own={"forward_backward": own}, elements=x.size, given=given)


def optimizer(shapes: tuple[Shape, ...], rng: Generator, *, name: str) -> Problem:
    """A step of an optimiser on arrays of these shapes; the parameters are its results."""
    start = [normal(rng, shape) for shape in shapes]
    grads = [normal(rng, shape) for shape in shapes]
    params = [_copy(array) for array in start]
    step = OPTIMIZERS[name].make(params, grads, LEARNING_RATE)

    def call() -> list[Array]:
        step()
        return params

    return _update(start, grads, Entry(call=call))


def clipping(shapes: tuple[Shape, ...], rng: Generator) -> Problem:
    """Gradients of these shapes clipped to a tenth of their norm, put back before each call; norm and gradients."""
    start = [normal(rng, shape) for shape in shapes]
    grads = [_copy(array) for array in start]
    limit = 0.1 * float(np.sqrt(sum(float(np.vdot(array, array)) for array in start)))
    clipper = Clipper(grads)

    def before() -> None:
        for grad, array in zip(grads, start, strict=True):
            grad[...] = array

    return _update(
        start, start, Entry(call=lambda: [clipper.by_global_norm(limit), *grads], before=before), limit=limit
    )


def _copy(array: Array) -> Array:
    """On a cache line, as the layers' own arrays are."""
    copy = empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def _update(start: list[Array], grads: list[Array], own: Entry, **given: Any) -> Problem:
    params = {f"p{i}": array for i, array in enumerate(start)}
    return Problem(
        x=np.empty(0, DTYPE),
        dy=np.empty(0, DTYPE),
        params=params,
        own={"step": own},
        elements=sum(array.size for array in start),
        given={"grads": grads, **given},
    )


def training_step(size: tuple[int, int, int], rng: Generator, *, activation: str) -> Problem:
    """Forward, cross-entropy, backward and Adam of dense layers: batch, width and depth, the last to CLASSES logits.

    Results: the loss and the gradients; the learning rate is 0, so that every step does the same work. Examples are
    drawn anew until every pre-activation is MARGIN from the activation's kinks, across which rounding could move it.
    """
    batch, width, depth = size
    initializer = INITIALIZERS["he_normal"]
    hidden = repeat(dense_activation(ACTIVATIONS[activation], initializer, width), depth - 1)
    network = chain(*hidden.layers, dense_activation(ACTIVATIONS["identity"], initializer, CLASSES))
    state = network.init(rng, (batch, width), DTYPE)
    x, labels = normal(rng, (batch, width)), rng.integers(0, CLASSES, batch)
    while (near := _close_to_kinks(network, state, x)).any():
        x[near] = normal(rng, (int(near.sum()), width))
    pairs = named(state)
    values, gradients = (list(arrays) for arrays in zip(*pairs.values(), strict=True))
    dlogits, step = empty((batch, CLASSES), DTYPE), OPTIMIZERS["adam"].make(values, gradients, 0.0)

    def call() -> list[Any]:
        loss = softmax_cross_entropy(dlogits, network.forward(state, x), labels)
        network.backward(state, dlogits)
        step()
        return [loss, *gradients]

    params = {name: value.copy() for name, (value, _) in pairs.items()}
    given = {"labels": labels, "activation": activation}
    return Problem(x=x, dy=dlogits, params=params, own={"step": Entry(call=call)}, elements=batch, given=given)


def _close_to_kinks(network: Layer, state: State, x: Array) -> Array:
    """Which examples have a pre-activation near a kink, where another rounding would be another slope."""
    network.forward(state, x)
    near = np.zeros(len(x), bool)
    for row, child in activations(network, state):
        for kink in row.kinks:
            near |= (np.abs(child.saved["z"] - kink) < MARGIN).any(axis=1)
    return near
