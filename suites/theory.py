"""What the gradient should do, from the configuration alone: the curves drawn beside every measurement.

The mean field of kernels.critical, followed layer by layer (step by step) from the input on: the transient
matters, since near criticality the variance moves towards its fixed point only algebraically.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from kernels.critical import MeanField
from kernels.initializers import INITIALIZERS
from suites.own_activations import lookup_activation

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Prediction:
    """Of log10 of the gradient norm at positions 0 to L over that at L, shape (L + 1,); NaN where theory is silent.

    curve is half of log10 of the expected squared norm ratio. sd is the standard deviation of the measured log10
    between networks, for one sample (batch 1): a batch averages most of it away, and then sd is NaN.
    """

    curve: Array
    sd: Array


def plain(*, activation: str, initializer: str, depth: int, width: int, batch: int, **_: Any) -> Prediction:
    """A plain network whose first pre-activations have variance 1 (Poole 2016; Schoenholz 2017)."""
    row = lookup_activation(activation)
    rule, field = INITIALIZERS[initializer].of(row), MeanField.of(row)
    sw2, sb2 = rule.weight_variance(width, width), rule.bias_variance(width)
    if batch > 1:
        return _transient(field, 1.0, sw2, sb2, depth)
    # Orthogonal weights keep a norm: what a Gaussian matrix adds, 2/width per layer, is missing.
    return _transient(field, 1.0, sw2, sb2, depth, width, 2.0 if rule.name == "orthogonal" else 0.0)


def rnn(*, activation: str, initializer: str, length: int, width: int, inputs: int, batch: int, **_: Any) -> Prediction:
    """A vanilla RNN from h_0 = 0 on x ~ N(0, I): each step adds the input's variance to the pre-activation's.

    To leading order in length^2/width: the same weights at every step add to the norm, about a decade over 100 steps
    of 256 units where the gradient neither dies nor saturates.
    """
    row = lookup_activation(activation)
    rule = INITIALIZERS[initializer].of(row)
    sw2 = rule.weight_variance(width, width, width)
    constant = rule.weight_variance(inputs, width, width) + rule.bias_variance(width)
    return _transient(MeanField.of(row), constant, sw2, constant, length)


def _transient(
    field: MeanField, q: float, sw2: float, sb2: float, layers: int, width: int | None = None, less: float = 0.0
) -> Prediction:
    """The products of chi(q_l) from every position to the last, and the band of one sample where a width is given."""
    silent = np.full(layers + 1, np.nan)
    if not sw2 > 0:
        return Prediction(silent, silent)
    variances = []
    with np.errstate(over="ignore"):
        for variance in islice(field.variances(q, sw2, sb2), layers):
            if not math.isfinite(variance):  # beyond float64: no activation was left finite either
                return Prediction(silent, silent)
            variances.append(variance)
    curve = _from_the_end([0.5 * math.log10(field.chi(q, sw2)) for q in variances])
    if width is None:
        return Prediction(curve, silent)
    beta = _from_the_end([(spread(field, q) - less) / width for q in variances])
    # ln|Ju|^2 has variance beta, so log10|Ju| has standard deviation sqrt(beta) / (2 ln 10).
    return Prediction(curve, np.sqrt(np.maximum(beta, 0.0)) / (2 * math.log(10)))


def spread(field: MeanField, q: float) -> float:
    """Width times the variance of ln|J u|^2 that one layer of Gaussian weights adds (Hanin 2018, theorem 3).

    ReLU 5, linear 2.
    """
    return 3 * field.slope_moment(q, 4) / field.slope_moment(q) ** 2 - 1


def _from_the_end(factors: list[float]) -> Array:
    """Sums of factors l+1 to L, for l = 0 to L."""
    return np.append(np.cumsum(factors[::-1])[::-1], 0.0)


# Architecture -> its prediction. An architecture that is missing here gets no line.
PREDICTIONS: dict[str, Callable[..., Prediction]] = {"plain": plain, "rnn": rnn}
