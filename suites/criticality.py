"""What the mean field says of an activation: its gain, where it is critical, what the usual weights make of it."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from kernels.activations import ACTIVATIONS
from kernels.critical import MeanField
from suites.errors import UserError
from suites.own_activations import lookup_activations
from suites.phase import decades, depth_scale

EVERY = tuple(ACTIVATIONS)
# Initialisers of weights of the variance sw2 / fan_in.
USUAL = {"lecun": 1.0, "he": 2.0}


def critical(names: Sequence[str], bias_variances: Sequence[float]) -> pd.DataFrame:
    """One row per activation and bias variance sb2.

    Columns: name, bias_variance; gain: the factor on weights of variance 1/fan_in that makes chi = 1 at a
    pre-activation variance of 1; critical_points: how many pairs of a weight variance and a variance of pre-activations
    that stays as it is have chi = 1; critical_weight_variance and critical_variance: the first of them that is stable,
    or the first if none is (NaN where there is none, critical_variance inf where it grows without end, at chi = 1);
    stable. Then for weights of variance 1/fan_in (lecun_) and 2/fan_in (he_): variance that pre-activations settle at,
    from 1 (0: they die out, inf: they grow without end), chi there, depth_scale (-1 / ln chi layers, negative where the
    gradient grows), decades_per_layer.

    Raises:
        UserError: an activation is unknown, or a bias variance negative or not finite.
    """
    for sb2 in bias_variances:
        if not 0 <= sb2 < math.inf:
            raise UserError(f"a bias variance must be a number of 0 or more, got {sb2!r}")
    rows = lookup_activations(names)
    return pd.DataFrame(
        [_row(row.name, MeanField.of(row), sb2) for row in rows for sb2 in dict.fromkeys(bias_variances)]
    )


def _row(name: str, field: MeanField, sb2: float) -> dict[str, Any]:
    points = field.critical_points(sb2)
    point = min(points, key=lambda point: not point.stable, default=None)
    row: dict[str, Any] = {"name": name, "bias_variance": sb2, "gain": field.gain(), "critical_points": len(points)}
    sw2, q, stable = point or (math.nan, math.nan, None)
    row |= {"critical_weight_variance": sw2, "critical_variance": q, "stable": stable}
    for initializer, variance in USUAL.items():
        settled = field.fixed_point(variance, sb2)
        chi = field.settled_chi(settled, variance)
        facts = {"variance": settled, "chi": chi, "depth_scale": depth_scale(chi), "decades_per_layer": decades(chi)}
        row |= {f"{initializer}_{fact}": value for fact, value in facts.items()}
    return row
