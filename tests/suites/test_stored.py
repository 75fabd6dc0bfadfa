"""What a dtype keeps: where the gradient leaves its normal numbers, where it is gone, what the derivative from the
output loses.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.jit import scalar
from suites import depth, sequence
from suites.attenuation import streams
from suites.stored import Stored, stored_rows

GRID = {"widths": [9], "inputs": 3, "batch": 2, "seeds": 1, "seed": 3}


def values(table, metric):
    return table[table.metric == metric].sort_values("position").value.to_numpy()


def recurrence(cell, forward, slope):
    """log10 of the gradient's norm, and of its largest magnitude, at every step of an RNN, its size kept apart."""
    weights, inputs, injected = streams(cell.seed)
    scales = {n: 2 / (n + cell.width) for n in (cell.inputs, cell.width)}
    if cell.initializer == "saturating":
        scales = {n: 1024 / n for n in scales}
    Wx, Wh = (
        weights.standard_normal((n, cell.width), dtype=np.float32).astype(float) * math.sqrt(scale)
        for n, scale in scales.items()
    )
    h, slopes = np.zeros((cell.batch, cell.width)), []
    for x in inputs.standard_normal((cell.length, cell.batch, cell.inputs)):
        z = x @ Wx + h @ Wh
        h = forward(z)
        slopes.append(slope(z, h))
    g, size = injected.standard_normal((cell.batch, cell.width)), 0.0
    norms, largest = [math.log10(np.linalg.norm(g))], [math.log10(np.abs(g).max())]
    for factor in slopes[::-1]:
        g = (g * factor) @ Wh.T
        norm = np.linalg.norm(g)
        g, size = g / norm, size + math.log10(norm)
        norms.append(size)
        largest.append(size + math.log10(np.abs(g).max()))
    return np.array(norms[::-1]), np.array(largest[::-1])


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize(("dtype", "length", "smallest"), [("float32", 300, 2.0**-149), ("float64", 1500, 5e-324)])
def test_where_a_gradient_leaves_the_dtype(dtype, length, smallest):
    """To within a step: near the end of the range rounding decides."""
    (cell,) = sequence.cells(activations=["sigmoid"], dtypes=[dtype], lengths=[length], **GRID)
    table = sequence.measure(cell)
    norms, largest = recurrence(cell, sigmoid, lambda z, h: sigmoid(z) * sigmoid(-z))
    subnormal, zero = (values(table, f"first_{name}_position").item() for name in ("subnormal", "zero"))
    assert abs(subnormal - np.flatnonzero(largest < math.log10(np.finfo(dtype).smallest_normal)).max()) <= 1
    assert abs(zero - np.flatnonzero(largest < math.log10(smallest)).max()) <= 3
    kept = values(table, f"{dtype}_gradient")
    assert np.isneginf(kept[: int(zero) + 1]).all()
    assert np.isfinite(kept[int(zero) + 1 :]).all()
    assert values(table, "log10_gradient_norm") == pytest.approx(norms, abs=0.05)


def test_where_float64_would_lose_what_float32_goes_through_rescaled():
    """To within a step: it is the same gradient but for float32's roundings."""
    grid = {**GRID, "activations": ["sigmoid"], "lengths": [1500]}
    narrow, wide = (sequence.measure(*sequence.cells(**grid, dtypes=[dtype])) for dtype in ("float32", "float64"))
    for name in ("first_subnormal_position", "first_zero_position"):
        (derived,), (found,) = values(narrow, f"float64_{name}"), values(wide, name)
        assert found > 0
        assert abs(derived - found) <= 1
        assert f"float64_{name}" not in set(wide.metric)
        assert values(narrow, name)[0] > derived


def test_each_step_has_a_power_of_two_of_its_own():
    """As of a Transformer across time."""
    gradients = np.array([[3.0, -4.0], [0.0, 0.0], [0.5, 0.25], [1.0, 1.0]], np.float32).reshape(4, 1, 2)
    powers = np.array([1030, 0, 1080, 0])
    with np.errstate(divide="ignore"):
        norms = np.log10([5.0, 0.0, math.hypot(0.5, 0.25), math.sqrt(2)]) - powers * math.log10(2)
    stored = Stored(None, 3)
    stored.note(slice(None), gradients)
    stored.reach(slice(None), gradients, norms, powers)
    assert stored.beyond == pytest.approx([math.log10(4) - 1030 * math.log10(2), -math.inf,
                                           math.log10(0.5) - 1080 * math.log10(2), 0.0])  # fmt: skip
    rows = {row["metric"]: row["value"] for row in stored_rows(0, "float32", [stored])}
    assert (rows["float64_first_subnormal_position"], rows["float64_first_zero_position"]) == (2, 2)
    assert rows["first_zero_position"] == 1


