"""Blocks that share gradient memory: every gradient is, in its turn, that of a network with memory of its own."""

from itertools import combinations

import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES
from kernels.initializers import INITIALIZERS
from kernels.layer import saved_bytes
from suites.blocks import Blocks
from suites.draws import undrawn
from suites.naming import named

DEEP = [name for name, row in ARCHITECTURES.items() if "depth" in row.kinds]


@pytest.mark.parametrize("architecture", DEEP)
def test_every_gradient_is_that_of_a_network_of_its_own(architecture):
    row = ARCHITECTURES[architecture]
    rule = INITIALIZERS["framework_default"]
    network, bare = (row.build(ACTIVATIONS["prelu"], each, 8, 5) for each in (rule, undrawn(rule)))
    shape = (3, 4, 8) if "time" in row.kinds else (4, 8)
    dtype = np.dtype(np.float64)
    blocks = Blocks(network, bare, shape, dtype)
    for seed in (0, 1):
        blocks.put(blocks.drawn(np.random.default_rng(seed)))
        state = network.init(np.random.default_rng(seed), shape, dtype)
        x, dy = np.random.default_rng(seed + 9).standard_normal((2, *shape))
        network.forward(state, x)
        network.backward(state, dy)
        blocks.forward(x)
        for mine, own in zip(blocks.states, state.children, strict=True):
            assert mine.saved["y"].tobytes() == own.saved["y"].tobytes()
        for (layer, mine), own in reversed([*zip(blocks, state.children, strict=True)]):
            dy = layer.backward(mine, dy)
            assert dy.tobytes() == own.saved["dx"].tobytes()
            for name, (_, gradient) in named(own).items():
                assert named(mine)[name][1].tobytes() == gradient.tobytes(), name


def test_gradients_have_the_memory_of_two_blocks():
    network = ARCHITECTURES["plain"].build(ACTIVATIONS["tanh"], INITIALIZERS["he_normal"], 8, 6)
    blocks = Blocks(network, network, (4, 8), np.dtype(np.float32))
    blocks.put(blocks.drawn(np.random.default_rng(0)))
    assert len({id(state.grads["W"]) for state in blocks.states}) == 1
    assert len({id(state.saved["dx"]) for state in blocks.states}) == 2
    for kind, name in (("params", "W"), ("params", "b"), ("saved", "y"), ("saved", "z")):
        arrays = [getattr(state, kind)[name] for state in blocks.states]
        assert not any(np.may_share_memory(*pair) for pair in combinations(arrays, 2))


def test_a_block_takes_as_much_memory_however_deep_it_is():
    network = ARCHITECTURES["residual"].build(ACTIVATIONS["tanh"], INITIALIZERS["he_normal"], 8, 60)
    blocks = Blocks(network, network, (4, 8), np.dtype(np.float32))

    def memory(state):
        return [array.base.nbytes for part in (state, *state.children) for array in part.saved.values()]

    assert memory(blocks.states[-1]) == memory(blocks.states[3])


@pytest.mark.parametrize("architecture", DEEP)
def test_arrays_of_a_block_lie_as_those_of_a_layer_do(architecture):
    row = ARCHITECTURES[architecture]
    network = row.build(ACTIVATIONS["prelu"], INITIALIZERS["he_normal"], 8, 4)
    shape = (3, 4, 8) if "time" in row.kinds else (4, 8)
    blocks = Blocks(network, network, shape, np.dtype(np.float32))

    def layout(state):
        """Which arrays share memory, and how each lies there."""
        arrays = [array for part in walk(state) for array in [*part.params.values(), *part.saved.values()]]
        together = [[np.may_share_memory(one, other) for other in arrays] for one in arrays]
        return together, [(array.shape, array.strides, array.dtype) for array in arrays]

    def walk(state):
        yield state
        for child in state.children:
            yield from walk(child)

    assert layout(blocks.states[2]) == layout(blocks.states[0])
    assert layout(blocks.states[3]) == layout(network.layers[3].init(np.random.default_rng(0), shape, "f4"))
    assert saved_bytes(blocks.states[3]) == saved_bytes(blocks.states[0])
    for part in walk(blocks.states[3]):
        assert all(value.ctypes.data % 64 == 0 for value in part.saved.values() if value.size == np.prod(shape))


@pytest.mark.parametrize("architecture", DEEP)
def test_a_pass_of_inputs_alone_gives_the_same_bits_and_leaves_the_gradients_of_dense_weights(architecture):
    row, rule = ARCHITECTURES[architecture], INITIALIZERS["xavier_normal"]
    network, bare = (row.build(ACTIVATIONS["tanh"], each, 8, 3) for each in (rule, undrawn(rule)))
    shape = (3, 4, 8) if "time" in row.kinds else (4, 8)
    blocks = Blocks(network, bare, shape, np.dtype(np.float32))
    blocks.put(blocks.drawn(np.random.default_rng(0)))
    x, dy = np.random.default_rng(1).standard_normal((2, *shape)).astype(np.float32)
    blocks.forward(x)

    def back(dy):
        for layer, state in reversed([*blocks]):
            dy = layer.backward(state, dy)
        return dy.tobytes()

    expected = back(dy)
    gradients = {name: (gradient, gradient.tobytes()) for name, (_, gradient) in named(blocks.states[0]).items()}
    with blocks.of_inputs_alone():
        assert back(2 * dy) != expected
        assert back(dy) == expected
        left_out = [name for name, (_, gradient) in named(blocks.states[0]).items() if not gradient.size]
    after = {name: gradient for name, (_, gradient) in named(blocks.states[0]).items()}
    assert all(after[name] is gradient for name, (gradient, _) in gradients.items())
    assert all(gradients[name][1] == after[name].tobytes() for name in left_out)
    assert left_out
