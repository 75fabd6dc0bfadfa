"""Biases of gates: how long a cell remembers before it has learned anything.

The gate that multiplies the old state is f in an LSTM. A GRU has no gate of that name: its z does the same, since
h = (1 - z) n + z h. A bias b keeps a share sigmoid(b) of the state per step, so it lasts 1 + e^b steps.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def forget_one(rng: np.random.Generator, biases: dict[str, Array], steps: int) -> None:
    """Bias 1 of the gate that keeps the old state, f or z (Gers et al. 2000; Jozefowicz et al. 2015, section 2.2)."""
    _keeping(biases)[...] = 1.0


def chrono(rng: np.random.Generator, biases: dict[str, Array], steps: int) -> None:
    """Bias ln U[1, T - 1] of f, minus that of i; of z alone in a GRU (Tallec & Ollivier 2018, eq. 16).

    T is the number of steps, or 2 if there are fewer: units last from 2 to T steps.
    """
    keeping = _keeping(biases)
    keeping[...] = np.log(1.0 + max(steps - 2, 0) * rng.random(keeping.size, np.float32).astype(np.float64))
    if "i" in biases:
        np.negative(keeping, out=biases["i"])


def _keeping(biases: dict[str, Array]) -> Array:
    return biases["f"] if "f" in biases else biases["z"]
