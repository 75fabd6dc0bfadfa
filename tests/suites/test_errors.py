"""User mistakes are told in one line that says what is valid."""

import pytest

from suites.errors import UserError, known, whole

TABLE = {"tanh": "row of tanh", "relu": "row of relu", "swish": "row of swish"}


def test_known_gives_each_row_once_in_the_order_asked():
    assert known(TABLE, "activation", ["relu", "silu", "relu", "swish"]) == ["row of relu", "row of swish"]


def test_an_unknown_name_lists_valid_ones():
    with pytest.raises(UserError, match="unknown activation 'tahn'; valid: tanh, relu, swish"):
        known(TABLE, "activation", ["relu", "tahn"])


def test_no_name_at_all_is_a_mistake():
    with pytest.raises(UserError, match="at least one activation is needed; valid: tanh"):
        known(TABLE, "activation", [])


@pytest.mark.parametrize("value", [0, -3, 2.0, "7", True, None])
def test_a_number_out_of_range_or_of_another_type(value):
    with pytest.raises(UserError, match="depth must be a whole number of 1 or more, got"):
        whole("depth", value, 1)


def test_a_number_above_the_most():
    assert whole("workers", 4, 1, 4) == 4
    with pytest.raises(UserError, match="workers must be a whole number from 1 to 4, got 5"):
        whole("workers", 5, 1, 4)
