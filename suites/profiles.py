"""How much a run measures: how often each benchmark is timed, and the grid of each experiment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

from kernels.activations import ACTIVATIONS
from kernels.architectures import ARCHITECTURES
from kernels.initializers import INITIALIZERS
from suites.errors import known
from suites.experiment import EXPERIMENTS
from suites.own_activations import digests

# What the plain networks and the RNN, which have no gates, can be drawn with.
UNGATED = tuple(name for name, row in INITIALIZERS.items() if row.gates is None)
# Those of the quick run's phase diagrams and spectra: bounded, unbounded, and one that bends upwards.
PLANES = ("tanh", "relu", "gelu")

# Recurrent cells, which have a state from step to step.
CELLS = tuple(name for name, row in ARCHITECTURES.items() if "depth" not in row.kinds)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One profile: rounds has options of pytest-benchmark, grids what the experiments' cells() take.

    A grid that names no activations has all of them.
    """

    rounds: Mapping[str, float]
    grids: Mapping[str, Mapping[str, Any]]


def cells(profile: str, seed: int = 0, own: Sequence[str] = ()) -> dict[str, Sequence[Any]]:
    """Experiment -> its cells; one's own activations stand beside those of the profile.

    Raises:
        UserError: the profile is unknown, the seed negative, or an activation of one's own wrong.
    """
    (row,) = known(PROFILES, "profile", [profile])
    return {
        name: EXPERIMENTS[name].cells(**{**grid, **_activations(name, grid, own), "seed": seed})
        for name, grid in row.grids.items()
    }


def _activations(name: str, grid: Mapping[str, Any], own: Sequence[str]) -> dict[str, Any]:
    """The activations of a grid beside one's own; nothing where the experiment is of fixed networks."""
    if "activations" not in signature(EXPERIMENTS[name].cells).parameters:
        return {}
    return {"activations": (*grid.get("activations", ACTIVATIONS), *own)}


def configuration(command: str, profile: str, seed: int, own: Sequence[str] = ()) -> dict[str, Any]:
    """What a run of the benchmarks or of everything depends on, and what resumes it."""
    files = digests(own)
    return {"command": command, "profile": profile, "seed": seed, **({"activations": files} if files else {})}


PROFILES = {
    # About two minutes on two cores.
    "quick": Profile(
        rounds={"max_time": 0.05, "min_rounds": 5},
        grids={
            "accuracy": {"dtypes": ("float32",), "count": 2**16},
            "curves": {},
            "depth": {
                "initializers": ("xavier_normal", "he_normal", "framework_default"),
                "seeds": 3,
            },
            "phase": {"activations": PLANES, "points": 5, "depth": 20, "width": 64, "seeds": 2},
            "spectrum": {
                "activations": PLANES,
                "initializers": ("lecun_normal", "orthogonal"),
                "depths": (20,),
                "widths": (128,),
                "dtypes": ("float32",),
                "seeds": 2,
            },
            "time": {"initializers": ("xavier_normal", "orthogonal"), "seeds": 3},
            "lyapunov": {
                "architectures": CELLS,
                "activations": ("tanh",),
                "lengths": (300,),
                "widths": (16,),
                "seeds": 2,
            },
            "remedies": {"width": 64, "steps": 20, "seeds": 3},
            "remedy_times": {"width": 64},
            "training": {"epochs": 20, "seeds": 3},
            "claims": {"width": 64},
        },
    ),
    "full": Profile(
        rounds={"max_time": 0.5, "min_rounds": 20},
        grids={
            "accuracy": {},
            "curves": {},
            "depth": {"initializers": UNGATED},
            "phase": {},
            "spectrum": {
                "initializers": ("lecun_normal", "he_normal", "orthogonal"),
                "dtypes": ("float32",),
            },
            "time": {"initializers": UNGATED},
            "lyapunov": {
                "architectures": CELLS,
                "activations": ("tanh",),
                "initializers": ("xavier_normal", "orthogonal", "saturating"),
            },
            "remedies": {},
            "remedy_times": {},
            "training": {"epochs": 60, "seeds": 8},
            "claims": {"width": 256, "seeds": 8},
        },
    ),
}
