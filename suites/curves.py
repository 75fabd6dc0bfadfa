"""Every activation with its derivative, and the derivative that frameworks take from the output, over x."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kernels.activations import ACTIVATIONS
from kernels.checks import DTYPES
from suites.own_activations import lookup_activation, lookup_activations
from suites.schema import stack

LIMIT = 20.0
POINTS = 801


@dataclass(frozen=True)
class CurveCell:
    """One activation and the dtype its kernels run in."""

    activation: str
    dtype: str


def cells(*, activations: Sequence[str] = tuple(ACTIVATIONS), seed: int = 0) -> list[CurveCell]:
    """A float32 cell for each activation, every one by default; UserError where a name is unknown.

    seed is taken as by every experiment; nothing here is random.
    """
    return [CurveCell(row.name, "float32") for row in lookup_activations(activations)]


def measure(cell: CurveCell) -> pd.DataFrame:
    """Rows of f, df and, where the activation has one, df_from_output; position is x, from -LIMIT to LIMIT."""
    activation = lookup_activation(cell.activation)
    x = np.linspace(-LIMIT, LIMIT, POINTS).astype(DTYPES[cell.dtype])
    y, slope, ones = np.empty_like(x), np.empty_like(x), np.ones_like(x)
    activation.forward_backward(y, slope, ones, x)
    lines = {"f": y, "df": slope}
    if activation.df_from_output is not None:
        lines["df_from_output"] = np.empty_like(x)
        activation.backward_from_output(lines["df_from_output"], ones, y)
    configuration = {
        "experiment": "curves",
        "activation": cell.activation,
        "parameter_a": activation.a,
        "dtype": cell.dtype,
    }
    pieces = [{"position": x, "metric": metric, "value": values, "unit": "1"} for metric, values in lines.items()]
    return stack(configuration, pieces)
