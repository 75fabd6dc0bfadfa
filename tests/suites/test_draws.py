"""Draws that cells share: the bits are those of draws made anew, the generator goes on as after them."""

import numpy as np
import pandas as pd
import pytest

from kernels.initializers import INITIALIZERS
from suites import depth, draws
from suites.draws import Memo, remembered


@pytest.mark.parametrize("initializer", [name for name, row in INITIALIZERS.items() if row.solve is None])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_and_what_follows_are_the_same(initializer, dtype):
    rule = INITIALIZERS[initializer]
    for _ in range(2):  # drawn, then remembered
        ours, anew = np.random.default_rng(5), np.random.default_rng(5)
        for fan_in, fan_out in ((4, 7), (7, 3), (4, 7)):
            shared = remembered(rule).draw(ours, fan_in, fan_out, np.dtype(dtype))
            assert shared.tobytes() == rule.draw(anew, fan_in, fan_out, np.dtype(dtype)).tobytes()
            assert ours.random() == anew.random()


def test_what_scales_the_same_draws_shares_them(monkeypatch):
    memo = Memo(10**6)
    monkeypatch.setattr(draws, "_memo", memo)
    for name in ("xavier_normal", "he_normal", "saturating", "orthogonal"):
        remembered(INITIALIZERS[name]).draw(np.random.default_rng(0), 5, 5, np.dtype(np.float64))
    assert len(memo.draws) == 1
    assert memo.size == 5 * 5 * 4


def test_the_draws_used_last_are_kept_up_to_the_limit():
    calls = []

    def unit(rng, fan_in, fan_out):
        calls.append(rng.bit_generator.state["state"]["state"])
        return rng.standard_normal((fan_in, fan_out))

    memo = Memo(2 * 3 * 3 * 8)
    for seed in (0, 1, 0, 2, 0, 1):  # 2 takes the place of 1, which takes that of 2
        memo.draw(unit, np.random.default_rng(seed), 3, 3)
    assert len(calls) == 4
    assert memo.size == memo.limit


def test_rows_do_not_tell_what_was_shared(monkeypatch):
    """Of every seed, whatever was measured before, and where nothing can be kept."""
    grid = {"depths": [3], "widths": [9], "batch": 4, "seeds": 2}
    first, second = depth.cells(initializers=["orthogonal", "framework_default"], **grid)
    shared = [depth.measure(cell) for cell in (first, second, first)]
    monkeypatch.setattr(draws, "_memo", Memo(0))
    for table, cell in zip(shared, (first, second, first), strict=True):
        pd.testing.assert_frame_equal(table, depth.measure(cell), check_exact=True)
