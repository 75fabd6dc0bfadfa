"""The bounds of claims, chosen before anything was measured, each with where it comes from."""

import math

from reports.claim import Bound
from suites import norm_thresholds
from suites.activity import SATURATED
from suites.verdicts import LIMIT

# D2, section 10, calls a gradient norm below 1e-6 vanished. Relative to the last layer's it is the same six decades.
VANISHED = Bound(
    "six decades are lost: D2, section 10, calls below 10⁻⁶ vanished", most=math.log10(norm_thresholds.VANISHED)
)
# suites.verdicts and reports.summary.keeps count as kept what stays within a factor of ten.
KEPT = Bound("no more than a factor of ten is lost, as in this report's ranking", least=-LIMIT)
STEADY = Bound("within a factor of ten either way, as in this report's ranking", -LIMIT, LIMIT)
SHRINKS = Bound("more than a factor of ten is lost, as in this report's ranking", most=-LIMIT)
# A hundredth of a decade is 2 %: what does not show is no more.
MORE = Bound("a hundredth of a decade or more, which is 2 %", least=0.01)
DOUBLED = math.log10(2.0)
WITHIN_TWO = Bound("less than a factor of two either way, as D2 says", -DOUBLED, DOUBLED)
STRAIGHT = Bound("a straight line on a logarithmic scale explains 99 % of the variance", least=0.99)
STEEP_OVER = Bound("a tenth of the steepest slope, below which this report counts a unit as saturated", most=SATURATED)
FEW = Bound("a minority of one in ten", most=0.1)
MOST = Bound("more than half", least=0.5)
# float32 tells 1 from 1 + 1.2e-7; kernels promise a few units in the last place.
ROUNDING = 1e-6
NOTHING = Bound("0 up to the rounding of float32", most=ROUNDING)
POSITIVE = Bound("above 0, if only by the smallest number that float32 holds", least=1.4e-45)


def exactly(value: float) -> Bound:
    """value, up to the rounding of float32."""
    return Bound(f"{value:g} up to the rounding of float32", value - ROUNDING, value + ROUNDING)


def order_of(exponent: float) -> Bound:
    """The order of magnitude that a document names."""
    ends = sorted((0.8 * exponent, 1.2 * exponent))
    return Bound("an order of magnitude is a claim on the exponent: met within a fifth of it", *ends)


def factor(times: float) -> Bound:
    """Decades of the improvement by a factor that a document names."""
    return Bound(
        f"{times:g} times the gradient, met within a factor of two", *(math.log10(times * k) for k in (0.5, 2.0))
    )


def share(value: float, around: float = 0.1) -> Bound:
    """A share that a document names in round figures."""
    return Bound(f"{100 * value:g} %, give or take {100 * around:g} percentage points", value - around, value + around)
