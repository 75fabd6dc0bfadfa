"""Biases of gates: how long a cell remembers before it has learned anything.

The gate that multiplies the old state is f in an LSTM. A GRU has no gate of that name: its z does the same, since
h = (1 - z) n + z h. A bias b keeps a share sigmoid(b) of the state per step, so it lasts 1 + e^b steps.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LONGEST = 100  # time steps that chrono reckons with: the default length of `gradfade attenuate time`


def forget_one(rng: np.random.Generator, biases: dict[str, Array]) -> None:
    """Bias 1 of the gate that keeps the old state, f or z (Gers et al. 2000; Jozefowicz et al. 2015, section 2.2)."""
    _keeping(biases)[...] = 1.0


def chrono(rng: np.random.Generator, biases: dict[str, Array], *, longest: int = LONGEST) -> None:
    """Bias ln U[1, longest - 1] of f, minus that of i; of z alone in a GRU (Tallec & Ollivier 2018, eq. 16).

    So units last from 2 to longest steps. Raises ValueError unless longest is at least 2.
    """
    if longest < 2:
        raise ValueError(f"longest must be at least 2 steps, got {longest}")
    keeping = _keeping(biases)
    keeping[...] = np.log(1.0 + (longest - 2) * rng.random(keeping.size, np.float32).astype(np.float64))
    if "i" in biases:
        np.negative(keeping, out=biases["i"])


def _keeping(biases: dict[str, Array]) -> Array:
    return biases["f"] if "f" in biases else biases["z"]
