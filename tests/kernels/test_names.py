"""Names are found, aliases too; an unknown one comes with help."""

import pytest

from kernels.activations import ACTIVATIONS
from kernels.names import ALIASES, UnknownNameError, lookup


def test_finds_rows_and_aliases():
    assert lookup(ACTIVATIONS, "activation", "tanh") is ACTIVATIONS["tanh"]
    assert lookup(ACTIVATIONS, "activation", "silu") is ACTIVATIONS["swish"]


def test_aliases_lead_to_rows():
    assert set(ALIASES.values()) <= set(ACTIVATIONS)
    assert not set(ALIASES) & set(ACTIVATIONS)


@pytest.mark.parametrize(("wrong", "near"), [("tahn", "tanh"), ("leakyrelu", "leaky_relu"), ("Sigmoid", "sigmoid")])
def test_a_misspelt_name_gets_the_nearest(wrong, near):
    with pytest.raises(UnknownNameError, match=f"^unknown activation '{wrong}'; nearest: .*{near}"):
        lookup(ACTIVATIONS, "activation", wrong)


def test_nothing_near_lists_all():
    with pytest.raises(UnknownNameError) as caught:
        lookup(ACTIVATIONS, "activation", "zzz")
    assert all(name in str(caught.value) for name in ACTIVATIONS)


def test_a_short_table_is_listed_whole():
    with pytest.raises(UnknownNameError, match="unknown profile 'quik'; valid: quick, full"):
        lookup({"quick": 1, "full": 2}, "profile", "quik")


def test_an_alias_is_unknown_where_its_row_is():
    with pytest.raises(UnknownNameError):
        lookup({"tanh": 1}, "activation", "silu")
