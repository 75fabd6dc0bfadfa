"""Known answers of claims 1, 3 and 11 of the two documents that gradfade examines."""

import math

import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.dense import dense_activation
from kernels.initializers import INITIALIZERS
from kernels.layer import repeat

X = np.linspace(-30, 30, 600_001).astype(np.float32)  # 0 among them


def slopes(name, x=X):
    """f'(x) of the compiled kernel."""
    row, y, dx = ACTIVATIONS[name], np.empty_like(x), np.empty_like(x)
    row.forward_backward(y, dx, np.ones_like(x), x)
    return dx


def test_claim_1_the_slope_of_sigmoid_peaks_at_a_quarter_at_zero():
    df = slopes("sigmoid")
    assert df.max() == np.float32(0.25)
    assert df[X == 0] == np.float32(0.25)
    assert np.abs(X[df == np.float32(0.25)]).max() < 1e-3  # as near to 0 as float32 tells slopes apart
    assert df.min() > 0  # open at 0: no slope underflows or is lost on [-30, 30]


def test_claim_3_five_sigmoid_layers_lose_4_89_decades():
    """One neuron a layer, w = 1.5, every pre-activation where sigma' = 0.04: four factors 1.5 * 0.04.

    From the loss's gradient at layer 5's output to the first layer's output four layers lie between.
    """
    # sigma' = s(1 - s) = 0.04, and the next z = 1.5 s + b must be the same point again.
    s = (1 - math.sqrt(1 - 4 * 0.04)) / 2
    z = math.log(s / (1 - s))
    network = repeat(dense_activation(ACTIVATIONS["sigmoid"], INITIALIZERS["xavier_normal"], 1), 5)
    state = network.init(np.random.default_rng(0), (1, 1), np.dtype(np.float64))
    for child in state.children:
        child.params["W"][:] = 1.5
        child.params["b"][:] = z - 1.5 * s
    network.forward(state, np.full((1, 1), s))
    network.backward(state, np.ones((1, 1)))
    assert [float(child.saved["z"][0, 0]) for child in state.children] == pytest.approx([z] * 5)
    gradients = [float(child.saved["dx"][0, 0]) for child in state.children]
    kept = gradients[1] / 1.0  # at the first layer's output, over that at the last one's
    assert kept == pytest.approx(0.06**4) == pytest.approx(1.296e-5)
    assert -math.log10(kept) == pytest.approx(4.89, abs=0.005)
    assert gradients[0] == pytest.approx(0.06**5)


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [("sigmoid", 0.0, 0.25), ("tanh", 0.0, 1.0)],
)
def test_claim_11_ranges_of_the_smooth_slopes(name, lowest, highest):
    df = slopes(name)
    assert df.max() == np.float32(highest)
    assert df[X == 0] == np.float32(highest)
    assert (df > lowest).all()
    assert df[0] < 1e-12
    assert df[-1] < 1e-12


@pytest.mark.parametrize(("name", "values"), [("relu", [0.0, 1.0]), ("leaky_relu", [0.01, 1.0])])
def test_claim_11_ranges_of_the_slopes_with_a_kink(name, values):
    assert np.unique(slopes(name)).tolist() == [float(np.float32(value)) for value in values]


def test_claim_11_order_of_risk():
    """The mean squared slope for z ~ N(0, 1), smallest first: sigmoid, ReLU, Leaky ReLU; tanh lies below ReLU."""
    z = np.random.default_rng(0).standard_normal(200_000).astype(np.float32)
    kept = {name: float(np.mean(slopes(name, z) ** 2)) for name in ("sigmoid", "tanh", "relu", "leaky_relu")}
    assert sorted(kept, key=kept.get) == ["sigmoid", "tanh", "relu", "leaky_relu"]
