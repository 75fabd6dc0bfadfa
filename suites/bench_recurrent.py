"""Recurrent sequences: the unrolled RNN with every activation, forward, backward and both.

Inputs and the gradients that enter at every step are standard normal; weights by xavier_normal. ns_per_element is
the time of one step of one unit.
"""

import numpy as np

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS
from kernels.checks import DTYPES
from suites import layer_gate
from suites.grids import grid
from suites.measure import Work, directions

# steps, batch, inputs and hidden units
SHAPES = {"T100-N32-H128": (100, 32, 128, 128), "T100-N1-H64": (100, 1, 64, 64)}
QUICK = "T100-N32-H128"
PASSES = {"forward": 1, "backward": 2, "forward_backward": 3}


@grid(
    quick=lambda dtype, direction, shape, **_: (dtype, direction, shape) == ("float32", "forward_backward", QUICK),
    activation=ACTIVATIONS,
    direction=PASSES,
    shape=SHAPES,
    dtype=DTYPES,
)
def test_rnn(timed, seed, activation, direction, shape, dtype):
    steps, batch, inputs, hidden = SHAPES[shape]
    layer = ARCHITECTURES["rnn"].build(ACTIVATIONS[activation], INITIALIZERS["xavier_normal"], hidden)
    state = layer.init(np.random.default_rng(seed), (steps, batch, inputs), DTYPES[dtype])
    rng = np.random.default_rng(seed + 1)
    x = rng.standard_normal((steps, batch, inputs)).astype(dtype)
    dy = rng.standard_normal((steps, batch, hidden)).astype(dtype)

    def check():
        layer_gate.poison(state)
        layer.forward(state, x)
        layer.backward(state, dy)
        layer_gate.check_rnn(f"rnn {activation} {shape} {dtype}", state, ACTIVATIONS[activation])

    work = Work(
        op="rnn",
        activation=activation,
        direction=direction,
        shape=(steps, batch, hidden),
        dtype=dtype,
        size=shape,
        flop=2.0 * PASSES[direction] * steps * batch * hidden * (inputs + hidden),
    )
    timed(work, directions(layer, state, x, dy)[direction], check)
