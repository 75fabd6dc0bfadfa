"""Initialisers: how the weights (fan_in, fan_out) and biases of a layer are drawn.

Draws are made in float32 and scaled in the kernel's dtype: a seed gives float32 and float64
networks of the same weights, up to rounding.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from kernels import gates, openblas
from kernels.critical import MeanField
from kernels.elementwise import Activation

Array = np.ndarray[Any, Any]
DType = np.dtype[Any]
Generator = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Initializer:
    """One initialiser: draws of unit mean square, their variance, and the biases'.

    unit(rng, fan_in, fan_out) draws a matrix of unit mean square, form(draws) is the one that is made of it, itself but
    for orthogonal, and variance(fan_in, fan_out) the mean square to which that is scaled. independent: whether
    mean-field theory applies, which needs entries of mean 0 that are (nearly) independent. linear_variance: the mean
    square in layers without an activation, where variance makes up for what one takes away. Where hidden_fan, the
    hidden size stands for the fan-in of every weight and bias of a recurrent layer. A bias has variance
    bias_variance(fan_in), uniform. gates(rng, biases, steps) sets biases of a gated cell for sequences of so many
    steps, after they were drawn; biases has a view for each gate: i, f, g and o of an LSTM, r, z and n of a GRU.
    solve(activation): the sw2 of mean-field theory, where it depends on the activation; such a row draws nothing until
    it is asked for the row of(activation).
    Methods raise ValueError unless fan_in is at least 1.
    """

    name: str
    unit: Callable[[Generator, int, int], Array]
    variance: Callable[[int, int], float]
    paper: str
    form: Callable[[Array], Array] = np.asarray
    linear_variance: Callable[[int, int], float] | None = None
    bias_variance: Callable[[int], float] = lambda fan_in: 0.0
    independent: bool = True
    hidden_fan: bool = False
    gates: Callable[[Generator, dict[str, Array], int], None] | None = None
    solve: Callable[[Activation], float] | None = None

    def of(self, activation: Activation) -> "Initializer":
        """The row to draw with, for layers of that activation: itself, or solved for it (once, then it is kept).

        Raises ValueError where it has no solution.
        """
        return self if self.solve is None else _solved(self, activation)

    def linear(self) -> "Initializer":
        """The row to draw with for a layer without an activation, such as the last one of a residual branch."""
        if self.linear_variance is None:
            return self
        return replace(self, variance=self.linear_variance, linear_variance=None, solve=None)

    def draw(self, rng: Generator, fan_in: int, fan_out: int, dtype: DType, hidden: int | None = None) -> Array:
        """Weights (fan_in, fan_out); hidden is the size of the recurrent layer they belong to, if any."""
        scale = math.sqrt(self.variance(self._fan(fan_in, hidden), fan_out))
        return np.multiply(self.form(self.unit(rng, fan_in, fan_out)), scale, dtype=dtype, order="C")

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


@cache
def _solved(rule: Initializer, activation: Activation) -> Initializer:
    sw2 = rule.solve(activation) if rule.solve else math.nan
    return replace(rule, variance=lambda i, o: sw2 / i, solve=None)


def _critical(activation: Activation) -> float:
    sw2, _ = MeanField.of(activation).critical_point()
    if math.isnan(sw2):
        raise ValueError(
            f"{activation.name} has no critical initialiser: "
            "without biases no weight variance has a fixed point at which chi = 1"
        )
    return sw2


def _unsolved(fan_in: int, fan_out: int) -> float:
    raise ValueError("critical depends on the activation: draw with INITIALIZERS['critical'].of(activation)")


def _normal(rng: Generator, fan_in: int, fan_out: int) -> Array:
    return rng.standard_normal((fan_in, fan_out), dtype=np.float32)


def _uniform(rng: Generator, fan_in: int, fan_out: int) -> Array:
    """U(-sqrt 3, sqrt 3)."""
    draws = rng.random((fan_in, fan_out), dtype=np.float32)
    draws -= np.float32(0.5)
    draws *= np.float32(math.sqrt(12.0))
    return draws


def _orthogonal(draws: Array) -> Array:
    """Of normal draws: orthonormal rows or columns, whichever are fewer, times sqrt(max(fan_in, fan_out)), by Haar.

    The product of Householder reflections, each of a normal vector one shorter than the last, which the QR
    decomposition of a normal matrix would find one by one (Stewart 1980, The efficient generation of random orthogonal
    matrices, section 3); signs as if R's diagonal were positive (Mezzadri 2007, How to generate random matrices from
    the classical compact groups, section 5).
    """
    fan_in, fan_out = draws.shape
    v = np.triu(draws if fan_in <= fan_out else draws.T).astype(np.float64, order="C")  # one a row
    norms, first = np.sqrt(np.einsum("ij,ij->i", v, v)), np.diagonal(v)
    if not norms.all():  # one draw in 2^23 is 0, and may stand alone in the last row: either direction will do
        first = np.where(norms > 0, first, np.copysign(1.0, first))
        norms[norms == 0] = 1.0
    ends = -np.copysign(norms, first)  # R's diagonal
    taus = 1.0 - first / ends
    v /= (first - ends)[:, None]
    openblas.reflect(v, taus)
    v *= np.copysign(math.sqrt(v.shape[1]), ends)[:, None]
    return v if fan_in <= fan_out else v.T


def _ones(rng: Generator, fan_in: int, fan_out: int) -> Array:
    return np.ones((fan_in, fan_out), np.float32)


GLOROT = "Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks, section 4.2"
HE = "He et al. 2015, Delving deep into rectifiers, section 2.2, eq. 10"
LECUN = "LeCun et al. 1998, Efficient BackProp, section 4.6"
SAXE = "Saxe et al. 2014, Exact solutions to the nonlinear dynamics of learning in deep linear networks, section 3"
SCHOENHOLZ = "Schoenholz et al. 2017, Deep information propagation, section 3"
CHRONO = "Tallec & Ollivier 2018, Can recurrent neural networks warp time?, section 2.2, eq. 16"
FORGET = "Gers et al. 2000, Learning to forget; Jozefowicz et al. 2015, An empirical exploration, section 2.2"


def _xavier(fan_in: int, fan_out: int) -> float:
    return 2.0 / (fan_in + fan_out)


def _he(fan_in: int, fan_out: int) -> float:
    return 2.0 / fan_in


def _lecun(fan_in: int, fan_out: int) -> float:
    return 1.0 / fan_in


_ROWS = (
    Initializer(name="xavier_normal", unit=_normal, variance=_xavier, paper=GLOROT),
    Initializer(name="xavier_uniform", unit=_uniform, variance=_xavier, paper=GLOROT),
    # the factor 2 makes up for ReLU, which halves the mean square
    Initializer(name="he_normal", unit=_normal, variance=_he, linear_variance=_lecun, paper=HE),
    Initializer(name="he_uniform", unit=_uniform, variance=_he, linear_variance=_lecun, paper=HE),
    Initializer(name="lecun_normal", unit=_normal, variance=_lecun, paper=LECUN),
    # U(-1/sqrt(fan_in), 1/sqrt(fan_in)), weights and biases
    Initializer(
        name="framework_default",
        unit=_uniform,
        variance=lambda i, o: 1.0 / (3.0 * i),
        bias_variance=lambda i: 1.0 / (3.0 * i),
        hidden_fan=True,
        paper="the default of torch.nn.Linear and torch.nn.RNN",
    ),
    Initializer(name="orthogonal", unit=_normal, form=_orthogonal, variance=lambda i, o: 1.0 / max(i, o), paper=SAXE),
    # N(0, 0.01^2) whatever the width
    Initializer(name="too_small", unit=_normal, variance=lambda i, o: 1e-4, paper="the claim examined"),
    # every weight 1/fan_in: each unit is the mean of its inputs, all units of a layer are the same
    Initializer(
        name="constant", unit=_ones, variance=lambda i, o: i**-2.0, independent=False, paper="the claim examined"
    ),
    # for inputs of variance 1, z ~ N(0, 32^2): nine in ten |z| > 4
    Initializer(name="saturating", unit=_normal, variance=lambda i, o: 1024.0 / i, paper="the claim examined"),
    # chi = 1 at the fixed point of the variance, without biases
    Initializer(
        name="critical", unit=_normal, variance=_unsolved, linear_variance=_lecun, solve=_critical, paper=SCHOENHOLZ
    ),
    Initializer(name="forget_one", unit=_uniform, variance=_xavier, gates=gates.forget_one, paper=FORGET),
    Initializer(name="chrono", unit=_uniform, variance=_xavier, gates=gates.chrono, paper=CHRONO),
)

INITIALIZERS = {row.name: row for row in _ROWS}
