"""Remedies with their prices as a terminal shows them: a narrow table, and what its columns are."""

import math
from typing import Any

import pandas as pd

from reports.tables import cell as text_of
from suites.prices import FREE
from suites.verdicts import CANNOT_TELL, EASES, HARMS, MENDS, NO_EFFECT, NO_NUMBER, STILL

ORDER = (MENDS, EASES, "overshoots", NO_EFFECT, CANNOT_TELL, STILL, HARMS)


def known(values: "pd.Series[float]", there: "pd.Series[bool] | bool" = True) -> "pd.Series[Any]":
    """values, as texts where what is there is no number: a blank would say that nothing is there."""
    unknown = values.isna() & there
    return values.map(text_of).mask(unknown, NO_NUMBER) if unknown.any() else values


def priced(part: pd.DataFrame) -> pd.DataFrame:
    """Columns remedy, decades, effect, bought, time and per ns of remedies with their prices, the best first.

    An effect that is not certain has a question mark; what costs nothing, or does not help, has no price.
    """
    unsure = part.certain.eq(False) & (part.effect == MENDS)
    helps = part.effect.isin([MENDS, EASES])
    free = part.free.eq(True) & part.decades_per_nanosecond.eq(math.inf)
    shown = pd.DataFrame({
        "remedy": part.remedy,
        "decades": known(part.decades),
        "effect": part.effect.mask(unsure, f"{MENDS}?"),
        "bought": part.decades_bought,
        "time": [f"{ratio:.2f}" for ratio in part.time_ratio],
        "per ns": part.decades_per_nanosecond.map(text_of).mask(free, "free").mask(_noisy(part), "?").where(helps, ""),
    })  # fmt: skip
    rank = [ORDER.index(effect.partition(":")[0]) for effect in part.effect]
    return shown.iloc[sorted(range(len(shown)), key=rank.__getitem__)]


def _noisy(part: pd.DataFrame) -> "pd.Series[bool]":
    """Where decades are bought, at a price that is noise."""
    return (part.decades_bought_low > 0) & (part.time_ratio_low <= 1) & part.free.eq(False)


def legend(part: pd.DataFrame, base: str) -> str:
    """What the columns of priced are; base: what a step of the baseline takes."""
    text = [f"time: a training step over the baseline's, {base}; per ns: decades bought per nanosecond added to that."]
    if part.decades_bought.eq(math.inf).any():
        text.append("inf bought: the baseline's gradient is 0 or no number; it has no price per ns, unless it is free.")
    if part.effect.eq(STILL).any():
        text.append(f"{STILL}: the forward pass overflows with it as it does without.")
    if part.decades_per_nanosecond.eq(math.inf).any():
        text.append(f"{FREE[0].upper()}{FREE[1:]}.")
    if (part.certain.eq(False) & (part.effect == MENDS)).any():
        text.append(f"{MENDS}?: the interval over seeds reaches beyond healthy.")
    if _noisy(part).any():
        text.append("?: the rounds of timing differ too much to tell what is added.")
    return "\n".join(text)
