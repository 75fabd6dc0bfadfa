"""Phase diagrams: points against a naive network and closed forms, and what the table says of them."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kernels.activations import ACTIVATIONS
from suites import draws, phase
from suites.attenuation import streams
from suites.errors import UserError
from suites.phase import decades, depth_scale, diagram
from suites.schema import merge

SMALL = {"points": 2, "depth": 5, "width": 10, "batch": 3, "seeds": 2}


def _rows(cells):
    return merge([phase.measure(cell) for cell in cells])


def test_the_plane():
    cells = phase.cells(activations=["tanh", "relu"], points=3, largest_weight_variance=3, largest_bias_variance=0.5)
    assert [(cell.activation, cell.bias_variance) for cell in cells] == [
        (name, sb2) for name in ("tanh", "relu") for sb2 in (0.0, 0.25, 0.5)
    ]
    assert all(cell.weight_variances == (1.0, 2.0, 3.0) for cell in cells)
    (only,) = phase.cells(points=1)
    assert (only.weight_variances, only.bias_variance) == ((4.0,), 0.0)


@pytest.mark.parametrize(
    "wrong", [{"points": 0}, {"largest_weight_variance": 0.0}, {"largest_bias_variance": math.nan}, {"depth": 0}]
)
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(UserError, match="must be"):
        phase.cells(**wrong)


@pytest.mark.parametrize(("dtype", "accuracy"), [("float32", 1e-5), ("float64", 1e-12)])
def test_a_point_against_a_naive_network(dtype, accuracy):
    cell = phase.cells(activations=["gelu"], dtype=dtype, largest_weight_variance=3.0, seed=4, **SMALL)[1]
    table = phase.measure(cell)
    row, f = ACTIVATIONS["gelu"], table[(table.weight_variance == 1.5) & (table.metric == "fixed_point_variance")]
    assert cell.bias_variance == 0.4
    weights, inputs, injected = streams(4)
    layers = []
    for _ in range(5):
        W = weights.standard_normal((10, 10), dtype=np.float32).astype(np.float64) * math.sqrt(1.5 / 10)
        layers.append((W, weights.standard_normal(10) * math.sqrt(0.4)))
    x = inputs.standard_normal((3, 10))
    h = x * math.sqrt((f.value.item() - 0.4) / np.mean((x @ layers[0][0]) ** 2))
    points = []
    for W, b in layers:
        points.append(h @ W + b)
        h = row.reference(points[-1], None)
    g = injected.standard_normal((3, 10))
    start = np.linalg.norm(g)
    for (W, _), z in zip(reversed(layers), reversed(points), strict=True):
        g = (g * row.reference_derivative(z, None)) @ W.T
    here = table[(table.weight_variance == 1.5) & (table.metric == "log10_gradient") & (table.seed == 4)]
    assert here.value.item() == pytest.approx(math.log10(np.linalg.norm(g) / start), abs=accuracy)


def test_relu_is_critical_whatever_the_biases():
    """chi = sw2 / 2 everywhere; with biases the variance grows without end beyond sw2 = 2."""
    cells = phase.cells(activations=["relu"], points=4, depth=20, width=64, seeds=4)
    table = diagram(_rows(cells))
    assert table.chi.to_numpy() == pytest.approx((table.weight_variance / 2).to_numpy(), rel=1e-12)
    assert table.critical_weight_variance.to_numpy() == pytest.approx(2.0, rel=1e-12)
    assert dict(zip(table.weight_variance, table.phase, strict=True)) == {
        1.0: "vanishes", 2.0: "critical", 3.0: "explodes", 4.0: "explodes",
    }  # fmt: skip
    assert table.predicted_decades_per_layer.to_numpy() == pytest.approx(
        np.log10(table.weight_variance.to_numpy() / 2) / 2, abs=1e-12
    )
    assert table.decades_per_layer.to_numpy() == pytest.approx(table.predicted_decades_per_layer.to_numpy(), abs=0.03)
    grows = table[(table.bias_variance > 0) & (table.weight_variance >= 2)]
    assert np.isinf(grows.fixed_point_variance).all()
    assert table[table.weight_variance == 1].depth_scale.to_numpy() == pytest.approx(1 / math.log(2), rel=1e-9)


def test_tanh_is_ordered_on_one_side_of_its_line_and_chaotic_on_the_other():
    table = diagram(_rows(phase.cells(activations=["tanh"], points=4, depth=20, width=96, seeds=4)))
    beyond = table.weight_variance > table.critical_weight_variance
    assert (table.phase[beyond] != "vanishes").all()
    assert (table.phase[~beyond] != "explodes").all()
    assert (table.decades_per_layer[beyond & (table.phase == "explodes")] > 0).all()
    assert (table.decades_per_layer[table.phase == "vanishes"] < 0).all()
    assert table.decades_per_layer.to_numpy() == pytest.approx(table.predicted_decades_per_layer.to_numpy(), abs=0.02)
    assert table.critical_weight_variance.is_monotonic_increasing
    settled = table[table.fixed_point_variance > 0]
    assert settled.predicted_decades_per_layer.to_numpy() == pytest.approx(
        np.log10(settled.chi.to_numpy()) / 2, abs=1e-6
    )
    assert (table.decades_per_layer_low < table.decades_per_layer).all()


def test_an_unstable_critical_point_is_no_line():
    table = diagram(_rows(phase.cells(activations=["gelu"], **SMALL)))
    assert table[table.bias_variance == 0].critical_weight_variance.isna().all()
    assert table[table.bias_variance > 0].critical_weight_variance.notna().all()


def test_narrow_layers_with_large_biases_have_inputs():
    """The mean square of ten biases may well be above the variance that theory settles at."""
    table = diagram(_rows(phase.cells(activations=["tanh"], largest_bias_variance=30.0, **SMALL)))
    assert np.isfinite(table.decades_per_layer).all()


def test_rates():
    assert decades(0.01) == pytest.approx(-1)
    assert decades(0.0) == -math.inf
    assert math.isnan(decades(math.nan))
    assert depth_scale(math.exp(-0.25)) == pytest.approx(4)
    assert depth_scale(math.e) == pytest.approx(-1)
    assert depth_scale(1.0) == depth_scale(1 - 1e-15) == math.inf
    assert depth_scale(0.0) == depth_scale(math.inf) == 0.0
    assert math.isnan(depth_scale(math.nan))


def test_points_that_share_their_draws_are_as_if_they_did_not():
    cell = phase.cells(points=2, depth=3, width=8, batch=4, seeds=2)[1]
    draws.forget()
    first = phase.measure(cell)
    phase.measure(replace(cell, activation="relu"))
    pd.testing.assert_frame_equal(phase.measure(cell), first)
    draws.forget()
    second = replace(cell, weight_variances=cell.weight_variances[1:])
    alone = first[first.weight_variance == cell.weight_variances[1]].reset_index(drop=True)
    pd.testing.assert_frame_equal(phase.measure(second), alone)