@pytest.mark.parametrize(
    ("activation", "architecture", "told"),
    [("relu", "plain", False), ("tanh", "plain", True), ("relu", "residual", True)],
)
def test_where_the_forward_pass_died_out_nothing_is_told_of_float64(activation, architecture, told):
    """ReLU has no slope where float32 has 0 and float64 a number; that of tanh is 1 at both."""
    grid = {"architectures": [architecture], "activations": [activation], "initializers": ["too_small"]}
    (cell,) = depth.cells(**grid, depths=[400], widths=[9], batch=2, seeds=1)
    table = depth.measure(cell)
    positions = [values(table, f"float64_first_{name}_position").item() for name in ("subnormal", "zero")]
    if architecture == "plain":
        assert values(table, "first_zero_position").item() > 100
        assert [*map(math.isnan, positions)] == [not told] * 2
    if activation == "tanh":
        exact = values(table, "log10_gradient_norm")
        assert abs(positions[1] - np.flatnonzero(exact < -323.3).max()) <= 1


@pytest.mark.parametrize(("variance", "blind"), [(1e-80, True), (math.inf, True), (math.nan, True), (1e-70, False)])
def test_a_gradient_that_is_0_for_another_reason_is_one_of_float64_too(variance, blind):
    stored = Stored(None, 1)
    stored.note(slice(None), np.array([[0.0], [1.0]], np.float32))
    stored.beyond = np.array([-math.inf, 0.0])
    rows = {row["metric"]: row["value"] for row in stored_rows(0, "float32", [stored], [1.0, variance])}
    assert rows["first_zero_position"] == 0
    assert math.isnan(rows["float64_first_zero_position"]) == blind


def test_what_the_derivative_from_the_output_loses():
    """Saturated units of tanh: 1 - y^2 is 0 where y rounds to 1, while the slope itself is not."""
    (cell,) = sequence.cells(initializers=["saturating"], dtypes=["float64"], lengths=[7], **GRID)
    table = sequence.measure(cell)
    exact, _ = recurrence(cell, np.tanh, lambda z, h: 1 / np.cosh(z) ** 2)
    lost, _ = recurrence(cell, np.tanh, lambda z, h: 1 - h * h)
    assert values(table, "log10_gradient_norm") == pytest.approx(exact, abs=1e-9)
    assert values(table, "from_output_gradient") == pytest.approx(lost - lost[-1], abs=1e-3)
    assert np.abs(lost - exact).max() > 0.1
    assert math.isnan(values(table, "first_subnormal_position").item())
    assert math.isnan(values(table, "first_zero_position").item())


@scalar
def doubled(x, y, a):
    """Twice the slope of tanh."""
    return type(y)(2) * (type(y)(1) - y * y)


@pytest.mark.parametrize("architecture", ["rnn", "lstm", "gru", "transformer_pre"])
def test_every_architecture_goes_back_by_the_other_derivative_too(monkeypatch, architecture):
    """Of an RNN it is a factor at each step."""
    (cell,) = sequence.cells(architectures=[architecture], dtypes=["float64"], lengths=[3], **GRID)
    same = sequence.measure(cell)
    assert values(same, "from_output_gradient") == pytest.approx(values(same, "log10_gradient"), abs=1e-12)
    monkeypatch.setitem(ACTIVATIONS, "tanh", replace(ACTIVATIONS["tanh"], df_from_output=doubled))
    table = sequence.measure(cell)
    assert np.array_equal(values(table, "log10_gradient"), values(same, "log10_gradient"))
    gained = values(table, "from_output_gradient") - values(table, "log10_gradient")
    assert np.abs(gained[:3]).min() > 1e-3
    if architecture == "rnn":
        assert gained == pytest.approx(np.arange(3, -1, -1) * math.log10(2), abs=1e-12)


def test_an_activation_without_that_derivative_has_none():
    (cell,) = sequence.cells(activations=["hardtanh"], lengths=[3], **GRID)
    assert "from_output_gradient" not in set(sequence.measure(cell).metric)


@pytest.mark.parametrize(
    ("largest", "subnormal", "zero"),
    [
        ([0, 0, 1e-45, 1e-39, 1e-37, 1], 3, 1),
        ([1e-39, 1, 1, 1, 1, 1], 0, math.nan),
        ([1, 2, 3, 4, 5, math.inf], math.nan, math.nan),
        ([math.nan, math.nan, math.inf, 1, 1, 1], math.nan, math.nan),
    ],
)
def test_first_positions_on_the_way_back(largest, subnormal, zero):
    stored = Stored(None, 5)
    stored.note(slice(None), np.array(largest, np.float32).reshape(6, 1, 1))
    rows = {row["metric"]: row for row in stored_rows(4, "float32", [stored])}
    lost = {"first_subnormal_position", "first_zero_position"}
    assert rows.keys() == lost | {f"float64_{name}" for name in lost}
    found = [rows[f"first_{name}_position"]["value"] for name in ("subnormal", "zero")]
    assert found == pytest.approx([subnormal, zero], nan_ok=True)
    assert {row["seed"] for row in rows.values()} == {4}
