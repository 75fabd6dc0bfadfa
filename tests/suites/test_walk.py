"""Sequences in pieces: the same numbers as in one, of any length, each step walked back once or a few times."""

import math
from dataclasses import replace

import numpy as np
import pytest

from kernels.architectures import ARCHITECTURES
from suites import attenuation, sequence
from suites.attenuation import streams

SMALL = {"widths": [8], "inputs": 3, "batch": 2, "seeds": 1}


def values(table, metric):
    return table[table.metric == metric].sort_values("position").value.to_numpy()


@pytest.mark.parametrize("architecture", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize(("piece", "margin"), [(7, 38), (1, 38), (7, 1015), (30, 1023)])
def test_pieces_and_powers_of_two_change_nothing(monkeypatch, architecture, piece, margin):
    """The margin leaves a range in float64 that ends after some steps, or at once; the plain pass is in range."""
    (cell,) = sequence.cells(architectures=[architecture], dtypes=["float64"], lengths=[30], **SMALL)
    whole = sequence.measure(cell)
    monkeypatch.setattr(sequence, "PIECE", piece)
    monkeypatch.setattr(attenuation, "MARGIN", margin)
    table = sequence.measure(cell)
    assert np.array_equal(values(whole, "log10_gradient"), values(whole, "float64_gradient"))
    for metric in set(whole.metric):
        assert values(table, metric) == pytest.approx(values(whole, metric), abs=1e-9), metric


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

        return replace(layer, backward=backward)

    monkeypatch.setitem(ARCHITECTURES, "rnn", replace(row, make=make))
    for length in (1_000, 20_000):
        walked.clear()
        (cell,) = sequence.cells(activations=["sigmoid"], dtypes=[dtype], lengths=[length], **SMALL)
        table = sequence.measure(cell)
        assert sum(walked) < 1.2 * length + 4 * sequence.PIECE
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
