"""The checked methods of a row: shapes, aliasing, users' mistakes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.activations import ACTIVATIONS

NAMES = ["tanh", "relu", "prelu", "swish", "gelu"]


@pytest.fixture(params=NAMES)
def row(request):
    return ACTIVATIONS[request.param]


def expected(row, x, dy):
    exact = x.astype(np.float64)
    return row.reference(exact, row.a), dy * row.reference_derivative(exact, row.a)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0), (5,), (17,), (63,), (1000,), (7, 9), (2, 3, 5)])
def test_every_shape_and_every_method_agree_with_the_reference(row, dtype, rng, close, shape):
    x, dy = (np.array(rng.standard_normal(shape), dtype) for _ in range(2))
    y, dx, y2, dx2 = (np.full(shape, np.nan, dtype) for _ in range(4))
    row.forward(y, x)
    row.backward(dx, dy, x, y)
    row.forward_backward(y2, dx2, dy, x)
    value, slope = expected(row, x, dy)
    for result, truth in ((y, value), (dx, slope), (y2, value), (dx2, slope)):
        close(result, truth)


def test_outputs_may_be_inputs(row, dtype, rng, close):
    x, dy = rng.standard_normal(101).astype(dtype), rng.standard_normal(101).astype(dtype)
    value, slope = expected(row, x, dy)
    y = np.empty_like(x)
    row.forward(y, x)
    for target in ("dy", "x", "y"):
        arrays = {"dy": dy.copy(), "x": x.copy(), "y": y.copy()}
        row.backward(arrays[target], **arrays)
        close(arrays[target], slope)
    in_place = x.copy()
    row.forward(in_place, in_place)
    close(in_place, value)
    both_x, both_dy = x.copy(), dy.copy()
    row.forward_backward(both_x, both_dy, both_dy, both_x)
    close(both_x, value)
    close(both_dy, slope)


def test_partial_overlap_is_refused_and_nothing_is_written(row, dtype):
    whole = np.linspace(-1, 1, 101).astype(dtype)
    left, right, other = whole[:100], whole[1:], np.ones(100, dtype)
    before = whole.copy()
    for call in (
        lambda: row.forward(left, right),
        lambda: row.backward(left, right, other, other),
        lambda: row.backward(left, other, right, other),
        lambda: row.backward(left, other, other, right),
        lambda: row.forward_backward(left, right, other, other),
        lambda: row.forward_backward(other, left, other, right),
        lambda: row.forward_backward(left, left, other, other),
    ):
        with pytest.raises(ValueError, match="overlap"):
            call()
    np.testing.assert_array_equal(whole, before)


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(0, 40), columns=st.integers(1, 40), start=st.integers(0, 3))
def test_any_length_and_alignment_give_the_same_bits(rows, columns, start):
    row, n = ACTIVATIONS["tanh"], rows * columns
    x = np.linspace(-3, 3, n + 4, dtype=np.float32)[start : start + n].reshape(rows, columns)
    y, single = np.full_like(x, np.nan), np.full_like(x, np.nan)
    row.forward(y, x)
    for i in np.ndindex(x.shape):
        row.forward(single[i[0]][i[1] : i[1] + 1], x[i[0]][i[1] : i[1] + 1])
    np.testing.assert_array_equal(y, single)


def mistakes():
    """(arguments of forward beside a good one, error, the argument that the message names)."""
    x, read_only = np.zeros((4, 6)), np.zeros((4, 6))
    read_only.flags.writeable = False
    return [
        ((np.zeros((6, 4)), x), ValueError, "y"),
        ((np.zeros(24), x), ValueError, "y"),
        ((np.zeros((4, 6), np.float32), x), TypeError, "y"),
        ((np.zeros((6, 4)).T, x), ValueError, "y"),
        ((read_only, x), ValueError, "y"),
        ((np.zeros((4, 6)), np.zeros((6, 4)).T), ValueError, "x"),
        ((np.zeros((4, 6)), x.tolist()), TypeError, "x"),
        ((np.zeros((4, 6)), np.zeros((4, 6), int)), TypeError, "x"),
        ((np.zeros((4, 6)), x.astype(np.float16)), TypeError, "x"),
        (([], x), TypeError, "y"),
    ]


@pytest.mark.parametrize("case", range(len(mistakes())))
def test_mistakes_name_the_argument(case):
    arguments, error, name = mistakes()[case]
    with pytest.raises(error, match=rf"^{name}\b"):
        ACTIVATIONS["tanh"].forward(*arguments)


@pytest.mark.parametrize(
    ("name", "wrong", "error"),
    [
        *((name, np.zeros((2, 2)), ValueError) for name in ("dx", "dy", "y")),  # whose shape x tells
        *((name, np.zeros((3, 2)).T, ValueError) for name in ("dx", "dy", "x", "y")),
        *((name, np.zeros((2, 3), np.int64), TypeError) for name in ("dx", "dy", "x", "y")),
        *((name, np.zeros((2, 3)).tolist(), TypeError) for name in ("dx", "dy", "x", "y")),
    ],
)
def test_backward_names_the_wrong_array(name, wrong, error):
    arrays = dict.fromkeys(("dx", "dy", "x", "y"), np.zeros((2, 3))) | {name: wrong}
    with pytest.raises(error, match=rf"^{name} must\b"):
        ACTIVATIONS["tanh"].backward(**arrays)


def test_only_some_have_a_derivative_from_their_output():
    x = np.zeros(5)
    with pytest.raises(ValueError, match="no derivative from its output"):
        ACTIVATIONS["gelu"].backward_from_output(x.copy(), x, x)
