"""Layers without matrix products, losses, and deep networks of every architecture.

Inputs and upstream gradients are standard normal. Normalisation, softmax and losses are held against the bandwidth of
the cache level where their arrays live, each array counted once; architectures against multiply-adds.
"""

from functools import partial

import numpy as np
from scipy.special import log_softmax

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS
from kernels.batch_norm import batch_norm
from kernels.checks import DTYPES
from kernels.layer import empty
from kernels.layer_norm import layer_norm
from kernels.loss import mse, softmax_cross_entropy
from kernels.rms_norm import rms_norm
from kernels.softmax import softmax_backward, softmax_forward
from suites import gate, layers, norm_gate
from suites.grids import grid
from suites.measure import Work
from suites.sizes import LOGITS, ROWS, first

NORMS = {"layer_norm": layer_norm, "rms_norm": rms_norm, "batch_norm": batch_norm}
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
    call = {
        "cross_entropy": lambda: softmax_cross_entropy(dx, x, labels),
        "mse": lambda: mse(dx, x, target),
    }[loss]

    def check():
        gate.poison(dx)
        expected, gradient = wanted[loss](x.astype(np.float64))
        gate.close(f"{loss} {size} {dtype}: loss", np.array([call()], dtype), np.array([expected]))
        gate.close(f"{loss} {size} {dtype}: gradient", dx, gradient)

    wanted = {
        "cross_entropy": lambda wide: cross_entropy(wide, labels),
        "mse": lambda wide: (np.square(wide - target).mean(), 2 * (wide - target) / wide.size),
    }
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
    network = row.build(ACTIVATIONS[activation], INITIALIZERS["xavier_normal"], WIDTH, DEPTH)
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


def cross_entropy(logits, labels):
    """The loss and its gradient in float64."""
    logarithms, at = log_softmax(logits, axis=1), (np.arange(len(labels)), labels)
    gradient = np.exp(logarithms)
    gradient[at] -= 1
    return -logarithms[at].mean(), gradient / len(labels)
