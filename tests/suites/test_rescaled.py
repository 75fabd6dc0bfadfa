"""Deep causal Transformers beyond the range of floating point, against naive float64 blocks."""

import math

import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES
from kernels.initializers import INITIALIZERS
from kernels.layer import parameters
from kernels.reference_attention import layer_backward, layer_forward
from kernels.reference_norm import layer_norm_backward, layer_norm_forward
from suites import attenuation, sequence
from suites.attenuation import streams
from suites.rescaled import norms_of, rescaled

STEPS = 4


def values(table, metric):
    return table[table.metric == metric].sort_values("position").value.to_numpy()


class Block:
    """y = LN(x + A(x)), LN(y + F(y)), in float64 NumPy."""

    def __init__(self, state, activation):
        arrays = [(path.rpartition(".")[2], value.astype(float)) for path, value, _ in parameters(state)]
        self.attention = dict(arrays[:8])
        assert [name for name, _ in arrays[8:]] == ["gamma", "beta", "W", "b", "W", "b", "gamma", "beta"]
        self.first, (self.W, self.b, self.V, self.c), self.second = (
            [value for _, value in arrays[part]] for part in (slice(8, 10), slice(10, 14), slice(14, 16))
        )
        self.row = ACTIVATIONS[activation]

    def forward(self, x):
        self.x = x
        self.middle = x + layer_forward(x, self.attention, 4, True)
        self.y = layer_norm_forward(self.middle, *self.first)
        self.z = self.y @ self.W + self.b
        self.last = self.y + self.row.reference(self.z, self.row.a) @ self.V + self.c
        return layer_norm_forward(self.last, *self.second)

    def backward(self, dy):
        dlast, *_ = layer_norm_backward(dy, self.last, self.second[0])
        dz = dlast @ self.V.T * self.row.reference_derivative(self.z, self.row.a)
        dmiddle, *_ = layer_norm_backward(dlast + dz @ self.W.T, self.middle, self.first[0])
        return dmiddle + layer_backward(dmiddle, self.x, self.attention, 4, True)[0]


def naive(cell):
    """log10 of the gradient's norm at each step of the input."""
    weights, inputs, injected = streams(cell.seed)
    build = ARCHITECTURES[cell.architecture].build
    network = build(ACTIVATIONS[cell.activation], INITIALIZERS[cell.initializer], cell.width, cell.depth, causal=True)
    shape = (cell.length + 1, cell.batch, cell.width)
    state = network.init(weights, shape, np.dtype(cell.dtype))
    blocks = [Block(child, cell.activation) for child in state.children]
    x = inputs.standard_normal(shape).astype(cell.dtype).astype(float)
    for block in blocks:
        x = block.forward(x)
    g, size = np.zeros(shape), 0.0
    g[-1] = injected.standard_normal(shape[1:])
    for block in blocks[::-1]:
        g = block.backward(g)
        norm = np.linalg.norm(g)
        g, size = g / norm, size + math.log10(norm)
    return np.log10(np.linalg.norm(g.reshape(len(g), -1), axis=1)) + size


@pytest.mark.parametrize(
    ("activation", "initializer", "depth", "dtype", "accuracy"),
    [
        ("softplus", "he_normal", 250, "float32", 2e-3),
        ("softplus", "he_normal", 250, "float64", 1e-9),
        ("tanh", "saturating", 3, "float64", 1e-8),
    ],
)
def test_a_deep_post_norm_stack(activation, initializer, depth, dtype, accuracy):
    """softplus with He's weights loses 50 decades of the last step's gradient; earlier steps keep far more."""
    grid = {"architectures": ["transformer_post"], "activations": [activation], "initializers": [initializer]}
    size = {"lengths": [STEPS - 1], "widths": [8], "depths": [depth], "batch": 1, "seeds": 1, "seed": 11}
    (cell,) = sequence.cells(**grid, **size, dtypes=[dtype])
    table, expected = sequence.measure(cell), naive(cell)
    assert values(table, "log10_gradient_norm") == pytest.approx(expected, abs=accuracy)
    if depth == 250:
        assert expected[-1] < -45
        assert expected[0] - expected[-1] > 15
    if dtype == "float32":
        assert values(table, "first_zero_position") == STEPS - 1
    else:
        assert np.array_equal(values(table, "log10_gradient"), values(table, "float64_gradient"))


@pytest.mark.parametrize("architecture", ["transformer_post", "transformer_pre"])
def test_powers_of_two_change_nothing(monkeypatch, architecture):
    """A range that ends at once sends each step back by itself."""
    size = {"lengths": [5], "widths": [8], "depths": [6], "batch": 2, "seeds": 1, "dtypes": ["float64"]}
    (cell,) = sequence.cells(architectures=[architecture], **size)
    whole = values(sequence.measure(cell), "log10_gradient_norm")
    for margin in (1015, 1022):
        monkeypatch.setattr(attenuation, "MARGIN", margin)
        table = sequence.measure(cell)
        assert values(table, "log10_gradient_norm") == pytest.approx(whole, abs=1e-9)
        assert values(table, "float64_gradient") == pytest.approx(whole - whole[-1], abs=1e-12)


def test_what_is_exactly_zero_stays_so():
    """Weights of 0 leave the skips alone: no step but the last has a gradient."""
    network = ARCHITECTURES["transformer_pre"].build(
        ACTIVATIONS["tanh"], INITIALIZERS["xavier_normal"], 4, 40, causal=True
    )
    state = network.init(np.random.default_rng(0), (3, 1, 4), np.dtype("f4"))
    for path, value, _ in parameters(state):
        value[...] = path.endswith("gamma")
    network.forward(state, np.random.default_rng(1).standard_normal((3, 1, 4)).astype("f4"))
    for size in (0.0, 1e-36, 1.0, 1e36):
        dy = np.zeros((3, 1, 4), "f4")
        dy[-1] = size
        network.backward(state, dy)
        last = math.log10(2 * size) if size else -np.inf
        gradient, powers = rescaled(network, state, dy)
        assert norms_of(gradient) - powers * math.log10(2) == pytest.approx([-np.inf, -np.inf, last], abs=1e-6)
