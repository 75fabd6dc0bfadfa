"""Initialisers: how the weights (fan_in, fan_out) and biases of a layer are drawn.

Draws are made in float32 and scaled in the kernel's dtype: a seed gives float32 and float64
networks of the same weights, up to rounding.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
DType = np.dtype[Any]
Generator = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Initializer:
    """One initialiser: draws of unit mean square, their variance, and the biases'.

    unit(rng, fan_in, fan_out) draws a matrix of unit mean square, variance(fan_in, fan_out) is the
    mean square it is scaled to. independent: whether mean-field theory applies, which needs entries
    of mean 0 that are (nearly) independent. Where hidden_fan, the hidden size stands for the fan-in
    of every weight and bias of a recurrent layer. A bias has variance bias_variance(fan_in), uniform.
    Methods raise ValueError unless fan_in is at least 1.
    """

    name: str
    unit: Callable[[Generator, int, int], Array]
    variance: Callable[[int, int], float]
    paper: str
    bias_variance: Callable[[int], float] = lambda fan_in: 0.0
    independent: bool = True
    hidden_fan: bool = False

    def draw(self, rng: Generator, fan_in: int, fan_out: int, dtype: DType, hidden: int | None = None) -> Array:
        """Weights (fan_in, fan_out); hidden is the size of the recurrent layer they belong to, if any."""
        scale = math.sqrt(self.variance(self._fan(fan_in, hidden), fan_out))
        return np.multiply(self.unit(rng, fan_in, fan_out), scale, dtype=dtype, order="C")

    def bias(self, rng: Generator, fan_in: int, n: int, dtype: DType, hidden: int | None = None) -> Array:
        """Biases (n,); zeros but for framework_default."""
        variance = self.bias_variance(self._fan(fan_in, hidden))
        if variance == 0.0:
            return np.zeros(n, dtype)
        return np.multiply(_uniform(rng, 1, n)[0], math.sqrt(variance), dtype=dtype)

    def weight_variance(self, fan_in: int, fan_out: int, hidden: int | None = None) -> float:
        """fan_in * Var(W), the sw2 of mean-field theory; NaN where the theory has none (constant)."""
        return fan_in * self.variance(self._fan(fan_in, hidden), fan_out) if self.independent else math.nan

    def _fan(self, fan_in: int, hidden: int | None) -> int:
        if fan_in < 1:
            raise ValueError(f"fan_in must be at least 1, got {fan_in}")
        return hidden if self.hidden_fan and hidden is not None else fan_in


def _normal(rng: Generator, fan_in: int, fan_out: int) -> Array:
    return rng.standard_normal((fan_in, fan_out), dtype=np.float32)


def _uniform(rng: Generator, fan_in: int, fan_out: int) -> Array:
    """U(-sqrt 3, sqrt 3)."""
    draws = rng.random((fan_in, fan_out), dtype=np.float32)
    return (draws - np.float32(0.5)) * np.float32(math.sqrt(12.0))


def _orthogonal(rng: Generator, fan_in: int, fan_out: int) -> Array:
    """Orthonormal rows or columns, whichever are fewer, times sqrt(max(fan_in, fan_out)); Haar distributed."""
    long, short = max(fan_in, fan_out), min(fan_in, fan_out)
    q, r = np.linalg.qr(_normal(rng, long, short).astype(np.float64))
    q *= np.sign(np.diagonal(r)) * math.sqrt(long)
    return q if fan_in >= fan_out else q.T


def _ones(rng: Generator, fan_in: int, fan_out: int) -> Array:
    return np.ones((fan_in, fan_out), np.float32)


GLOROT = "Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks, section 4.2"
HE = "He et al. 2015, Delving deep into rectifiers, section 2.2, eq. 10"
LECUN = "LeCun et al. 1998, Efficient BackProp, section 4.6"
SAXE = "Saxe et al. 2014, Exact solutions to the nonlinear dynamics of learning in deep linear networks, section 3"

_ROWS = (
    Initializer(name="xavier_normal", unit=_normal, variance=lambda i, o: 2.0 / (i + o), paper=GLOROT),
    Initializer(name="xavier_uniform", unit=_uniform, variance=lambda i, o: 2.0 / (i + o), paper=GLOROT),
    Initializer(name="he_normal", unit=_normal, variance=lambda i, o: 2.0 / i, paper=HE),
    Initializer(name="he_uniform", unit=_uniform, variance=lambda i, o: 2.0 / i, paper=HE),
    Initializer(name="lecun_normal", unit=_normal, variance=lambda i, o: 1.0 / i, paper=LECUN),
    # U(-1/sqrt(fan_in), 1/sqrt(fan_in)), weights and biases
    Initializer(
        name="framework_default",
        unit=_uniform,
        variance=lambda i, o: 1.0 / (3.0 * i),
        bias_variance=lambda i: 1.0 / (3.0 * i),
        hidden_fan=True,
        paper="the default of torch.nn.Linear and torch.nn.RNN",
    ),
    Initializer(name="orthogonal", unit=_orthogonal, variance=lambda i, o: 1.0 / max(i, o), paper=SAXE),
    # N(0, 0.01^2) whatever the width
    Initializer(name="too_small", unit=_normal, variance=lambda i, o: 1e-4, paper="the claim examined"),
    # every weight 1/fan_in: each unit is the mean of its inputs, all units of a layer are the same
    Initializer(
        name="constant", unit=_ones, variance=lambda i, o: i**-2.0, independent=False, paper="the claim examined"
    ),
    # for inputs of variance 1, z ~ N(0, 32^2): nine in ten |z| > 4
    Initializer(name="saturating", unit=_normal, variance=lambda i, o: 1024.0 / i, paper="the claim examined"),
)

INITIALIZERS = {row.name: row for row in _ROWS}
