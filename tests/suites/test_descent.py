"""The way back beyond the range of floating point, and what float32 keeps: against NumPy, float64, and itself."""

import math

import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES
from kernels.initializers import INITIALIZERS
from suites import depth
from suites.attenuation import streams
from suites.blocks import Blocks
from suites.descent import descend

FROM_OUTPUT = {
    "sigmoid": lambda y: y * (1 - y),
    "tanh": lambda y: 1 - y * y,
    "elu": lambda y: np.where(y > 0, 1, y + 1),
}


def measured(architecture="plain", activation="sigmoid", initializer="xavier_normal", **grid):
    names = {"architectures": [architecture], "activations": [activation], "initializers": [initializer]}
    (cell,) = depth.cells(**names, **grid)
    return depth.measure(cell)


def values(table, metric, parameter=None):
    """The values of a metric along the positions, of one seed."""
    table = table[table.metric == metric]
    table = table if parameter is None else table[table.parameter == parameter]
    return table.sort_values("position").value.to_numpy()


def naive(activation, scale, seed, shape, layers, slope=None):
    """Gradients at every position of a float32 network in NumPy, by the derivative or by slope(y)."""
    _, width = shape
    rng, inputs, injected = streams(seed)
    weights = [rng.standard_normal((width, width), dtype=np.float32) * np.float32(scale) for _ in range(layers)]
    x = inputs.standard_normal(shape)
    h = [(x / np.sqrt(np.mean((x @ weights[0].astype(np.float64)) ** 2))).astype(np.float32)]
    z, row = [], ACTIVATIONS[activation]
    for W in weights:
        z.append(h[-1] @ W)
        h.append(row.reference(z[-1].astype(np.float64), row.a).astype(np.float32))
    gradients = [injected.standard_normal(shape).astype(np.float32)]
    for W, point, y in zip(weights[::-1], z[::-1], h[:0:-1], strict=True):
        exact = row.reference_derivative(point.astype(np.float64), row.a).astype(np.float32)
        gradients.append((gradients[-1] * (exact if slope is None else slope(y)).astype(np.float32)) @ W.T)
    return gradients[::-1]


@pytest.mark.parametrize("seed", [3, 11])
def test_where_float32_loses_the_gradient(seed):
    table = measured(depths=[90], widths=[8], batch=3, seeds=1, seed=seed)
    gradients = naive("sigmoid", 8**-0.5, seed, (3, 8), 90)
    largest = np.array([np.abs(g).max() for g in gradients])
    subnormal, zero = values(table, "first_subnormal_position"), values(table, "first_zero_position")
    assert subnormal == max(np.flatnonzero(largest < np.finfo(np.float32).tiny))
    assert zero == max(np.flatnonzero(largest == 0))
    kept = values(table, "float32_gradient")
    assert np.isneginf(kept[: int(zero.item()) + 1]).all()
    assert np.isfinite(kept[int(zero.item()) + 1 :]).all()
    assert np.isfinite(values(table, "log10_gradient")).all()


def test_where_float64_would_lose_it_is_told_of_a_float32_run():
    size = {"depths": [600], "widths": [8], "batch": 3, "seeds": 2}
    narrow, wide = measured(**size), measured(**size, dtypes=["float64"])
    for name in ("first_subnormal_position", "first_zero_position"):
        derived, found = values(narrow, f"float64_{name}"), values(wide, name)
        assert (found > 0).all()
        assert np.abs(derived - found).max() <= 1
    assert np.isnan(values(measured(depths=[90], widths=[8], batch=3, seeds=1), "float64_first_zero_position")).all()


def test_a_gradient_that_is_kept_is_lost_nowhere():
    table = measured(activation="relu", initializer="he_normal", depths=[9], widths=[16], batch=4, seeds=1)
    assert np.isnan(values(table, "first_subnormal_position")).all()
    assert np.isnan(values(table, "first_zero_position")).all()
    assert "from_output_gradient" not in set(table.metric)


