"""Recurrent sequences: RNN, LSTM and GRU, unrolled, forward, backward and both.

Inputs and the gradients that enter at every step are standard normal; weights by xavier_normal. ns_per_element is
the time of one step of one unit; flop counts the matrix products, forward one, backward two.
"""

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS
from kernels.checks import DTYPES
from suites import layers
from suites.grids import grid
from suites.own_activations import lookup_activation
from suites.sizes import SEQUENCES, first

CELLS = [row.name for row in ARCHITECTURES.values() if "depth" not in row.kinds]


def quick(cell, activation, direction, shape, dtype):
    """Whole passes of one size: the RNN with every activation, the others with tanh, which theirs is elsewhere."""
    one = (dtype, direction, shape) == ("float32", "forward_backward", first(SEQUENCES))
    return one and (cell == "rnn" or activation == "tanh")


@grid(
    quick=quick,
    cell=CELLS,
    activation=ACTIVATIONS,
    direction=layers.PASSES,
    shape=SEQUENCES,
    dtype=DTYPES,
)
def test_cell(timed, seed, cell, activation, direction, shape, dtype):
    steps, batch, inputs, hidden = SEQUENCES[shape]
    layer = ARCHITECTURES[cell].build(lookup_activation(activation), INITIALIZERS["xavier_normal"], hidden)
    passed = layers.prepared(layer, (steps, batch, inputs), dtype, seed)
    layers.time(timed, passed, direction, op=cell, activation=activation, size=shape)
