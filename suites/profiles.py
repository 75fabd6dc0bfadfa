"""How much a run measures: the grid of each experiment, by profile."""

from collections.abc import Sequence
from typing import Any

from kernels.activations import ACTIVATIONS
from kernels.initializers import INITIALIZERS
from suites.experiment import EXPERIMENTS

PROFILES: dict[str, dict[str, dict[str, Any]]] = {
    # About a minute on two cores.
    "quick": {
        "curves": {},
        "depth": {
            "activations": tuple(ACTIVATIONS),
            "initializers": ("xavier_normal", "he_normal", "framework_default"),
            "seeds": 3,
        },
        "time": {"activations": tuple(ACTIVATIONS), "initializers": ("xavier_normal", "orthogonal"), "seeds": 3},
        "training": {"epochs": 20, "seeds": 3},
    },
    "full": {
        "curves": {},
        "depth": {"activations": tuple(ACTIVATIONS), "initializers": tuple(INITIALIZERS)},
        "time": {"activations": tuple(ACTIVATIONS), "initializers": tuple(INITIALIZERS)},
        "training": {"epochs": 60, "seeds": 8},
    },
}


def cells(profile: str, seed: int = 0) -> dict[str, Sequence[Any]]:
    """Experiment -> its cells; UserError where the seed is negative."""
    return {name: EXPERIMENTS[name].cells(**grid, seed=seed) for name, grid in PROFILES[profile].items()}
