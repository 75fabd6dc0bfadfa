"""Sequences in pieces: the same numbers as in one, of any length, each step walked back once or a few times."""

import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from kernels import reference_recurrent
from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES
from kernels.initializers import INITIALIZERS
from suites import attenuation, sequence, walk
from suites.attenuation import streams
from suites.walk import Walk

SMALL = {"widths": [8], "inputs": 3, "batch": 2, "seeds": 1}


def values(table, metric):
    return table[table.metric == metric].sort_values("position").value.to_numpy()


@pytest.mark.parametrize("architecture", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize(("piece", "margin"), [(7, 38), (1, 38), (7, 1015), (30, 1023)])
def test_pieces_and_powers_of_two_change_nothing(monkeypatch, architecture, piece, margin):
    """The margin leaves a range in float64 that ends after some steps, or at once; the plain pass is in range."""
    (cell,) = sequence.cells(architectures=[architecture], dtypes=["float64"], lengths=[30], **SMALL)
    whole = sequence.measure(cell)
    monkeypatch.setattr(walk, "PIECE", piece)
    monkeypatch.setattr(attenuation, "MARGIN", margin)
    table = sequence.measure(cell)
    assert np.array_equal(values(whole, "log10_gradient"), values(whole, "float64_gradient"))
    for metric in set(whole.metric):
        assert values(table, metric) == pytest.approx(values(whole, metric), abs=1e-9, nan_ok=True), metric


def one_by_one(cell):
    """log10 of the norms of the gradients of h and c at every step, from the naive backward pass of each step alone."""
    weights, inputs, injected = streams(cell.seed)
    width, gates = cell.width, {"rnn": 1, "lstm": 4, "gru": 3}[cell.architecture]
    Wx, Wh = (
        np.hstack([weights.standard_normal((n, width), dtype=np.float32).astype(float) for _ in range(gates)])
        * math.sqrt(2 / (n + width))
        for n in (cell.inputs, width)
    )
    given = [Wx, Wh, np.zeros(gates * width), *([np.zeros(width)] if cell.architecture == "gru" else [])]
    forward, backward = (getattr(reference_recurrent, f"{cell.architecture}_{way}") for way in ("forward", "backward"))
    row, x = ACTIVATIONS[cell.activation], inputs.standard_normal((cell.length, cell.batch, cell.inputs))
    start = [np.zeros((cell.batch, width))] * (2 if cell.architecture == "lstm" else 1)
    states = forward(row, x, *given, *start, row.a)[-len(start) :]
    gradients, size = [injected.standard_normal(start[0].shape), *(0.0 * start[0] for _ in start[1:])], 0.0
    norms, cell_norms = [np.log10(np.linalg.norm(gradients[0]))], []
    for t in reversed(range(cell.length)):
        at = [state[t] for state in states]
        results = backward(row, gradients[0][None], *gradients[1:], x[t : t + 1], *given, *at, row.a)[-len(start) :]
        cell_norms.append(size + np.log10(np.linalg.norm(results[-1][1])))
        scale = np.linalg.norm(results[0][0])
        gradients, size = [result[0] / scale for result in results], size + np.log10(scale)
        norms.append(size)
    cell_norms.append(size + np.log10(np.linalg.norm(gradients[-1])))
    return np.array(norms[::-1]), np.array(cell_norms[::-1])


@pytest.mark.parametrize("architecture", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("length", [1, 127, 128, 129, 1000])
def test_lengths_around_a_piece_of_one_sample_and_one_unit(architecture, length):
    size = {"lengths": [length], "widths": [1], "inputs": 1, "batch": 1, "seeds": 1, "seed": 5}
    (cell,) = sequence.cells(architectures=[architecture], dtypes=["float64"], **size)
    table = sequence.measure(cell)
    norms, cell_norms = one_by_one(cell)
    assert values(table, "log10_gradient_norm") == pytest.approx(norms, abs=1e-8)
    if architecture == "lstm":
        assert values(table, "log10_cell_gradient") == pytest.approx(cell_norms - norms[-1], abs=1e-8)


def test_an_lstm_of_odd_sizes_far_beyond_float64():
    """The cell state's gradient at every step, and both after 450 decades."""
    size = {"lengths": [2000], "widths": [7], "inputs": 3, "batch": 5, "seeds": 1, "seed": 2}
    (cell,) = sequence.cells(architectures=["lstm"], dtypes=["float64"], **size)
    table = sequence.measure(cell)
    norms, cell_norms = one_by_one(cell)
    assert norms[0] < -330
    assert values(table, "log10_gradient_norm") == pytest.approx(norms, abs=1e-8)
    assert values(table, "log10_cell_gradient") == pytest.approx(cell_norms - norms[-1], abs=1e-8)
    assert values(table, "float64_gradient")[0] == -math.inf


@pytest.mark.parametrize("rows", [(2, 3), (1, 1)])
def test_inputs_are_drawn_anew_and_the_same(monkeypatch, rows):
    monkeypatch.setattr(walk, "PIECE", 4)
    pieces = walk.Drawn(np.random.default_rng(3), 10, rows, np.dtype("f4"))
    first = [pieces[i] for i in range(len(pieces))]
    assert [len(piece) for piece in first] == [4, 4, 2]
    expected = np.random.default_rng(3).standard_normal((10, *rows)).astype("f4")
    assert np.array_equal(np.concatenate(first), expected)
    assert all(np.array_equal(pieces[i], first[i]) for i in (2, 0, 1))


def test_memory_does_not_grow_with_the_inputs():
    """Those of 6000 steps take 18 MB, and what is left of them for each step a few numbers."""
    network = ARCHITECTURES["rnn"].build(ACTIVATIONS["tanh"], INITIALIZERS["xavier_normal"], 4)
    weights = network.init(np.random.default_rng(0), (1, 0, 96), np.dtype("f4"))

    def walked(length):
        pieces = walk.Drawn(np.random.default_rng(1), length, (8, 96), np.dtype("f4"))
        Walk(network, weights, length).through(pieces, np.ones((8, 4), "f4"))

    def peak(length):
        tracemalloc.start()
        walked(length)
        (_, most), _ = tracemalloc.get_traced_memory(), tracemalloc.stop()
        return most

    walked(walk.PIECE)  # compiled before memory is traced, which takes long
    assert peak(6000) - peak(1000) < 1e6


def test_gates_are_drawn_for_the_whole_length(monkeypatch):
    """Chrono's biases reach as far as the sequence, however short the pieces are."""
    drawn = []
    monkeypatch.setattr(Walk, "through", lambda self, *_: drawn.append(self.weights.params["b"]) or 1 / 0)
    size = {"lengths": [3000], "widths": [400], "inputs": 1, "batch": 1, "seeds": 1}
    (cell,) = sequence.cells(architectures=["lstm"], initializers=["chrono"], **size)
    with pytest.raises(ZeroDivisionError):
        sequence.measure(cell)
    forget = np.split(drawn[0], 4)[1]
    assert forget.max() == pytest.approx(math.log(2999), abs=0.05)


def naive(cell):
    """log10 of the gradient's norm at every step of an RNN of sigmoid, its size kept apart at each."""
    weights, inputs, injected = streams(cell.seed)
    scale = {n: math.sqrt(2 / (n + cell.width)) for n in (cell.inputs, cell.width)}
    Wx, Wh = (weights.standard_normal((n, cell.width), dtype=np.float32).astype(float) * scale[n] for n in scale)
    h, slopes = np.zeros((cell.batch, cell.width)), []
    for x in inputs.standard_normal((cell.length, cell.batch, cell.inputs)):
        h = 1 / (1 + np.exp(-(x @ Wx + h @ Wh)))
        slopes.append(h * (1 - h))
    g = injected.standard_normal((cell.batch, cell.width))
    norms = [np.log10(np.linalg.norm(g))]
    for slope in slopes[::-1]:
        g = (g / np.linalg.norm(g) * slope) @ Wh.T
        norms.append(norms[-1] + np.log10(np.linalg.norm(g)))
    return np.array(norms[::-1])


@pytest.mark.parametrize(("dtype", "accuracy"), [("float32", 5e-2), ("float64", 1e-8)])
def test_twenty_thousand_steps_are_finite_and_each_is_walked_about_once(monkeypatch, dtype, accuracy):
    row, walked = ARCHITECTURES["rnn"], []

    def make(*arguments):
        layer = row.make(*arguments)

        def backward(state, dy):
            walked.append(len(dy))
            return layer.backward(state, dy)

        return replace(layer, backward=backward) if arguments[0] is ACTIVATIONS["sigmoid"] else layer

    monkeypatch.setitem(ARCHITECTURES, "rnn", replace(row, make=make))
    for length in (1_000, 20_000):
        walked.clear()
        (cell,) = sequence.cells(activations=["sigmoid"], dtypes=[dtype], lengths=[length], **SMALL)
        table = sequence.measure(cell)
        assert sum(walked) < 1.2 * length + 4 * walk.PIECE
    norms = values(table, "log10_gradient_norm")
    assert norms[0] < -10_000
    assert norms == pytest.approx(naive(cell), abs=accuracy)
    kept = values(table, f"{dtype}_gradient")
    assert kept[0] == -math.inf
    shown = np.isfinite(kept) & (kept > math.log10(np.finfo(dtype).smallest_normal) + 2)
    assert kept[shown] == pytest.approx((norms - norms[-1])[shown], abs=1e-2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_exactly_zero_is_no_loss_of_time(dtype):
    """Units of hardtanh that all saturate: nothing is found by walking in halves, and nothing is divided by 0."""
    grid = {"activations": ["hardtanh"], "initializers": ["saturating"], "widths": [4], "inputs": 3, "batch": 1}
    table = sequence.measure(sequence.cells(**grid, seeds=4, lengths=[500], dtypes=[dtype])[0])
    rows = table[table.metric.isin(["log10_gradient", f"{dtype}_gradient"])]
    gone = rows[np.isneginf(rows.value)]
    assert len(gone) > 0
    assert not rows.value.isna().any()
    for (seed, metric), steps in gone.groupby(["seed", "metric"]):
        assert set(steps.position) == set(range(int(steps.position.max()) + 1)), (seed, metric)
