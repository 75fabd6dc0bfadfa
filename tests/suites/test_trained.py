"""Trained weights: the task is learned, and the gradient across time is that of what was learned."""

import math

import numpy as np
import pandas as pd
import pytest

from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES
from kernels.initializers import INITIALIZERS
from kernels.reference_recurrent import rnn_backward
from suites import sequence
from suites.attenuation import streams
from suites.datasets import adding
from suites.trained import trained

GRID = {"lengths": [9], "widths": [16], "batch": 32, "seeds": 1}


def values(table, metric):
    return table[table.metric == metric].sort_values("position").value.to_numpy()


@pytest.mark.parametrize(("architecture", "steps"), [("rnn", 900), ("transformer_post", 300)])
def test_the_adding_problem_is_learned(architecture, steps):
    """Who knows nothing of the marks has an error of 1/6."""
    before, after = (
        sequence.measure(sequence.cells(architectures=[architecture], trained=n, **GRID)[0]) for n in (1, steps)
    )
    assert values(before, "loss").item() > 1 / 6
    assert values(after, "loss").item() < 0.05
    assert not np.array_equal(values(before, "log10_gradient"), values(after, "log10_gradient"))
    assert len(values(after, "log10_gradient")) == 10
    assert set(after.step) == {steps}
    assert {(*row,) for row in after[["dataset", "optimizer", "clip_norm"]].to_numpy()} == {("adding", "adam", 1.0)}


def test_the_gradient_is_that_of_the_trained_weights():
    (cell,) = sequence.cells(trained=20, dtypes=["float64"], seed=4, **GRID)
    network = ARCHITECTURES["rnn"].build(ACTIVATIONS["tanh"], INITIALIZERS["xavier_normal"], 16)
    weights, _, injected = streams(4)
    drawn = network.init(streams(4)[0], (9, 1, 2), np.dtype("f8")).params
    result = trained(cell, network, weights, 4)
    params = result.state.params
    assert all(0.005 < np.abs(params[name] - drawn[name]).max() < 0.03 for name in ("Wx", "Wh", "b"))
    dy = np.zeros((9, 32, 16))
    dy[-1] = injected.standard_normal((32, 16))
    row, h0 = ACTIVATIONS["tanh"], np.zeros((32, 16))
    *_, dh = rnn_backward(row, dy, result.x, params["Wx"], params["Wh"], params["b"], h0, None)
    norms = [math.log10(np.linalg.norm(g)) for g in dh]
    assert values(sequence.measure(cell), "log10_gradient_norm") == pytest.approx(norms, abs=1e-10)


def test_fresh_examples_of_the_task_are_measured():
    """And every step of training had others."""
    (cell,) = sequence.cells(trained=3, dtypes=["float64"], **GRID)
    network = ARCHITECTURES["rnn"].build(ACTIVATIONS["tanh"], INITIALIZERS["xavier_normal"], 16)
    x = trained(cell, network, streams(0)[0], 0).x
    examples = np.random.default_rng(np.random.SeedSequence(0).spawn(4)[3])
    assert np.array_equal([adding(examples, 9, 32)[0] for _ in range(4)][-1], x)


def test_theory_is_silent_and_a_seed_is_enough_to_repeat_it():
    (cell,) = sequence.cells(trained=5, **GRID)
    first, second = (sequence.measure(cell) for _ in range(2))
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert not first.metric.str.startswith("predicted").any()
    assert first["inputs"].eq(2).all()
    assert sequence.measure(sequence.cells(**GRID)[0]).step.isna().all()
