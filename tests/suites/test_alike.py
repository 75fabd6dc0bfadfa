"""Samples and units that are alike at the output are found, whatever the gradient."""

import math

import numpy as np
import pytest

from suites.alike import spread, spread_of
from suites.interventions import subject

RNG = np.random.default_rng(3)


@pytest.mark.parametrize(
    ("y", "collapse"),
    [
        (RNG.standard_normal((5, 7)), ""),
        (1e-200 * RNG.standard_normal((5, 7)), ""),
        (1e200 * RNG.standard_normal((5, 7)), ""),
        (np.tile(RNG.standard_normal(7), (5, 1)), "all samples have the same output"),
        (RNG.standard_normal(7) + 1e-3 * RNG.standard_normal((5, 7)), "all samples have the same output"),
        (np.outer(RNG.uniform(1, 9, 5), RNG.standard_normal(7)), "the outputs of all samples are multiples of one"),
        (np.tile(RNG.standard_normal((5, 1)), (1, 7)), "all units of the last layer are the same"),
        (RNG.standard_normal((1, 7)), ""),  # one sample is like no other
        (RNG.standard_normal((5, 1)), ""),
        (np.zeros((5, 7)), "all samples have the same output"),
        (np.zeros((1, 7)), ""),
        (np.full((5, 7), math.nan), ""),
        (np.ones((1, 1)), ""),
    ],
)  # fmt: skip
def test_what_is_alike(y, collapse):
    assert spread_of(y).collapse == collapse


def test_the_spread_is_that_of_the_definition():
    y = RNG.standard_normal((6, 4)) + 3
    found = spread_of(y)
    size = np.sqrt((y**2).mean())
    assert found.samples == pytest.approx(np.sqrt(((y - y.mean(0)) ** 2).mean()) / size)
    assert found.units == pytest.approx(np.sqrt(((y - y.mean(1, keepdims=True)) ** 2).mean()) / size)
    unit = y / np.sqrt((y**2).mean(1, keepdims=True))
    assert found.directions == pytest.approx(np.sqrt(((unit - unit.mean(0)) ** 2).mean()))


@pytest.mark.parametrize(
    ("kind", "n", "architecture", "activation", "initializer", "collapse"),
    [
        ("depth", 4, "plain", "tanh", "xavier_normal", ""),
        ("depth", 4, "plain", "relu", "constant", "all units of the last layer are the same"),
        ("depth", 40, "plain", "sigmoid", "xavier_normal", "all samples have the same output"),
        ("time", 5, "rnn", "tanh", "xavier_normal", ""),
        ("time", 5, "transformer_pre", "tanh", "xavier_normal", ""),
        ("depth", 2, "transformer_post", "tanh", "xavier_normal", ""),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_of_networks(kind, n, architecture, activation, initializer, collapse, dtype):
    names = {"architecture": architecture, "activation": activation, "initializer": initializer, "dtype": dtype}
    assert spread(subject(kind, n, **names, width=16, batch=6, seeds=1, seed=4)).collapse == collapse
