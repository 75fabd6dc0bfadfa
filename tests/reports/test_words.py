"""Numbers in sentences."""

import math

import pytest

from reports.words import MINUS, entries, fixed, listed, number, percent, power, readable, signed, size


@pytest.mark.parametrize(
    ("decades", "text"),
    [
        (0.0, "1"), (-0.3, "0.5"), (-31.4, "10⁻³¹"), (10.0, "10¹⁰"), (-math.inf, "exactly 0"),
        (math.nan, "not a number"), (math.inf, "more than the format holds"),
    ],
)  # fmt: skip
def test_power(decades, text):
    assert power(decades) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12345, "0.123"),
        (-2.0, f"{MINUS}2"),
        (math.nan, "\N{EN DASH}"),
        (-math.inf, f"{MINUS}∞"),
        (1e-9, f"1e{MINUS}09"),
    ],
)
def test_number(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.126, "+0.13"), (-0.126, f"{MINUS}0.13"), (-0.001, "0.00"), (math.nan, "\N{EN DASH}"), (-math.inf, f"{MINUS}∞")],
)
def test_signed(value, text):
    assert signed(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.2, "0.200"), (90.0, "90.0"), (413.3, "413"), (-0.5, f"{MINUS}0.500"), (math.nan, "\N{EN DASH}")],
)
def test_fixed(value, text):
    assert fixed(value) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "unknown"),
        (512, "512 B"),
        (49152, "48 KiB"),
        (1 << 20, "1 MiB"),
        (1258291, "1.2 MiB"),
        (1 << 41, "2048 GiB"),
    ],
)
def test_size(count, text):
    assert size(count) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("forward_backward", "forward and backward"), ("training_step", "training step"), ("rnn", "RNN"),
        ("T100-N32-H128", "100 steps, batch 32, 128 units"), ("64x256x128", "batch 64, 256 to 128 units"),
        ("float32", "float32"),
    ],
)  # fmt: skip
def test_readable(name, text):
    assert readable(name) == text


def test_percent():
    assert percent(0.9729) == "97.3 %"
    assert percent(math.nan) == "\N{EN DASH}"


def test_listed():
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed("abcdef", 3) == "a, b and 4 more"


def test_entries():
    record = {"a": {"b": [1, 2], "c": None}, "d": 0.123456, "e": True}
    assert entries(record) == {"a b": "1 2", "a c": "unknown", "d": "0.1235", "e": "True"}
