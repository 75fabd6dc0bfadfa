"""The closed forms: one for each function of each row, derivatives that are the forms' own, all digits told."""

from itertools import product

import mpmath
import numpy as np
import pytest

from kernels.activations import ACTIVATIONS
from suites.exact import FORMS, PRECISION, evaluate
from suites.ulp import unit

POINTS = [-700.0, -38.0, -9.25, -3.5, -1.25, -0.7517915, -1e-9, 1e-300, 1e-9, 0.3, 2.75, 4.0, 9.0, 40.0, 710.0]


def parameter(name):
    a = ACTIVATIONS[name].a
    return None if a is None else mpmath.mpf(a)


def test_every_row_has_its_forms():
    assert list(FORMS) == list(ACTIVATIONS)
    for name, row in ACTIVATIONS.items():
        assert len(FORMS[name]) == (2 if row.reference_df_da is None else 3)


@pytest.mark.parametrize("name", FORMS)
def test_forms_are_the_rows_functions(name):
    """Against the float64 references, which other formulas in mpmath judge."""
    row, x = ACTIVATIONS[name], np.array(POINTS)
    functions = [row.reference, row.reference_derivative, row.reference_df_da]
    for form, function in zip(FORMS[name], functions, strict=False):
        with np.errstate(all="ignore"):
            reference = function(x, row.a)
        value = evaluate(form, x, row.a, reference).value
        np.testing.assert_allclose(value, reference, rtol=1e-11, atol=1e-16 if form is FORMS[name][1] else 1e-300)


@pytest.mark.parametrize("name", FORMS)
def test_derivatives_are_those_of_the_first_form(name):
    with mpmath.workprec(2200):
        f, *derivatives = FORMS[name]
        a = parameter(name)
        for x in map(mpmath.mpf, POINTS):
            differences = [mpmath.diff(lambda t: f(t, a), x, relative=True)]
            if len(derivatives) == 2:
                differences.append(mpmath.diff(lambda t, x=x: f(x, t), a))
            for form, difference in zip(derivatives, differences, strict=True):
                assert mpmath.almosteq(form(x, a), difference, 1e-30, mpmath.mpf(2) ** -1000), (name, x)


@pytest.mark.parametrize(("name", "order"), [*product(FORMS, (0, 1))])
def test_evaluate_tells_what_float64_lacks(name, order):
    """More digits change nothing: the precision is enough where the forms cancel and in the tails."""
    x, form = np.array(POINTS), FORMS[name][order]
    reference = evaluate(form, x, ACTIVATIONS[name].a, np.zeros(len(x)))
    with mpmath.workprec(4 * PRECISION):
        for point, value, rest in zip(x, reference.value, reference.rest, strict=True):
            spacing = float(unit(np.array([value]), np.float64)[0])
            lack = form(mpmath.mpf(float(point)), parameter(name)) - mpmath.mpf(float(value))
            assert float(lack / spacing) == pytest.approx(rest, abs=1e-9)
            assert abs(rest) <= 0.5


def test_where_x_is_not_finite_the_limits_are_taken():
    x = np.array([np.nan, np.inf, 0.5])
    reference = evaluate(FORMS["identity"][0], x, None, np.array([np.nan, np.inf, 7.0]))
    assert np.array_equal(reference.value, x, equal_nan=True)
    assert reference.rest.tolist() == [0, 0, 0]