@pytest.mark.parametrize(
    ("activation", "initializer", "scale", "width", "seed"),
    [
        ("tanh", "saturating", 32 / 2, 4, 1),
        ("tanh", "saturating", 32 / 2, 4, 8),
        ("sigmoid", "saturating", 32 / 8**0.5, 8, 2),
        ("elu", "saturating", 32 / 8**0.5, 8, 4),
        ("tanh", "lecun_normal", 1 / 8**0.5, 8, 5),
    ],
)
def test_what_the_derivative_from_the_output_loses(activation, initializer, scale, width, seed):
    """A pass in float32 by NumPy, in which the slope comes from the output."""
    table = measured(
        activation=activation, initializer=initializer, depths=[6], widths=[width], batch=1, seed=seed, seeds=1
    )
    gradients = naive(activation, scale, seed, (1, width), 6, FROM_OUTPUT[activation])
    norms = np.array([np.linalg.norm(g.astype(np.float64)) for g in gradients])
    with np.errstate(divide="ignore"):
        expected = np.log10(norms) - np.log10(norms[-1])
    found = values(table, "from_output_gradient")
    assert np.array_equal(np.isneginf(found), np.isneginf(expected))
    assert found[np.isfinite(found)] == pytest.approx(expected[np.isfinite(found)], abs=0.02)


def test_saturated_outputs_lose_decades():
    """One sample, few units: where all saturate, the slope from the output is exactly 0, and the slope is not."""
    table = measured(activation="tanh", initializer="saturating", depths=[12], widths=[3], batch=1, seeds=1, seed=6)
    lost = values(table, "log10_gradient") - values(table, "from_output_gradient")
    assert lost[0] > 1


def test_weight_gradients_beyond_the_range_of_both_factors():
    """Activations shrink on their way up, gradients on theirs down: each product is 1e-60, neither factor is."""
    grid = {"activation": "tanh", "initializer": "too_small", "depths": [36], "widths": [8], "batch": 3, "seeds": 1}
    single, double = measured(**grid), measured(**grid, dtypes=["float64"])
    normal = slice(0, 20)  # layers whose inputs are normal numbers of float32
    found, exact = (values(table, "log10_weight_gradient", "W")[normal] for table in (single, double))
    assert (exact < -45).all()
    assert found == pytest.approx(exact, abs=1e-4)
    gone = values(single, "forward_variance")[:-1] == 0
    assert gone.any()
    assert np.isneginf(values(single, "log10_weight_gradient", "W")[gone]).all()


def passed(architecture, activation, layers):
    """A float32 network of 8 units and its blocks after a forward pass, and a gradient."""
    network = ARCHITECTURES[architecture].build(ACTIVATIONS[activation], INITIALIZERS["he_normal"], 8, layers)
    blocks = Blocks(network, network, (8, 8), np.dtype(np.float32))
    blocks.put(blocks.drawn(np.random.default_rng(2)))
    x, dy = np.random.default_rng(3).standard_normal((2, 8, 8), dtype=np.float32)
    blocks.forward(x)
    return network, blocks, dy


def test_gradients_that_explode():
    """What starts 2^100 times smaller overflows some 360 layers later, and is the same beyond."""
    network, blocks, dy = passed("batchnorm", "relu", 600)
    high, low = descend(network, blocks, dy), descend(network, blocks, np.ldexp(dy, -100))
    assert not math.isfinite(high.stored.norms[0])
    assert 40 < high.norms[0] - high.norms[-1] < 90
    shift = 100 * math.log10(2)
    assert high.norms - low.norms == pytest.approx(shift, abs=1e-6)
    assert high.norms[300:] == pytest.approx(high.stored.norms[300:], abs=1e-6)
    for name in ("W", "gamma", "beta"):
        assert high.weight_norms[name] - low.weight_norms[name] == pytest.approx(shift, abs=1e-5), name


def test_ten_thousand_layers():
    table = measured(depths=[10_000], widths=[16], batch=2, seeds=1, seed=9)
    (total,) = values(table, "log10_gradient")[:1]
    assert total == pytest.approx(values(table, "predicted_log10_gradient")[0], rel=0.05)
    assert total < -5000
    assert np.isfinite(values(table, "log10_weight_gradient")).all()
    assert values(table, "float32_gradient")[0] == -math.inf


@pytest.mark.parametrize("architecture", ["plain", "batchnorm"])
def test_twice_the_loss_adds_log10_of_2(architecture):
    network, blocks, dy = passed(architecture, "relu", 60)
    once, twice = descend(network, blocks, dy), descend(network, blocks, 2 * dy)
    assert twice.norms - once.norms == pytest.approx(math.log10(2), abs=1e-12)
    for name, norms in once.weight_norms.items():
        assert twice.weight_norms[name] - norms == pytest.approx(math.log10(2), abs=1e-12), name
