"""Verdicts on a gradient by how much of it survives, over seeds, and what a change of that is worth.

Every threshold was written before anything was measured, with its reason.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from suites.intervals import CONFIDENCE, half_width

VANISHES, HEALTHY, EXPLODES = "vanishes", "healthy", "explodes"
MENDS, EASES, OVERSHOOTS, HARMS = "mends", "eases", "overshoots", "harms"
NO_EFFECT, CANNOT_TELL = "no effect", "cannot tell"
STILL = "still no number"  # what a change does to a gradient that overflowed, and overflows with it
NO_NUMBER = "no number"  # what overflowed cannot be judged

# Decades between the first and the last position. One learning rate fits weights whose gradients differ by less than a
# factor of ten: that is about the range of rates with which such a network trains at all.
LIMIT = 1.0
# Of the decades too many or too few, the share that a change must take away. Less leaves the network as it was.
SHARE = 0.25


@dataclass(frozen=True)
class Decades:
    """log10 of the gradient's norm at the first position over that at the last one, of each seed."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds; -inf where one gradient is 0, NaN where one is no number."""
        with np.errstate(invalid="ignore"):
            return float(np.mean(self.values))

    @property
    def off(self) -> float:
        """How far the mean is from 0, where the gradient is kept; inf where it is 0 or no number."""
        return abs(self.mean) if math.isfinite(self.mean) else math.inf

    @property
    def interval(self) -> tuple[float, float]:
        """95 % t-interval of the mean; NaN with one seed, or where one value is not finite."""
        n = len(self.values)
        if n < 2 or not np.isfinite(self.values).all():
            return math.nan, math.nan
        half = float(half_width(np.std(self.values, ddof=1) / math.sqrt(n), n))
        return self.mean - half, self.mean + half

    @property
    def verdict(self) -> str:
        """By LIMIT; a gradient that is no number left the range of floating point forward: it explodes."""
        if math.isnan(self.mean):
            return EXPLODES
        return HEALTHY if self.off <= LIMIT else VANISHES if self.mean < 0 else EXPLODES

    @property
    def certain(self) -> bool:
        """Whether the whole interval has one verdict; not with one seed."""
        if not math.isfinite(self.mean):
            return True
        return all(Decades((end,)).verdict == self.verdict for end in self.interval) and len(self.values) > 1


def decades(rows: pd.DataFrame) -> Decades:
    """Those of the measured rows of one configuration."""
    return Decades(tuple(rows.value[(rows.metric == "log10_gradient") & (rows.position == 0)]))


@dataclass(frozen=True)
class Gain:
    """What a change is worth: decades by which it brings the gradient nearer to being kept, with its 95 % interval."""

    bought: float
    low: float
    high: float
    share: float  # of the decades that were too many or too few

    @property
    def real(self) -> bool:
        """Whether it is more than the seeds' noise, and enough of what was wrong to matter."""
        return self.low > 0 and self.share >= SHARE

    @property
    def harms(self) -> bool:
        """The same the other way: the gradient is further from being kept than before."""
        return self.high < 0 and self.share <= -SHARE


def gain(before: Decades, after: Decades) -> Gain:
    """The gain from before to after.

    The interval is Welch's (1947) of a difference of means: seeds share their draws, which it does not rely on. With
    one seed on either side it is infinite. A gradient that was 0 or no number and is finite again gains infinitely; of
    one that is no number before and after, nothing can be told: NaN.
    """
    if math.isnan(before.mean) and math.isnan(after.mean):
        return Gain(math.nan, math.nan, math.nan, math.nan)
    if not (math.isfinite(before.off) and math.isfinite(after.off)):
        bought = 0.0 if before.off == after.off else math.copysign(math.inf, before.off - after.off)
        return Gain(bought, bought, bought, float(np.sign(bought)))
    bought, half = before.off - after.off, _welch(before.values, after.values)
    return Gain(bought, bought - half, bought + half, bought / before.off if before.off else -math.inf)


def _welch(a: Sequence[float], b: Sequence[float]) -> float:
    """Half the 95 % interval of a difference of means; inf where one has a single value."""
    if min(len(a), len(b)) < 2:
        return math.inf
    errors = [float(np.var(x, ddof=1)) / len(x) for x in (a, b)]
    if not (total := sum(errors)):
        return 0.0
    freedom = total**2 / sum(error**2 / (len(x) - 1) for error, x in zip(errors, (a, b), strict=True))
    return float(stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * math.sqrt(total)


def hidden(before: Decades, worth: Gain) -> bool:
    """Whether the noise leaves room for a SHARE of what was wrong, either way; with one seed it does."""
    return max(-worth.low, worth.high) > SHARE * before.off


def effect(before: Decades, after: Decades) -> str:
    """What a change does to a gradient that is not healthy, by the verdict on what it becomes.

    OVERSHOOTS, with the verdict, where that fails the other way. Where it does not, and the change is more than the
    seeds' noise: MENDS where it is healthy, EASES where it is nearer to that, HARMS where it is further from it. MENDS
    also where it is certainly healthy. Elsewhere NO_EFFECT, or CANNOT_TELL where the noise leaves room for a SHARE of
    what was wrong. STILL where it is no number before and after.
    """
    if math.isnan(before.mean) and math.isnan(after.mean):
        return STILL
    worth = gain(before, after)
    if after.verdict not in (before.verdict, HEALTHY):
        return f"{OVERSHOOTS}: {after.verdict}"
    if after.verdict == HEALTHY and (worth.low > 0 or after.certain):
        return MENDS
    if worth.low > 0:
        return EASES
    if worth.high < 0:
        return HARMS
    return CANNOT_TELL if hidden(before, worth) else NO_EFFECT
