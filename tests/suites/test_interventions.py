"""What is built of a configuration is the network that its experiment measures."""

import numpy as np
import pytest

from kernels.checks import DTYPES
from suites.attenuation import log10_norm, streams
from suites.interventions import built, kind, measure, subject

SMALL = {"activation": "tanh", "initializer": "xavier_normal", "width": 8, "batch": 3, "seeds": 1}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("across", "architecture", "n"),
    [("time", "transformer_pre", 12), ("time", "transformer_post", 5), ("depth", "transformer_pre", 3)],
)  # fmt: skip
def test_it_has_the_gradient_that_is_measured(across, architecture, n, dtype):
    deep = {"depth": 2} if across == "time" else {}  # in one block the last token's gradient has no mask in it
    cell = subject(across, n, architecture=architecture, **SMALL, **deep, dtype=dtype, seed=5)
    network, shape = built(cell)
    weights, inputs, injected = streams(5)
    state = network.init(weights, shape, DTYPES[dtype])
    y = network.forward(state, inputs.standard_normal(shape).astype(dtype))
    dy = np.zeros_like(y)
    last = dy if kind(cell) == "depth" else dy[-1]
    last[...] = injected.standard_normal(last.shape)
    dx = network.backward(state, dy)
    # Across time the last position is the last token of the input.
    first, last = (dx, last) if kind(cell) == "depth" else (dx[0], dx[-1])
    measured = measure(cell)
    total = measured.value[(measured.metric == "log10_gradient") & (measured.position == 0)].iloc[0]
    assert log10_norm(first) - log10_norm(last) == pytest.approx(total, abs=1e-4 if dtype == "float32" else 1e-10)


@pytest.mark.parametrize("architecture", ["transformer_pre", "transformer_post"])
def test_across_time_no_step_sees_later_ones(architecture):
    network, shape = built(subject("time", 6, architecture=architecture, **SMALL, dtype="float64"))
    assert shape == (7, 3, 8)
    state = network.init(np.random.default_rng(0), shape, np.dtype("float64"))
    x = np.random.default_rng(1).standard_normal(shape)
    before = network.forward(state, x).copy()
    x[-1] += 1
    after = network.forward(state, x)
    np.testing.assert_array_equal(before[:-1], after[:-1])
    assert (before[-1] != after[-1]).any()


def test_of_what_attends_layers_are_cut_and_not_tokens():
    cell = subject("time", 40, architecture="transformer_pre", **SMALL, depth=12)
    network, shape = built(cell, 10)
    assert (len(network.layers), shape) == (10, (41, 3, 8))
    assert built(subject("time", 40, architecture="lstm", **SMALL), 10)[1] == (10, 3, 10)
