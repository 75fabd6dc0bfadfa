"""Profiles: grids that exist, the quick one a small part of the full one."""

import pytest

from kernels.activations import ACTIVATIONS
from kernels.initializers import INITIALIZERS
from suites.errors import UserError
from suites.experiment import EXPERIMENTS
from suites.own_activations import own
from suites.profiles import PROFILES, cells, configuration

FIXED = ("claims", "remedies", "remedy_times")  # experiments of networks that nothing is chosen of


@pytest.mark.parametrize("profile", PROFILES)
def test_every_experiment_and_every_activation_is_in(profile):
    """Spectra of cells are of tanh alone, and those of networks and phase diagrams in the quick profile of a few."""
    grids = cells(profile, seed=3)
    assert list(grids) == list(EXPERIMENTS)
    for name, grid in grids.items():
        few = name == "lyapunov" or (profile == "quick" and name in ("phase", "spectrum"))
        expected = set(PROFILES[profile].grids[name]["activations"]) if few else set(ACTIVATIONS)
        if name in FIXED:
            expected = {cell.activation for cell in EXPERIMENTS[name].cells()}
        assert {cell.activation for cell in grid} == expected, name
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
    assert max(cell.width for cell in full["claims"]) > max(cell.width for cell in quick["claims"])


def test_every_profile_says_how_often_a_benchmark_is_timed():
    quick, full = (PROFILES[name].rounds for name in ("quick", "full"))
    assert {"max_time", "min_rounds"} == quick.keys() == full.keys()
    assert all(quick[name] < full[name] for name in quick)


def test_ones_own_activation_is_in_every_experiment_but_of_fixed_networks_and_names_the_run(tmp_path):
    path = tmp_path / "own.py"
    path.write_text("def f(x):\n    return x\ndef f_derivative(x):\n    return type(x)(1)\n")
    name = f"{path}:f"
    known, more = cells("quick"), cells("quick", own=[name])
    for experiment, grid in more.items():
        assert [cell for cell in grid if cell.activation != name] == list(known[experiment])
        assert (len(grid) > len(known[experiment])) == (experiment not in FIXED), experiment
    plain = configuration("run", "quick", 3)
    assert plain == {"command": "run", "profile": "quick", "seed": 3}
    assert configuration("run", "quick", 3, [name]) == {**plain, "activations": {name: own(name).digest}}


def test_an_unknown_profile_is_refused():
    with pytest.raises(UserError, match="unknown profile 'quik'; valid: quick, full"):
        cells("quik")


def test_a_negative_seed_is_refused():
    with pytest.raises(UserError, match="seed must be"):
        cells("quick", seed=-1)
