"""What the decades that a remedy buys cost, in nanoseconds of a training step."""

import math
from typing import Any

from suites.verdicts import SHARE

# A step that takes less than this share more costs as little as a change that takes so little of the decades away is
# worth. An interval that reaches further up leaves room for a price that matters, and tells of none that is free.
NOISY = 1 + SHARE
FREE = (
    "free: what a step takes more cannot be told from nothing, the interval of time_ratio reaching down to 1; another "
    "initialiser's is the same step, and is not timed"
)


def price(ratio: float, low: float, high: float, baseline: float, bought: float, bought_low: float) -> dict[str, Any]:
    """Columns of a price: what a step takes, what is added, and decades per added nanosecond.

    ratio, low, high: of the step's time to the baseline's, with its interval; baseline: nanoseconds of the baseline's
    step per element, one for all remedies of it, so that what they add can be compared. free: low is 1 or less, and
    high not over NOISY. decades_per_nanosecond is inf where that is free, and NaN where it has no number: where no more
    is bought than noise (bought_low is not over 0), where the price is noise (low is 1 or less, and it is not free),
    and at a price where infinitely many are, because nothing was left before.
    """
    added, free = (ratio - 1) * baseline, low <= 1 and high <= NOISY
    per = math.inf if free else bought / added if math.isfinite(bought) and low > 1 else math.nan
    return {
        "baseline_nanoseconds": baseline,
        "nanoseconds": ratio * baseline,
        "added_nanoseconds": added,
        "time_ratio": ratio,
        "time_ratio_low": low,
        "time_ratio_high": high,
        "free": free,
        "decades_per_nanosecond": per if bought_low > 0 else math.nan,
    }
