"""Jumps of functions, against where they were put."""

import math

import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from kernels.kinks import bends, bends_of, jumps, kinks_of


def test_jumps_are_found_where_they_are():
    def g(x):
        return np.sin(x) + 0.5 * (x > 0.3) - 2 * (x > math.pi) + 1e-3 * (x > -7)

    assert jumps(g) == pytest.approx((-7, 0.3, math.pi), abs=1e-12)
    assert jumps(np.tanh) == jumps(lambda x: 1 / np.cosh(5 * x) ** 2) == jumps(np.zeros_like) == ()


def test_a_jump_that_has_a_value_of_its_own_is_found():
    assert jumps(np.sign) == pytest.approx([0.0], abs=1e-12)


def test_what_cannot_be_computed_has_no_jumps():
    assert jumps(np.vectorize(lambda x: math.exp(math.exp(x)))) == ()
    assert jumps(lambda x: np.full_like(x, np.nan)) == ()


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name not in ("elu", "celu")])
def test_the_jumps_of_every_row_are_the_kinks_that_it_declares(name):
    row = ACTIVATIONS[name]
    assert jumps(lambda x: row.reference_derivative(x, row.a)) == pytest.approx(row.kinks, abs=1e-12)
    assert kinks_of(row, row.a) == row.kinks


def test_the_jump_of_elu_is_there_unless_its_slopes_meet():
    elu = ACTIVATIONS["elu"]
    assert jumps(lambda x: elu.reference_derivative(x, 1.0)) == ()
    assert jumps(lambda x: elu.reference_derivative(x, 0.5)) == pytest.approx([0.0], abs=1e-12)


def test_the_known_activations_need_no_more_break_points():
    for row in ACTIVATIONS.values():
        assert bool(bends_of(row, row.a)) == (row.name == "softsign")  # which has bends on every scale


def test_bends_are_where_functions_bend():
    steep = bends(lambda x: np.tanh(100 * x), lambda x: 100 / np.cosh(np.minimum(100 * abs(x), 300)) ** 2)
    assert steep == tuple(-x for x in reversed(steep))
    assert 0.005 < max(steep) < 0.5
    wide = bends(lambda x: np.tanh(x / 100), lambda x: 1 / np.cosh(np.minimum(abs(x) / 100, 300)) ** 2)
    assert 64 < max(wide) < 1e4


def test_a_kink_that_is_far_away_is_closed_in_on():
    found = np.array(bends(lambda x: np.clip(x, -100, 100), lambda x: 1.0 * (abs(x) < 100)))
    assert np.abs(found[:, None] - [-100, 100]).min(axis=0) == pytest.approx([0, 0], abs=1e-8)


@pytest.mark.parametrize("f", [np.sin, np.sqrt, np.log, np.exp, lambda x: np.full_like(x, np.nan)])
def test_bends_end_whatever_the_function(f):
    assert len(bends(f, lambda x: x * np.cos(x))) <= 128
