"""Curves of every activation, and what the derivative from the output loses."""

import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from suites import curves
from suites.errors import UserError


def line(table, metric):
    return table[table.metric == metric].set_index("position").value


def test_every_activation_by_default():
    assert [cell.activation for cell in curves.cells()] == list(ACTIVATIONS)


@pytest.mark.parametrize("name", ["sigmoid", "gelu", "leaky_relu"])
def test_values_are_the_references(name):
    table, row = curves.measure(*curves.cells(activations=[name])), ACTIVATIONS[name]
    f, df = line(table, "f"), line(table, "df")
    x = f.index.to_numpy()
    assert x[[0, -1]].tolist() == [-20, 20]
    assert f.to_numpy() == pytest.approx(row.reference(x, row.a), rel=1e-5)
    assert df.to_numpy() == pytest.approx(row.reference_derivative(x, row.a), rel=1e-5, abs=1e-6)


def test_the_tail_that_the_output_form_loses():
    table = curves.measure(*curves.cells(activations=["sigmoid"]))
    assert line(table, "df")[20.0] == pytest.approx(2.0611536e-9, rel=1e-5)
    assert line(table, "df_from_output")[20.0] == 0


def test_only_rows_with_an_output_form_have_its_line():
    for cell in curves.cells():
        lines = set(curves.measure(cell).metric)
        assert lines == {"f", "df"} | ({"df_from_output"} if ACTIVATIONS[cell.activation].df_from_output else set())


def test_an_unknown_name():
    with pytest.raises(UserError, match="unknown activation 'tahn'"):
        curves.cells(activations=["tahn"])


def test_finite():
    assert all(np.isfinite(curves.measure(cell).value).all() for cell in curves.cells())
