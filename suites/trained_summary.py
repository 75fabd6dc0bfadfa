"""What an experiment across time on trained weights comes to: what it does untrained, and how far training came."""

import pandas as pd

from suites import summary
from suites.trained import CLIP, OPTIMIZER
from suites.training import LEARNING_RATE

KNOWS_NOTHING = 1 / 6  # the mean squared error of the answer 1 in the adding problem: the variance of the sum


def summarise(rows: pd.DataFrame, experiment: str) -> tuple[pd.DataFrame, list[str]]:
    """The summary of rows of the experiment across time and the remarks on it, as suites.summary has them.

    Of trained weights also columns trained, steps of training, and loss, mean over the seeds of the squared error in
    the last tenth of them; and a remark on how they were trained.
    """
    table, remarks = summary.summarise(rows, experiment)
    losses = rows[rows.metric == "loss"]
    if losses.empty:
        return table, remarks
    found = losses.groupby(summary.CONFIGURATION, dropna=False, sort=False, observed=True)
    told = found.agg(trained=("step", "first"), loss=("value", lambda value: value.mean(skipna=False)))
    how = f"{OPTIMIZER.capitalize()} at a rate of {LEARNING_RATE:g}, the gradient clipped to a norm of {CLIP:g}"
    remarks.append(
        f"loss: the mean squared error on the adding problem in the last tenth of {losses.step.max()} training steps "
        f"({how}, new examples in each); who always answers 1 has {KNOWS_NOTHING:.3f}"
    )
    return table.merge(told.reset_index(), on=summary.CONFIGURATION, how="left"), remarks
