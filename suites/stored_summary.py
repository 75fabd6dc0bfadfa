"""What a dtype keeps of the gradient, over the seeds of a configuration: columns of a summary."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

POSITIONS = {
    "first_subnormal_position": "where, on the way back, half of the seeds or more have no normal number left that is"
    " not rescaled; blank if fewer",
    "first_zero_position": "where they have nothing but 0 left",
    "float64_first_subnormal_position": "the same of float32's gradient as float64 would keep it; blank, too, where"
    " float32's forward pass dies out or overflows, and the gradient with it: float64's may not",
    "float64_first_zero_position": "where float64 would have nothing but 0 left; blank as that is",
}
# Columns of a summary, and what they mean.
KEPT = POSITIONS | {
    "from_output_total_decades": "total_decades, not rescaled, by the derivative from the output, as frameworks take it"
}


def kept(rows: pd.DataFrame, configuration: Sequence[str]) -> pd.DataFrame:
    """One row per configuration, by which it is indexed, in the order of rows.

    Columns: KEPT; NaN where that is nowhere, and where the activation has no derivative from the output. Of an even
    number of seeds the position is that of the upper half; from_output_total_decades is -inf if one is 0.
    """

    def over(metric: str, part: pd.DataFrame) -> "pd.api.typing.SeriesGroupBy":
        found = part[part.metric == metric].groupby(list(configuration), dropna=False, sort=False, observed=True)
        return found["value"]

    everything = rows.groupby(list(configuration), dropna=False, sort=False, observed=True).size().to_frame()[[]]
    columns = [over(metric, rows).agg(_median) for metric in POSITIONS]
    totals = over("from_output_gradient", rows[rows.position == 0])
    columns.append(totals.agg(lambda value: value.mean(skipna=False)))
    return everything.assign(**dict(zip(KEPT, columns, strict=True)))


def _median(positions: pd.Series) -> float:
    """The middle one, of an even number the upper; those that were never reached, NaN, are the lowest."""
    middle = np.sort(positions.fillna(-np.inf).to_numpy())[len(positions) // 2]
    return float(middle) if np.isfinite(middle) else np.nan
