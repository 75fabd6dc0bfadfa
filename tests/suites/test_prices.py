"""What is added is the ratio less 1 times the baseline; what adds nothing is free, and noise has no price."""

import math

import pytest

from suites.prices import NOISY, price


@pytest.mark.parametrize(
    ("ratio", "low", "high", "bought", "bought_low", "free", "per"),
    [
        (1.5, 1.4, 1.6, 9.0, 8.0, False, 9.0),
        (1.01, 0.99, 1.03, 9.0, 8.0, True, math.inf),
        (0.9, 0.89, 0.91, 9.0, 8.0, True, math.inf),  # it is faster
        (2.5, 0.9, 3.0, 9.0, 8.0, False, math.nan),  # nothing can be told
        (1.0, 1.0, NOISY, 9.0, 8.0, True, math.inf),
        (1.0, 1.0, 1.26, 9.0, 8.0, False, math.nan),  # a quarter more would be a price
        (1.5, 1.4, 1.6, math.inf, math.inf, False, math.nan),
        (1.0, 0.9, 1.1, math.inf, math.inf, True, math.inf),
        (1.0, 0.9, 1.1, 9.0, -1.0, True, math.nan),
        (1.5, 1.4, 1.6, math.nan, math.nan, False, math.nan),
    ],
)
def test_a_price_is_a_number_or_none_or_nothing_is_paid(ratio, low, high, bought, bought_low, free, per):
    found = price(ratio, low, high, 2.0, bought, bought_low)
    assert found["free"] is free
    assert found["decades_per_nanosecond"] == pytest.approx(per, nan_ok=True)
    assert found["added_nanoseconds"] == pytest.approx(2.0 * ratio - 2.0)
    assert found["nanoseconds"] == pytest.approx(found["baseline_nanoseconds"] + found["added_nanoseconds"])
