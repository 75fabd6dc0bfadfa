"""Dense layers: the products alone, with an activation fused in, what that adds, and a network of 50 layers.

Inputs and upstream gradients are standard normal; weights by xavier_normal. Limits are of multiply-adds: flop counts
the matrix products, forward one, backward two.
"""

from functools import partial
from statistics import median

import numpy as np

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS
from kernels.blas import matmul
from kernels.checks import DTYPES
from kernels.dense import dense_activation, dense_backward, dense_forward
from kernels.layer import empty
from suites import gate, layer_gate, layers
from suites.grids import grid
from suites.measure import Work, race
from suites.own_activations import lookup_activation

# batch, fan-in and fan-out
SHAPES = {"64x256x256": (64, 256, 256), "256x1024x1024": (256, 1024, 1024)}
DEPTH = 50
QUICK = "64x256x256"
OVERHEAD_SIDE = 1024


def normal(seed, dtype, *shapes):
    """Standard-normal arrays of these shapes."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


@grid(
    quick=lambda dtype, **_: dtype == "float32",
    direction=("forward", "backward"),
    shape=SHAPES,
    dtype=DTYPES,
)
def test_dense(timed, seed, direction, shape, dtype):
    batch, fan_in, fan_out = SHAPES[shape]
    x, dy = normal(seed, dtype, (batch, fan_in), (batch, fan_out))
    W, b = normal(seed + 1, dtype, (fan_in, fan_out), (fan_out,))
    y, dx, dW, db = (np.empty_like(array) for array in (dy, x, W, b))
    call = {
        "forward": lambda: dense_forward(y, x, W, b),
        "backward": lambda: dense_backward(dx, dW, db, dy, x, W),
    }[direction]

    def check():
        gate.poison(y, dx, dW, db)
        call()
        if direction == "forward":
            gate.product("dense forward: y", y, (x, W), plus=b)
        else:
            gate.product("dense backward: dx", dx, (dy, W.T))
            gate.product("dense backward: dW", dW, (x.T, dy))
            gate.product("dense backward: db", db, (np.ones(batch), dy))

    flop = 2.0 * layers.PASSES[direction] * batch * fan_in * fan_out
    work = Work(op="dense", activation="", direction=direction, shape=y.shape, size=shape, dtype=dtype, flop=flop)
    timed(work, call, check)


@grid(
    quick=lambda dtype, direction, shape, **_: (dtype, direction, shape) == ("float32", "forward_backward", QUICK),
    activation=ACTIVATIONS,
    direction=layers.PASSES,
    shape=SHAPES,
    dtype=DTYPES,
)
def test_dense_activation(timed, seed, activation, direction, shape, dtype):
    batch, fan_in, fan_out = SHAPES[shape]
    layer = dense_activation(lookup_activation(activation), INITIALIZERS["xavier_normal"], fan_out)
    passed = layers.prepared(layer, (batch, fan_in), dtype, seed)
    layers.time(timed, passed, direction, op="dense_activation", activation=activation, size=shape)


@grid(
    quick=lambda dtype, direction, **_: dtype == "float32" and direction == "forward_backward",
    activation=ACTIVATIONS,
    direction=layers.PASSES,
    dtype=DTYPES,
)
def test_network(timed, seed, activation, direction, dtype):
    batch, width, _ = SHAPES[QUICK]
    network = ARCHITECTURES["plain"].build(lookup_activation(activation), INITIALIZERS["xavier_normal"], width, DEPTH)
    passed = layers.prepared(network, (batch, width), dtype, seed)
    layers.time(timed, passed, direction, DEPTH, op="network", activation=activation, size=QUICK)


@grid(quick=lambda dtype, **_: dtype == "float32", activation=ACTIVATIONS, dtype=DTYPES)
def test_overhead(benchmark, timed, seed, activation, dtype):
    """What bias and activation add to the product: ratio is the layer's time over the product's, in turns."""
    side = OVERHEAD_SIDE
    layer = dense_activation(lookup_activation(activation), INITIALIZERS["xavier_normal"], side)
    state = layer.init(np.random.default_rng(seed), (side, side), DTYPES[dtype])
    (x,) = normal(seed + 1, dtype, (side, side))
    out = empty(x.shape, x.dtype)

    def check():
        layer_gate.poison(state)
        gate.poison(out)
        layer.forward(state, x)
        layer.backward(state, x)
        layer_gate.check(f"overhead {activation} {dtype}", layer, state)
        matmul(out, x, state.params["W"])
        gate.product("product", out, (x, state.params["W"]))

    work = Work(
        op="dense_overhead",
        activation=activation,
        direction="forward",
        shape=out.shape,
        size=f"{side}x{side}x{side}",
        dtype=dtype,
        flop=2.0 * side**3,
    )
    how = partial(race, rival=lambda: matmul(out, x, state.params["W"]))
    seconds = timed(work, lambda: layer.forward(state, x), check, how)
    if benchmark.enabled:
        benchmark.extra_info["ratio"] = benchmark.stats.stats.median / median(seconds)
