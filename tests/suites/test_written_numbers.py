"""Numbers with commas: decimal or of thousands, as the others of a file have it."""

import math

import pytest

from suites.errors import UserError
from suites.written_numbers import COMMA, POINT, Written, read, readings, unwrapped


@pytest.mark.parametrize(
    ("text", "by_point", "by_comma"),
    [
        ("1,234", 1234, 1.234), ("12,345", 12345, 12.345), ("0,234", None, 0.234), ("1,23", None, 1.23),
        ("1,2345", None, 1.2345), ("1,234e-5", None, 1.234e-5), ("1,234.5", 1234.5, None), ("1,234,567", 1234567, None),
        ("0.5", 0.5, None), ("1.5e-3", 1.5e-3, None), ("7", 7, 7), ("1e-3", 1e-3, 1e-3), ("inf", math.inf, math.inf),
        ("1,2,3", None, None), ("1.234,5", None, None), ("", None, None), ("x", None, None),
        ("1234,567", None, 1234.567),
    ],
)  # fmt: skip
def test_what_a_number_may_be(text, by_point, by_comma):
    found = readings(text)
    assert (found.get(POINT), found.get(COMMA)) == (by_point, by_comma)


def all_of(*texts, semicolons=False):
    return read([Written(text, f"file: line {line}", semicolons) for line, text in enumerate(texts, 1)])


def test_one_that_may_be_either_is_as_the_others_are():
    assert all_of("1,234", "0.5", "3") == ([1234, 0.5, 3], POINT)
    assert all_of("1,234", "0,5", "3") == ([1.234, 0.5, 3], COMMA)
    assert all_of("1,234", semicolons=True) == ([1.234], COMMA)
    assert all_of("1,234", "0.5", semicolons=True) == ([1234, 0.5], POINT)
    assert all_of("0.5", "3") == ([0.5, 3], "")
    assert all_of() == ([], "")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (("1,234",), "file: line 1: 1,234 may be 1234 or 1.234, no other norm tells which: write that instead"),
        (("5", "1,234"), "file: line 2: 1,234 may be"),
        (("1", "0.5", "0,25"), "file: line 3: 0,25 has a decimal comma, 0.5 in line 2 has not: write all one way"),
        (("0,25", "1,234.5"), "file: line 2: 1,234.5 has a decimal point, 0,25 in line 1 has not"),
    ],
)
def test_what_cannot_be_told_is_refused(texts, message):
    with pytest.raises(UserError, match=message):
        all_of(*texts)


def test_a_tensor_is_its_number():
    for text in ("tensor(0.5)", "tensor(0.5, device='cuda:0')", "np.float32(0.5)", "jnp.array([0.5])", "0.5"):
        assert unwrapped(text) == "0.5"
    assert not readings(unwrapped("tensor([1., 2.])"))
