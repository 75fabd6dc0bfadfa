"""Profiles: grids that exist, the quick one a small part of the full one."""

import pytest

from kernels.activations import ACTIVATIONS
from kernels.initializers import INITIALIZERS
from suites.errors import UserError
from suites.experiment import EXPERIMENTS
from suites.profiles import PLANES, PROFILES, cells


@pytest.mark.parametrize("profile", PROFILES)
def test_every_experiment_and_every_activation_is_in(profile):
    """But of what is not about activations first of all."""
    grids = cells(profile, seed=3)
    assert list(grids) == list(EXPERIMENTS)
    for name, grid in grids.items():
        few = {"lyapunov": {"tanh"}} | ({"phase": PLANES, "spectrum": PLANES} if profile == "quick" else {})
        assert {cell.activation for cell in grid} == set(few.get(name, ACTIVATIONS)), name
        assert all(getattr(cell, "seed", 3) == 3 for cell in grid)


def test_full_has_every_initializer_and_more_of_everything():
    """Those of gates have no place in networks without any; softplus has no critical weights."""
    quick, full = cells("quick"), cells("full")
    for name in ("depth", "time"):
        assert {cell.initializer for cell in full[name]} == set(INITIALIZERS) - {"forget_one", "chrono"}
        assert {cell.activation for cell in full[name] if cell.initializer == "critical"} == set(ACTIVATIONS) - {
            "softplus"
        }
        assert {cell.initializer for cell in quick[name]} < set(INITIALIZERS)
        assert full[name][0].seeds > quick[name][0].seeds
    assert full["training"][0].epochs > quick["training"][0].epochs


def test_every_profile_says_how_often_a_benchmark_is_timed():
    quick, full = (PROFILES[name].rounds for name in ("quick", "full"))
    assert {"max_time", "min_rounds"} == quick.keys() == full.keys()
    assert all(quick[name] < full[name] for name in quick)


def test_an_unknown_profile_is_refused():
    with pytest.raises(UserError, match="unknown profile 'quik'; valid: quick, full"):
        cells("quik")


def test_a_negative_seed_is_refused():
    with pytest.raises(UserError, match="seed must be"):
        cells("quick", seed=-1)
