"""What a dtype keeps of the gradient, over the seeds of a configuration: columns of a summary."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

POSITIONS = ("first_subnormal_position", "first_zero_position")
KEPT = (*POSITIONS, "from_output_total_decades")


def kept(rows: pd.DataFrame, configuration: Sequence[str]) -> pd.DataFrame:
    """One row per configuration, by which it is indexed, in the order of rows.

    Columns: first_subnormal_position and first_zero_position, the position by which, on the way back from the last one,
    half of the seeds or more have lost every normal number, and every number, of the dtype; NaN where fewer have.
    from_output_total_decades, the mean over seeds of log10 of the gradient's norm at position 0 over that at the last
    one in a pass without rescaling, with the derivative from the output; -inf if one is 0, NaN where the activation has
    no such derivative.
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
