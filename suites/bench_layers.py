"""Layers without matrix products, losses, and deep networks of every architecture.

Inputs and upstream gradients are standard normal. Normalisation, softmax and losses are held against the bandwidth of
the cache level where their arrays live, each array counted once; architectures against multiply-adds.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS
from kernels.batch_norm import batch_norm
from kernels.checks import DTYPES
from kernels.layer import empty, set_training
from kernels.layer_norm import layer_norm
from kernels.loss import mse, softmax_cross_entropy
from kernels.rms_norm import rms_norm
from kernels.softmax import softmax_backward, softmax_forward
from suites import gate, layers, loss_gate, norm_gate
from suites.grids import grid
from suites.measure import Work
from suites.own_activations import lookup_activation
from suites.sizes import LOGITS, ROWS, first


def evaluating():
    """Batch normalisation by running statistics, which are drawn."""
    layer = batch_norm()

    def init(rng, shape, dtype):
        state = layer.init(rng, shape, dtype)
        set_training(state, False)
        state.buffers["running_mean"][...] = rng.standard_normal(shape[1])
        state.buffers["running_var"][...] = rng.uniform(0.5, 2.0, shape[1])
        return state

    return replace(layer, init=init)


NORMS = {"layer_norm": layer_norm, "rms_norm": rms_norm, "batch_norm": batch_norm, "batch_norm_evaluate": evaluating}
DEEP = [row.name for row in ARCHITECTURES.values() if "depth" in row.kinds]
DEPTH, WIDTH, BATCH, STEPS = 10, 128, 128, 64


def quick(direction, size, dtype, **_):
    """One size, both passes."""
    return (direction, size, dtype) == ("forward_backward", first(ROWS), "float32")


@grid(quick=quick, norm=NORMS, direction=layers.STREAMS, size=ROWS, dtype=DTYPES)
def test_norm(timed, seed, norm, direction, size, dtype):
    passed = layers.prepared(NORMS[norm](), ROWS[size], dtype, seed)
    layers.time(timed, passed, direction, op=norm, activation="", size=size)


@grid(quick=quick, direction=layers.STREAMS, size=ROWS, dtype=DTYPES)
def test_softmax(timed, seed, direction, size, dtype):
    x, dy, y, dx = arrays(ROWS[size], dtype, seed)
    forward, backward = partial(softmax_forward, y, x), partial(softmax_backward, dx, dy, y)
    call = {"forward": forward, "backward": backward, "forward_backward": lambda: (forward(), backward())}[direction]

    def check():
        gate.poison(y, dx)
        forward()
        backward()
        norm_gate.softmax(f"softmax {size} {dtype}", y, dx, x, dy)

    work = Work(
        op="softmax",
        activation="",
        direction=direction,
        shape=x.shape,
        dtype=dtype,
        size=size,
        **layers.bandwidth(direction, x),
    )
    timed(work, call, check, saved_bytes=y.nbytes)


@grid(
    quick=lambda size, dtype, **_: size == first(LOGITS) and dtype == "float32",
    loss=("cross_entropy", "mse"),
    size=LOGITS,
    dtype=DTYPES,
)
def test_loss(timed, seed, loss, size, dtype):
    x, target, dx, _ = arrays(LOGITS[size], dtype, seed)
    labels = np.random.default_rng(seed).integers(0, x.shape[1], len(x))
    call, right = {
        "cross_entropy": (
            lambda: softmax_cross_entropy(dx, x, labels),
            partial(loss_gate.cross_entropy, labels=labels),
        ),
        "mse": (lambda: mse(dx, x, target), partial(loss_gate.mse, target=target)),
    }[loss]

    def check():
        gate.poison(dx)
        right(f"{loss} {size} {dtype}", call(), dx, x)

    moved = {"cross_entropy": 2, "mse": 3}  # logits and their gradient; y, target and dy
    work = Work(
        op=loss,
        activation="",
        direction="forward_backward",
        shape=x.shape,
        dtype=dtype,
        size=size,
        **layers.against_bandwidth(moved[loss], x.itemsize, moved[loss] * x.nbytes),
    )
    timed(work, call, check)


@grid(
    quick=lambda activation, direction, dtype, **_: (
        (activation, direction, dtype) == ("tanh", "forward_backward", "float32")
    ),
    architecture=DEEP,
    activation=ACTIVATIONS,
    direction=layers.PASSES,
    dtype=DTYPES,
)
def test_architecture(timed, seed, architecture, activation, direction, dtype):
    row = ARCHITECTURES[architecture]
    network = row.build(lookup_activation(activation), INITIALIZERS["xavier_normal"], WIDTH, DEPTH)
    shape = (STEPS, BATCH // STEPS, WIDTH) if "time" in row.kinds else (BATCH, WIDTH)
    passed = layers.prepared(network, shape, dtype, seed)
    layers.time(timed, passed, direction, DEPTH, op=architecture, activation=activation, size=f"{DEPTH}x{WIDTH}")


def arrays(shape, dtype, seed):
    """Two standard-normal arrays and two to be written."""
    made = [empty(shape, DTYPES[dtype]) for _ in range(4)]
    rng = np.random.default_rng(seed)
    for array in made[:2]:
        rng.standard_normal(dtype=array.dtype, out=array)
    return made
