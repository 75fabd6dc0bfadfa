"""Verdicts on a gradient: how much of it survives, over seeds, and what its norm is per parameter.

Every threshold was written before anything was measured, with its reason.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from suites.intervals import CONFIDENCE, half_width

VANISHES, HEALTHY, EXPLODES = "vanishes", "healthy", "explodes"
NO_NUMBER = "no number"  # what overflowed cannot be judged

# Decades between the first and the last position. One learning rate fits weights whose gradients differ by less than a
# factor of ten: that is about the range of rates with which such a network trains at all.
LIMIT = 1.0
# Of the decades too many or too few, the share that a change must take away. Less leaves the network as it was.
SHARE = 0.25

# Norm of a weight matrix's gradient, as the second document expects it (section 10): in shallow layers from SHALLOW[0]
# to SHALLOW[1], in deep ones over DEEP; under VANISHED the gradient vanishes. It does not say where deep begins: the
# second half of the layers is taken. Nor does it say when a norm explodes: as far over its upper end as VANISHED is
# under its lower one.
SHALLOW = (1e-3, 1e-1)
DEEP = 1e-4
VANISHED = 1e-6
EXPLODED = SHALLOW[1] * SHALLOW[0] / VANISHED


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
    one seed on either side it is infinite. A gradient that was 0 or no number and is finite again gains infinitely.
    """
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


def judge_norms(log10_norms: Sequence[float]) -> pd.DataFrame:
    """What the second document says of the gradients of weight matrices, given in the order of their layers.

    Columns layer (shallow or deep), expected and judgement: vanishes, small, as expected, large (shallow layers alone
    have an upper end), explodes. A norm that is infinite or no number explodes.
    """
    found = []
    for i, value in enumerate(log10_norms):
        shallow = i < len(log10_norms) / 2
        low, high = SHALLOW if shallow else (DEEP, math.inf)
        found.append(
            {
                "layer": "shallow" if shallow else "deep",
                "expected": f"{low:g} to {high:g}" if shallow else f"> {low:g}",
                "judgement": _judgement(value, math.log10(low), math.log10(high)),
            }
        )
    return pd.DataFrame(found, columns=["layer", "expected", "judgement"])


def _judgement(value: float, low: float, high: float) -> str:
    if math.isnan(value) or value > math.log10(EXPLODED):
        return EXPLODES
    if value < math.log10(VANISHED):
        return VANISHES
    return "small" if value < low else "large" if value > high else "as expected"


def counted(judged: pd.DataFrame, log10_norms: Sequence[float]) -> list[dict[str, Any]]:
    """A row of a diagnosis for those of judge_norms' matrices that vanish, and one for those that explode.

    The first is no number where none vanishes and some norm is none: what was lost there is not known.
    """
    unknown = bool(np.isnan(list(log10_norms)).any())
    found = []
    for verb, verdict, limit in (
        ("vanish", VANISHES, f"under {VANISHED:g}"),
        ("explode", EXPLODES, f"over {EXPLODED:g}"),
    ):
        count = int((judged.judgement == verdict).sum())
        none = NO_NUMBER if unknown else HEALTHY
        found.append(
            {
                "kind": "scale",
                "name": f"weight gradients that {verb}",
                "about": f"of {len(judged)} weight matrices, those {limit}",
                "value": count,
                "unit": "matrices",
                "verdict": verdict if count else none,
            }
        )
    return found
