"""COMPARISONS: every contender computes what gradfade computes, and a fault in any of them is seen."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from suites import problems
from suites.comparisons import COMPARISONS, WAYS, check_same
from suites.gate import GateError
from suites.peers import CONTENDERS, OWN
from suites.problems import Entry
from suites.sizes import LOGITS, NETWORKS, PARAMETERS, ROWS, SEQUENCES, TOKENS, first

# The first size of each table -> a smaller one.
SMALL = {
    first(SEQUENCES): (5, 3, 6, 4),
    first(TOKENS): (5, 2, 8, 2),
    first(ROWS): (12, 20),
    first(LOGITS): (6, 5),
    first(PARAMETERS): ((7, 3), (5,)),
    first(NETWORKS): (9, 8, 4),
}
CELLS = [
    (name, way, direction)
    for (name, row), way in product(COMPARISONS.items(), WAYS)
    for direction in row.directions
    if row.has(way, first(row.sizes), direction, 1)
]


def problem(name, seed=0):
    row = COMPARISONS[name]
    return row.make(SMALL[first(row.sizes)], np.random.default_rng(seed))


@pytest.mark.parametrize(("name", "way", "direction"), CELLS)
def test_a_contender_computes_the_same(name, way, direction):
    row, given = COMPARISONS[name], problem(name)
    theirs, ours = row.ways[way](given, direction), given.own[direction]
    for _ in range(2):  # the second call finds what the first has left
        check_same(name, theirs.results(), ours.results(), row.largest)


@pytest.mark.parametrize("name", COMPARISONS)
def test_gradfade_gives_outputs_and_every_gradient(name):
    given = problem(name)
    results = {direction: entry.results() for direction, entry in given.own.items()}
    assert set(results) == set(COMPARISONS[name].directions)
    if "forward" in results:
        assert [y.shape for y in results["forward"]] == [given.dy.shape]
    if "forward_backward" in results:
        _, dx, *gradients = results["forward_backward"]
        assert dx.shape == given.x.shape
        assert [gradient.shape for gradient in gradients] == [value.shape for value in given.params.values()]
        assert all(np.abs(array).max() > 0 for array in (dx, *gradients))


def test_every_way_is_a_contenders():
    assert set(WAYS.values()) <= set(CONTENDERS) - {OWN}
    for row in COMPARISONS.values():
        assert "torch" in row.ways, row.name
        assert row.kind in ("layer", "optimizer", "training_step")


def test_what_is_compared_where():
    lstm, adam = COMPARISONS["lstm"], COMPARISONS["adam"]
    size = first(SEQUENCES)
    assert not lstm.has("torch fused", size, "forward", 1)
    assert not lstm.has("torch", "16M", "forward", 1)
    assert not adam.has("torch", "16M", "forward", 1)
    assert not lstm.has("onnxruntime", size, "forward_backward", 1)  # it has no gradients
    assert not lstm.has("jax", size, "forward", 2)  # it cannot switch threads in a process
    assert lstm.has("torch", size, "forward_backward", 2) == (not CONTENDERS["torch"].absent)


def test_a_difference_is_found_and_rounding_is_not():
    ours = [np.arange(4.0), np.array([1e-9, 0.0])]
    check_same("x", [np.arange(4.0) + 1e-6, np.array([0.0, 1e-9])], ours, 1e-4)
    with pytest.raises(GateError, match="x: result 0"):
        check_same("x", [np.arange(4.0) + 1e-2, ours[1]], ours, 1e-4)
    with pytest.raises(GateError, match="x: result 1"):
        check_same("x", [ours[0], np.array([np.nan, 0.0])], ours, 1e-4)
    with pytest.raises(GateError, match=r"x: result 0 has shape \(1,\), gradfade's \(4,\)"):
        check_same("x", [np.zeros(1), ours[1]], ours, 1e-4)


def test_a_call_comes_after_its_preparation():
    done = []
    entry = Entry(call=lambda: done.append("call"), read=lambda _: done[:], before=lambda: done.append("before"))
    assert entry.results() == ["before", "call"]
    assert replace(entry, before=lambda: None).results() == ["before", "call", "call"]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_no_pre_activation_of_a_training_step_is_near_a_kink(activation):
    """By hand: where rounding changes a slope, two right programs differ by per cents."""
    problem = problems.training_step((64, 32, 4), np.random.default_rng(0), activation=activation)
    h, nearest = problem.x.astype(np.float64), np.inf
    arrays = list(problem.params.values())
    for W, b in zip(arrays[:-2:2], arrays[1:-2:2], strict=True):
        z = h @ W + b
        nearest, h = min(nearest, np.abs(z).min()), np.maximum(z, 0) if activation == "relu" else np.tanh(z)
    assert nearest > problems.MARGIN / 2 or activation == "tanh"
    assert problem.params.keys() >= {"W1", "b1", "W4", "b4"}


def test_inputs_are_drawn_anew_until_none_is_near(monkeypatch):
    """With a margin that hardly any input keeps, fewer pre-activations would be near by chance."""
    monkeypatch.setattr(problems, "MARGIN", 0.003)
    problem = problems.training_step((8, 8, 3), np.random.default_rng(1), activation="relu")
    z = problem.x.astype(np.float64) @ problem.params["W1"] + problem.params["b1"]
    assert np.abs(z).min() >= 0.0029
