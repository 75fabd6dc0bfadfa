"""What the experiments across depth and across time share: streams, norms, range of floating point, predicted rows."""

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from kernels.architectures import ARCHITECTURES
from kernels.blas import matmul
from kernels.checks import DTYPES
from kernels.initializers import INITIALIZERS
from kernels.summaries import log10_norm as log10_norm
from kernels.summaries import variance as variance
from suites.errors import UserError, known, whole
from suites.own_activations import lookup_activation, lookup_activations
from suites.theory import PREDICTIONS

log = logging.getLogger(__name__)

Array = np.ndarray[Any, Any]

# A gradient is rescaled once its norm leaves 2^-comfort to 2^comfort, to the other end of that range. Between that and
# the ends of the dtype (2^128 in float32) is room for one more layer, and for what is summed from the gradient.
MARGIN = 38
LOG10_2 = math.log10(2.0)


def streams(seed: int) -> list[np.random.Generator]:
    """Independent generators of the weights, the inputs and the injected gradient, the same for every configuration."""
    return [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3)]


def scaled(x: Array, W: Array, sb2: float, q: float = 1.0) -> Array:
    """Inputs x (batch, fan_in) in float64, times the factor that gives pre-activations of weights W the mean square q.

    sb2: the mean square of the biases that are added to x W; where it is q or more, x becomes 0.
    """
    z = np.empty((len(x), W.shape[1]))
    matmul(z, x, W.astype(np.float64))
    return x * math.sqrt(max(q - sb2, 0.0) / np.mean(z * z))


@cache
def largest_exponent(dtype: np.dtype[Any]) -> int:
    """The power of two at which numbers of that dtype end."""
    return int(np.finfo(dtype).maxexp)


def comfort(dtype: np.dtype[Any]) -> float:
    """log10 of the norm up to which, and down to one over which, a gradient of that dtype is left as it is."""
    return (largest_exponent(dtype) - MARGIN) * LOG10_2


def rescaling(norm: float, dtype: np.dtype[Any], ahead: float = 0.0) -> int:
    """The power of two by which a gradient of that log10 of its norm is to be multiplied, so that it has far to go.

    0 for one that stays comfortable where it is about to gain so many decades as ahead, or that nothing helps: 0 or not
    finite.
    """
    far = comfort(dtype)
    if abs(norm + ahead) < far or not math.isfinite(norm):
        return 0
    return round((math.copysign(0.9 * far, -norm - ahead) - norm) / LOG10_2)


def gradient_rows(
    seed: int, dtype: str, norms: Sequence[float] | Array, plain: Sequence[float] | Array
) -> list[dict[str, Any]]:
    """Rows of the gradient at each position, from log10 of its norms at 0 to the last one.

    plain: the same as dtype keeps it in a backward pass without rescaling, -inf where it underflows to 0.
    """
    shared = {"seed": seed, "position": range(len(norms)), "unit": "log10"}
    absolute, kept = np.array(norms), np.array(plain)
    with np.errstate(invalid="ignore"):
        return [
            {**shared, "metric": "log10_gradient", "value": absolute - absolute[-1]},
            {**shared, "metric": "log10_gradient_norm", "value": absolute},
            {**shared, "metric": f"{dtype}_gradient", "value": kept - kept[-1]},
        ]


def predicted_rows(cell: Any) -> list[dict[str, Any]]:
    """Rows of the prediction for a cell's configuration; none where theory is silent."""
    prediction = PREDICTIONS[cell.architecture](**vars(cell))
    curves = {"predicted_log10_gradient": prediction.curve, "predicted_sd": prediction.sd}
    return [
        {"position": range(len(curve)), "metric": metric, "value": curve, "unit": "log10"}
        for metric, curve in curves.items()
        if not np.isnan(curve).all()
    ]


def configuration(cell: Any) -> dict[str, Any]:
    """The columns of a row that a cell's configuration fills, but for its depth or length."""
    rule = INITIALIZERS[cell.initializer].of(lookup_activation(cell.activation))
    return {
        "architecture": cell.architecture,
        "activation": cell.activation,
        "parameter_a": lookup_activation(cell.activation).a,
        "initializer": cell.initializer,
        "weight_variance": rule.weight_variance(cell.width, cell.width),
        "bias_variance": rule.bias_variance(cell.width),
        "dtype": cell.dtype,
        "width": cell.width,
        "batch": cell.batch,
    }


def checked_names(
    kind: str,
    architectures: Iterable[str],
    activations: Iterable[str],
    initializers: Iterable[str],
    offered: Mapping[str, Any] | None = None,
) -> list[list[str]]:
    """The names, aliases resolved and each once, of rows that exist; UserError otherwise.

    offered: the architectures that an error names, where not all across depth or time will do.
    """
    table, names = {name: row for name, row in ARCHITECTURES.items() if kind in row.kinds}, [*architectures]
    if unknown := [name for name in names if name not in table]:
        known(offered or table, f"architecture across {kind}", unknown)
    return [
        [row.name for row in known(table, f"architecture across {kind}", names)],
        [row.name for row in lookup_activations(activations)],
        [row.name for row in known(INITIALIZERS, "initializer", initializers)],
    ]


def checked_numbers(dtype: str, **numbers: int) -> None:
    """UserError unless dtype is float32 or float64, the seed 0 or more and every other number 1 or more."""
    if dtype not in DTYPES:
        raise UserError(f"dtype must be {' or '.join(DTYPES)}, got {dtype!r}")
    for name, value in numbers.items():
        whole(name, value, 0 if name == "seed" else 1)


def checked_sizes(dtypes: Iterable[str], **sizes: Iterable[int]) -> list[dict[str, Any]]:
    """Every combination of a dtype and the sizes, as arguments by name, each once; UserError as of checked_numbers.

    sizes: the values of each, by its name in the singular.
    """
    values: dict[str, list[Any]] = {name: [*dict.fromkeys(several)] for name, several in sizes.items()}
    values["dtype"] = [*dict.fromkeys(dtypes)]
    for name, several in values.items():
        if not several:
            raise UserError(f"at least one {name} is needed")
    combinations = [dict(zip(values, combination, strict=True)) for combination in product(*values.values())]
    for combination in combinations:
        checked_numbers(**combination)
    return combinations


def sensible(names: Iterable[Iterable[str]], build: Callable[[str, Any, Any], Any]) -> list[tuple[str, str, str]]:
    """The combinations of architecture, activation and initialiser that can be built.

    build(architecture, row of ACTIVATIONS, row of INITIALIZERS) raises ValueError where they make no sense together:
    that combination is left out, and the log says why. UserError where nothing is left.
    """
    kept, reasons = [], []
    for architecture, activation, initializer in product(*names):
        try:
            build(architecture, lookup_activation(activation), INITIALIZERS[initializer])
        except ValueError as error:
            reasons.append(str(error))
        else:
            kept.append((architecture, activation, initializer))
    if not kept:
        raise UserError(reasons[0])
    for reason in dict.fromkeys(reasons):
        log.warning("left out: %s", reason)
    return kept
